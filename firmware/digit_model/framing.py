"""From a loose picture of one digit box to the model's framing (CELL_PIXELS, CELL_MARGIN).

A loose picture is cropped by hand or by another program: tight or loose, turned a little, any size. The box's
printed border is found side by side, as the outermost straight dark line that runs along the picture; the box is
then rectified so that its border lies where a registered page puts it. A picture without a border is taken whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray

WORK_SIDE = 96
"""Pixels: the picture is looked at in this size; a border is then 2 to 6 pixels wide."""

SEARCH_DEPTH = 0.42
"""Part of the side that is searched inwards from each edge; further in it would be the opposite half."""

MAX_SLOPE = 0.12
"""Largest slope of a border line: a crop turned by more than 7 degrees is not straightened."""

SLOPES = np.linspace(-MAX_SLOPE, MAX_SLOPE, 17)

MIN_COVERAGE = 0.5
"""Mean darkness along a border, relative to the darkest lines of the picture: broken and faint borders have 0.6."""

RELATIVE_COVERAGE = 0.7
"""A border is the outermost line with at least this part of the best line's coverage: handwriting lies inside."""

BORDER_REACH = 7
"""Pixels at WORK_SIDE: a border is not wider, so its middle lies within this of its outer edge."""

MIN_BOX = 0.5
"""Smallest side of the box relative to the picture: less is a stroke taken for a border."""

FLAT_CONTRAST = 12.0
"""Grey levels: a picture with less contrast shows no border."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line through the search band: `offset` at the middle of the side, `slope` along it."""

    offset: float
    slope: float


def grey(picture: NDArray[np.uint8]) -> Gray:
    """A grey picture of a grey or BGR one."""
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def frame_box(picture: NDArray[np.uint8]) -> Gray:
    """The box in `picture` (grey or BGR), rectified to CELL_PIXELS with CELL_MARGIN around its border."""
    image = grey(picture)
    return frame_like(image, image)


def frame_like(guide: NDArray[np.uint8], image: Gray) -> Gray:
    """`image` rectified by the box that is found in `guide`, a picture of the same size (another colour channel)."""
    corners = find_box(grey(guide))
    height, width = image.shape
    if corners is None:
        corners = _whole(width, height)
    low = CELL_PIXELS * CELL_MARGIN / (1 + 2 * CELL_MARGIN)
    high = CELL_PIXELS - low
    target = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    shrink = max(width, height) / CELL_PIXELS
    if shrink > 2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), shrink / 3), np.uint8)
    size = (CELL_PIXELS, CELL_PIXELS)
    flags = cv2.INTER_LINEAR if shrink > 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpPerspective(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def find_box(image: Gray) -> NDArray[np.float64] | None:
    """Corners of the printed border (TL, TR, BR, BL; pixel coordinates of `image`), or None when there is none."""
    ink = _darkness(image)
    if ink is None:
        return None
    found = [_border(view) for view in (ink, ink[:, ::-1], ink.T, ink.T[:, ::-1])]
    if any(line is None for line in found):
        return None
    left, right, top, bottom = [line for line in found if line is not None]
    last = WORK_SIDE - 1
    right = _Line(last - right.offset, -right.slope)
    bottom = _Line(last - bottom.offset, -bottom.slope)
    if min(right.offset - left.offset, bottom.offset - top.offset) < MIN_BOX * WORK_SIDE:
        return None
    corners = np.array([_cross(left, top), _cross(right, top), _cross(right, bottom), _cross(left, bottom)])
    height, width = image.shape
    scale = np.array([width, height]) / WORK_SIDE
    return np.asarray((corners + 0.5) * scale - 0.5)


def _whole(width: int, height: int) -> NDArray[np.float64]:
    """Corners that make the whole picture fill the framing."""
    x, y = (side * CELL_MARGIN / (1 + 2 * CELL_MARGIN) for side in (width, height))
    corners = [[x, y], [width - x, y], [width - x, height - y], [x, height - y]]
    return np.array(corners) - 0.5


def _darkness(image: Gray) -> NDArray[np.float32] | None:
    """Darkness of thin things, 0..1, at WORK_SIDE square; None for a picture without contrast."""
    small = cv2.resize(image, (WORK_SIDE, WORK_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((21, 21), np.uint8))
    ink = cv2.GaussianBlur(paper - small, (0, 0), 1.0)
    contrast = float(np.percentile(ink, 92))
    if contrast < FLAT_CONTRAST:
        return None
    return np.asarray(np.clip(ink / contrast, 0, 1), np.float32)


def _border(ink: NDArray[np.float32]) -> _Line | None:
    """The outermost long dark line near the left edge of `ink`."""
    depth = int(SEARCH_DEPTH * WORK_SIDE)
    rows = np.arange(WORK_SIDE // 10, WORK_SIDE - WORK_SIDE // 10)
    offsets = np.arange(depth)
    shift = SLOPES[:, None] * (rows - (WORK_SIDE - 1) / 2)[None, :]
    columns = offsets[None, :, None] + shift[:, None, :]
    inside = (columns >= 0) & (columns <= WORK_SIDE - 1)
    nearest = np.clip(np.rint(columns), 0, WORK_SIDE - 1).astype(np.intp)
    values = np.where(inside, ink[rows[None, None, :], nearest], 0.0)
    coverage = values.mean(axis=2)
    per_offset = coverage.max(axis=0)
    best = float(per_offset.max())
    if best < MIN_COVERAGE:
        return None
    first = int(np.argmax(per_offset >= max(RELATIVE_COVERAGE * best, MIN_COVERAGE)))
    window = per_offset[first : first + BORDER_REACH]
    strong = np.flatnonzero(window >= 0.9 * window.max())
    slope = SLOPES[int(np.argmax(coverage[:, first + int(np.argmax(window))]))]
    return _Line(first + float(strong.mean()), float(slope))


def _cross(upright: _Line, level: _Line) -> tuple[float, float]:
    """Where x = offset + slope * (y - middle) meets y = offset + slope * (x - middle)."""
    middle = (WORK_SIDE - 1) / 2
    y = level.offset + level.slope * (upright.offset - middle)
    y = level.offset + level.slope * (upright.offset + upright.slope * (y - middle) - middle)
    x = upright.offset + upright.slope * (y - middle)
    return x, y
