"""Where the printed lines of a page are in a picture: what registration and its proof hold on to.

A page's lines are cut into pieces (`LinePieces`, page millimetres). `probe` looks across every piece for a dark line
with paper on both sides and says how far from its predicted place it lies. Pens cross lines and lines break; the
fit that uses the answers must be robust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import CellStyle, PageLayout, Rect, Ruling
from firmware.records import Gray, Matrix

Floats = NDArray[np.floating[Any]]

PIECE_CELLS = 0.7
"""Length of a piece in sides of a digit box: long enough to average a pen stroke away, short enough for separators."""
LONG_LINE_CELLS = 5.0
"""From this length on a line is cut into pieces twice as long: its many pieces say the same."""
PIECE_SAMPLES = 6
"""Profiles averaged over one piece."""
END_CLEARANCE_CELLS = 0.08
"""Kept free at both ends of a line, where it meets another."""
BOX_BORDER_CELLS = 0.05
"""Width of the border of a box of its own, in sides: 1 mm on 18 to 20 mm boxes."""
STEP_PIXELS = 0.7
"""Distance of samples across a line in source pixels."""
MAX_STEPS = 60
"""Most samples to each side of a line: bounds the work of a wide search."""
LEAST_CONTRAST = 0.05
"""A line is darker than the paper on both of its sides by at least this part of the paper's brightness."""
ROUNDING_SAMPLES = 2
"""Added to each side of a profile: windows are rounded outwards to whole samples."""
DARK_PAPER = 40
"""Grey level below which the surroundings of a line are no paper."""


@dataclass(frozen=True, slots=True)
class LinePieces:
    """Pieces of axis-parallel printed lines. Arrays of length n; millimetres."""

    centre: Floats
    """(n, 2) x, y."""
    across: NDArray[np.intp]
    """0: the line is vertical and x is measured; 1: horizontal and y is measured."""
    length: Floats
    width: Floats

    def __len__(self) -> int:
        return len(self.across)

    def near(self, areas: Sequence[Rect], margin: float) -> NDArray[np.bool_]:
        """Which pieces lie in one of the areas, grown by `margin` mm."""
        x, y = self.centre.T
        inside = np.zeros(len(self), dtype=bool)
        for a in areas:
            inside |= (np.abs(x - a.x - a.w / 2) <= a.w / 2 + margin) & (np.abs(y - a.y - a.h / 2) <= a.h / 2 + margin)
        return inside

    def every(self, nth: int) -> LinePieces:
        """Every nth piece: enough for a rough fit."""
        return LinePieces(self.centre[::nth], self.across[::nth], self.length[::nth], self.width[::nth])

    def take(self, chosen: NDArray[np.bool_]) -> LinePieces:
        """The chosen pieces."""
        return LinePieces(self.centre[chosen], self.across[chosen], self.length[chosen], self.width[chosen])


@dataclass(frozen=True, slots=True)
class Probe:
    """What was seen at every piece."""

    offset: Floats
    """mm from the predicted place to the line, along +x or +y."""
    contrast: Floats
    """How much darker than its surroundings, 0..1 of the paper's brightness; 0 where nothing was seen."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Where there is a line."""
        return self.contrast >= LEAST_CONTRAST


def cell_side(page: PageLayout) -> float:
    """The median of width and height of the page's digit boxes, mm: the unit of all tolerances."""
    return float(np.median([side for field in page.fields for cell in field.cells for side in (cell.w, cell.h)]))


def box_lines(cell: Rect, width: float) -> tuple[Ruling, ...]:
    """The four sides of a box as rulings."""
    left, top, right, bottom = cell.x, cell.y, cell.x + cell.w, cell.y + cell.h
    return (
        Ruling(left, top, right, top, width),
        Ruling(left, bottom, right, bottom, width),
        Ruling(left, top, left, bottom, width),
        Ruling(right, top, right, bottom, width),
    )


def printed_lines(page: PageLayout) -> tuple[Ruling, ...]:
    """All lines that can be relied on: solid rulings, and the borders of boxes that have their own."""
    lines = [ruling for ruling in page.rulings if ruling.solid]
    for field in page.fields:
        if field.style is CellStyle.BOXED:
            for cell in field.cells:
                lines.extend(box_lines(cell, BOX_BORDER_CELLS * cell.w))
    return tuple(lines)


def cut(lines: Sequence[Ruling], side: float) -> LinePieces:
    """Cuts lines into pieces of about PIECE_CELLS sides; lines shorter than a third of a piece are left out."""
    centres: list[tuple[float, float]] = []
    across: list[int] = []
    lengths: list[float] = []
    widths: list[float] = []
    clear = END_CLEARANCE_CELLS * side
    for line in lines:
        vertical = abs(line.x1 - line.x0) < abs(line.y1 - line.y0)
        fixed = (line.x0 + line.x1) / 2 if vertical else (line.y0 + line.y1) / 2
        start, end = sorted((line.y0, line.y1) if vertical else (line.x0, line.x1))
        start, end = start + clear, end - clear
        if end - start < PIECE_CELLS * side / 3:
            continue
        piece = PIECE_CELLS * side * (2 if end - start > LONG_LINE_CELLS * side else 1)
        count = max(1, round((end - start) / piece))
        edges = np.linspace(start, end, count + 1)
        for low, high in pairwise(edges):
            middle = float(low + high) / 2
            centres.append((fixed, middle) if vertical else (middle, fixed))
            across.append(0 if vertical else 1)
            lengths.append(float(high - low))
            widths.append(line.width)
    return LinePieces(
        np.array(centres, dtype=np.float64).reshape(-1, 2),
        np.array(across, dtype=np.intp),
        np.array(lengths, dtype=np.float64),
        np.array(widths, dtype=np.float64),
    )


def pixels_per_mm(homography: Matrix, points: Floats) -> float:
    """Scale of the picture at the middle of the given page points."""
    x, y = points.sum(axis=0) / len(points)
    depth = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
    return float(np.sqrt(abs(np.linalg.det(homography) / depth**3)))


def project(homography: Matrix, points: Floats) -> Floats:
    """Applies a 3x3 homography to points (..., 2)."""
    x, y = points[..., 0], points[..., 1]
    h = homography
    w = h[2, 0] * x + h[2, 1] * y + h[2, 2]
    out = np.empty(points.shape, dtype=np.float64)
    out[..., 0] = (h[0, 0] * x + h[0, 1] * y + h[0, 2]) / w
    out[..., 1] = (h[1, 0] * x + h[1, 1] * y + h[1, 2]) / w
    return out


def probe(gray: Gray, homography: Matrix, pieces: LinePieces, reach: float) -> Probe:
    """Looks for every piece within `reach` mm of where `homography` (page mm to pixels of `gray`) puts it."""
    if not len(pieces):
        return Probe(np.zeros(0), np.zeros(0))
    scale = pixels_per_mm(homography, pieces.centre)
    if not 0 < scale < np.inf:  # a guess that folds the page into a line or a point: nothing is seen
        return Probe(np.zeros(len(pieces)), np.zeros(len(pieces)))
    step = max(STEP_PIXELS / scale, reach / MAX_STEPS)
    side_room = 3.0 * float(pieces.width.max()) + 3.0 / scale
    near = max(1, int(reach / step))
    count = near + int(np.ceil(side_room / step)) + ROUNDING_SAMPLES
    offsets = np.arange(-count, count + 1) * step
    profile = _profiles(gray, homography, pieces, offsets)
    inner = slice(count - near, count + near + 1)
    response, paper = _darkness(profile, pieces.width / step, 1.0 / (scale * step), inner)
    response = np.where(paper > DARK_PAPER, response / np.maximum(paper, 1.0), 0.0)
    return _peaks(response, offsets[inner], step)


def _profiles(gray: Gray, homography: Matrix, pieces: LinePieces, offsets: Floats) -> Floats:
    """Mean grey across each piece: (n, len(offsets)); black outside of the picture, so that nothing is seen there."""
    middle = project(homography, pieces.centre)
    vertical = (pieces.across == 0)[:, None]
    right = project(homography, pieces.centre + np.array([1.0, 0.0])) - middle
    down = project(homography, pieces.centre + np.array([0.0, 1.0])) - middle
    along, across = np.where(vertical, down, right), np.where(vertical, right, down)
    spread = ((np.arange(PIECE_SAMPLES) + 0.5) / PIECE_SAMPLES - 0.5)[None, :, None] * pieces.length[:, None, None]
    starts = (middle[:, None, :] + spread * along[:, None, :]).astype(np.float32)
    steps = (across[:, :, None] * offsets).astype(np.float32)
    x, y = ((starts[:, :, None, k] + steps[:, None, k]).reshape(-1, len(offsets)) for k in (0, 1))
    grey = cv2.remap(gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    mean: Floats = grey.reshape(len(pieces), PIECE_SAMPLES, -1).sum(axis=1, dtype=np.uint16) * (1.0 / PIECE_SAMPLES)
    return mean


def _darkness(profile: Floats, width: Floats, pixel: float, places: slice) -> tuple[Floats, Floats]:
    """How much darker than both sides each of `places` is, and how bright the darker side is. Lengths in samples."""
    total = np.zeros((profile.shape[0], profile.shape[1] + 1))
    np.cumsum(profile, axis=1, out=total[:, 1:])
    shape = (len(profile), places.stop - places.start)
    darkness, paper = np.empty(shape), np.empty(shape)
    for wide in np.unique(width):
        chosen = width == wide
        sums = total if chosen.all() else total[chosen]
        half, gap = max(wide / 2, 0.5 * pixel), max(wide, 0.8 * pixel)
        far = half + gap + max(wide, 1.5 * pixel)
        core = _window_mean(sums, -half, half, places)
        before, after = _window_mean(sums, -far, -half - gap, places), _window_mean(sums, half + gap, far, places)
        paper[chosen] = np.minimum(before, after)
        darkness[chosen] = paper[chosen] - core
    return darkness, paper


def _window_mean(total: Floats, low: float, high: float, places: slice) -> Floats:
    """Mean of the samples from `low` to `high` around each of `places`; `total` is the samples' running sum."""
    first, stop = round(low), round(high) + 1
    last, before = slice(places.start + stop, places.stop + stop), slice(places.start + first, places.stop + first)
    mean: Floats = (total[:, last] - total[:, before]) / (stop - first)
    return mean


def _peaks(response: Floats, offsets: Floats, step: float) -> Probe:
    """The strongest place of every row, between samples."""
    rows = np.arange(len(response))
    best = response.argmax(axis=1)
    inner = np.clip(best, 1, response.shape[1] - 2)
    left, middle, right = (response[rows, inner + k] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    shift = np.where(best == inner, np.clip(shift, -0.5, 0.5), 0.0)
    return Probe(offsets[best] + shift * step, response[rows, best])
