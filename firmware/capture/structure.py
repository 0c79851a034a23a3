"""Finds a page by its printed lines alone: for scans whose barcode is smeared and whose corner marks are cut off.

The picture is turned upright by its dominant edge direction; the amounts of horizontal and vertical line at every
row and column are correlated with those of each page at every scale, position and quarter turn. Good for flat
pictures (scanners, a camera that looks straight down). The guesses are hypotheses: registration proves or drops them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.rulings import Floats, printed_lines
from firmware.forms.layout import PageLayout, Ruling
from firmware.records import Gray, Matrix

LONG_SIDE = 800
"""Pixels of the reduced picture's long side: 2.7 a millimetre on A4, 0.9 on the plano."""
BIN = 2
"""Pixels a profile bin."""
BINS = 512
"""Length of a profile; holds the diagonal of the reduced picture."""
LEAST_SCALE, MOST_SCALE, SCALE_STEP = 0.35, 1.15, 1.015
"""The page's height as part of the picture's long side: from a third to slightly cut off."""
SCALE_ASPECT = 3
"""Steps by which horizontal and vertical scale may differ: scanners stretch by up to 2 %."""
BLUR_BINS = 1.3
"""Softness of the profiles: lets a skew of a few tenths of a degree pass."""
LINE_PIXELS = 31
"""Shortest dark run that counts as a line, in reduced pixels."""
THIN_PIXELS = 7
"""What is dark and thinner than this, with paper on both sides, may be a line; fills and the sheet's edge are not."""
ANGLE_BINS = 360
"""Of 90 degrees: 0.25 degrees each."""
ANGLE_NTH = 2
"""Every how manieth pixel of a row and of a column has a say about the angle."""
NEAR_SCALE = 0.85
"""From here on a page fills the picture, as it does under a scanner or the kiosk's camera: tried first."""
CLEAR_SCORE = 1.35
"""A guess this good ends the search. Real scans, right page: 1.43 and more; wrong page: 1.25 and less."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A hypothesis: the page (index into the asked ones) and its homography from page mm to picture pixels."""

    page: int
    homography: Matrix
    score: float


@dataclass(frozen=True, slots=True)
class _Template:
    """Spectra of a page's profiles at every scale, shape (scales, BINS // 2 + 1)."""

    rows: NDArray[np.complex128]
    columns: NDArray[np.complex128]
    scales: Floats
    """Bins per mm."""


def guess_pages(gray: Gray, pages: Sequence[tuple[PageLayout, float]]) -> list[Guess]:
    """Placements of `pages` (each with the sheet's height in mm) in `gray`, several of every page, best first."""
    factor = min(1.0, LONG_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else gray
    upright, turn = _turn_upright(np.asarray(small, dtype=np.uint8))
    rows, columns = _line_profiles(upright)
    placed: list[Guess] = []
    for far in (False, True):
        for index, (page, height) in enumerate(pages):
            template = _template(printed_lines(page), height, max(small.shape) / BIN, far)
            for quarter in range(4):
                placed += _placements(index, template, rows, columns, quarter, upright.shape)
        placed.sort(key=lambda guess: -guess.score)
        if placed[0].score >= CLEAR_SCORE:
            break
    back = np.diag([1 / factor, 1 / factor, 1.0]) @ np.linalg.inv(turn)
    return [Guess(g.page, back @ g.homography, g.score) for g in placed]


def _turn_upright(small: Gray) -> tuple[Gray, Matrix]:
    """The picture turned so that its lines lie along the axes, and the 3x3 matrix that did it."""
    angle = edge_angle(small)
    height, width = small.shape
    side_w = int(np.ceil(abs(width * np.cos(np.radians(angle))) + abs(height * np.sin(np.radians(angle)))))
    side_h = int(np.ceil(abs(height * np.cos(np.radians(angle))) + abs(width * np.sin(np.radians(angle)))))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turn[:, 2] += (side_w - width) / 2, (side_h - height) / 2
    upright = cv2.warpAffine(small, turn, (side_w, side_h), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(upright, dtype=np.uint8), np.vstack([turn, (0.0, 0.0, 1.0)])


def edge_angle(small: Gray | NDArray[np.float32]) -> float:
    """By how many degrees (-45..45) the picture's straight edges are turned from its axes."""
    soft = cv2.GaussianBlur(small, (0, 0), 1.5)
    dx, dy = (
        np.ascontiguousarray(cv2.Sobel(soft, cv2.CV_32F, *axis)[::ANGLE_NTH, ::ANGLE_NTH]) for axis in ((1, 0), (0, 1))
    )
    strength, direction = cv2.cartToPolar(dx, dy, angleInDegrees=True)
    bins = np.mod(np.round(direction * (ANGLE_BINS / 90.0)), ANGLE_BINS).astype(np.intp)
    votes = np.bincount(bins.ravel(), weights=strength.ravel(), minlength=ANGLE_BINS)
    votes = np.convolve(np.concatenate([votes[-2:], votes, votes[:2]]), (1, 2, 3, 2, 1), mode="valid")
    angle = int(np.argmax(votes)) * 90.0 / ANGLE_BINS
    return angle - 90.0 if angle > 45.0 else angle


def _line_profiles(upright: Gray) -> tuple[Floats, Floats]:
    """Length of horizontal line in every row bin and of vertical line in every column bin."""
    paper = cv2.morphologyEx(upright, cv2.MORPH_CLOSE, np.ones((THIN_PIXELS, THIN_PIXELS), np.uint8))
    dark = (upright.astype(np.int16) * 6 < paper.astype(np.int16) * 5).astype(np.uint8)
    profiles = []
    for axis, runs in enumerate(line_runs(dark)):
        amount = runs.sum(axis=1 - axis, dtype=np.float64)
        binned = np.zeros(BINS)
        np.add.at(binned, np.minimum(np.arange(len(amount)) // BIN, BINS - 1), amount)
        profiles.append(_normal(_soft(np.sqrt(binned)[None])[0]))
    return profiles[0], profiles[1]


def line_runs(dark: Gray) -> tuple[Gray, Gray]:
    """The parts of `dark` (0 and 1) that are horizontal lines, and those that are vertical ones."""
    runs = []
    for along, across in (((LINE_PIXELS, 1), (1, 3)), ((1, LINE_PIXELS), (3, 1))):
        thick = cv2.dilate(dark, cv2.getStructuringElement(cv2.MORPH_RECT, across))
        line = cv2.morphologyEx(thick, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, along))
        runs.append(np.asarray(line, dtype=np.uint8))
    return runs[0], runs[1]


def _soft(profiles: Floats) -> Floats:
    """Blurs every row."""
    return np.asarray(cv2.GaussianBlur(profiles, (0, 0), sigmaX=BLUR_BINS, sigmaY=0.01), dtype=np.float64)


def _normal(profile: Floats) -> Floats:
    centred = profile - profile.mean()
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length > 0 else centred)


@lru_cache(maxsize=256)
def _template(lines: tuple[Ruling, ...], height: float, bins: float, far: bool) -> _Template:
    """`bins`: the picture's long side in bins; `far`: the smaller scales."""
    least, most = (LEAST_SCALE, NEAR_SCALE) if far else (NEAR_SCALE, MOST_SCALE)
    count = int(np.log(most / least) / np.log(SCALE_STEP)) + 1
    scales = bins / height * least * SCALE_STEP ** np.arange(count)
    rows, columns = np.zeros((count, BINS)), np.zeros((count, BINS))
    for line in lines:
        vertical = abs(line.x1 - line.x0) < abs(line.y1 - line.y0)
        target, at, length = (
            (columns, line.x0, abs(line.y1 - line.y0)) if vertical else (rows, line.y0, abs(line.x1 - line.x0))
        )
        target[np.arange(count), np.minimum((at * scales).astype(np.intp), BINS - 1)] += length * scales
    spectra = []
    for table in (rows, columns):
        spectra.append(np.fft.rfft(np.stack([_normal(row) for row in _soft(np.sqrt(table))]), axis=1))
    return _Template(spectra[0], spectra[1], scales)


def _placements(
    index: int, template: _Template, rows: Floats, columns: Floats, quarter: int, shape: tuple[int, ...]
) -> list[Guess]:
    """The two best placements of one page at one quarter turn (counter-clockwise turns of the picture)."""
    height, width = shape[0] / BIN, shape[1] / BIN
    lines = _turned(rows, columns, quarter, height, width)
    down = np.fft.irfft(np.conj(template.rows) * np.fft.rfft(lines[0]), BINS, axis=1)
    best_down = down.max(axis=1)
    found = []
    for scale in np.argsort(-best_down)[:2]:
        near = slice(max(0, scale - SCALE_ASPECT), scale + SCALE_ASPECT + 1)
        right = np.fft.irfft(np.conj(template.columns[near]) * np.fft.rfft(lines[1]), BINS, axis=1)
        row, x = np.unravel_index(int(np.argmax(right)), right.shape)
        y = int(np.argmax(down[scale]))
        score = float(best_down[scale] + right[row, x])
        x_scale = template.scales[near][row] * BIN
        y_scale = template.scales[scale] * BIN
        move_x, move_y = ((v if v < BINS // 2 else v - BINS) * BIN for v in (int(x), y))
        upright = np.array([[x_scale, 0, move_x + BIN / 2], [0, y_scale, move_y + BIN / 2], [0, 0, 1.0]])
        found.append(Guess(index, _unturn(quarter, shape) @ upright, score))
    return found


def _turned(rows: Floats, columns: Floats, quarter: int, height: float, width: float) -> tuple[Floats, Floats]:
    """Profiles of the picture turned counter-clockwise by quarter turns, as np.rot90 does."""

    def flipped(profile: Floats, used: float) -> Floats:
        return np.roll(profile[::-1], int(np.ceil(used)) - BINS)

    if quarter == 0:
        return rows, columns
    if quarter == 1:
        return flipped(columns, width), rows
    if quarter == 2:
        return flipped(rows, height), flipped(columns, width)
    return columns, flipped(rows, height)


def _unturn(quarter: int, shape: tuple[int, ...]) -> Matrix:
    """Pixels of the turned picture to pixels of the upright one."""
    height, width = shape
    if quarter == 0:
        return np.eye(3)
    if quarter == 1:
        return np.array([[0.0, -1, width - 1], [1, 0, 0], [0, 0, 1]])
    if quarter == 2:
        return np.array([[-1.0, 0, width - 1], [0, -1, height - 1], [0, 0, 1]])
    return np.array([[0.0, 1, 0], [-1, 0, height - 1], [0, 0, 1]])
