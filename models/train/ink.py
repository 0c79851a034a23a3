"""Ink that can be put on any paper: drawn strokes, thinned public digits, and ink lifted from real boxes.

Every ink renders itself through an affine matrix (unit square to canvas pixels) as coverage 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.train.strokes import Strokes

Alpha = NDArray[np.float32]
Affine = NDArray[np.float64]

SKELETON_SIDE = 44
"""Pixels: side of the square in which a skeleton is kept; the glyph fills SKELETON_SIDE - 2 * SKELETON_MARGIN."""

THIN_AT_ONCE = 500
"""Pictures thinned together: they fit into the processor's cache."""

SHARPENED_SIDE = 44
"""Pixels: the longer side of a public digit that keeps its own strokes."""

LOOP_LEVEL = 150
"""Grey level of ink in public digits when their loops are counted: high, so that narrow loops count."""

SKELETON_MARGIN = 6
DISTANCE_STEP = 8.0
"""Stored distance units per skeleton pixel."""


class Ink(Protocol):
    """Something written."""

    def render(self, matrix: Affine, width: float, side: int) -> Alpha:
        """Coverage on a canvas of side x side; `width` is the pen's in canvas pixels."""


@dataclass(frozen=True, slots=True)
class DrawnInk:
    """Pen strokes in the unit square."""

    strokes: Strokes

    def render(self, matrix: Affine, width: float, side: int) -> Alpha:
        """Strokes as round-ended lines; fractional widths by drawing four times as large."""
        zoom = 4
        canvas = np.zeros((side, side), np.uint8)
        for stroke in self.strokes:
            points = (stroke @ matrix[:, :2].T + matrix[:, 2]) * 2**zoom
            line = np.rint(points).astype(np.int32).reshape(-1, 1, 2)
            thickness = max(1, round(width))
            cv2.polylines(canvas, [line], False, 255, thickness, cv2.LINE_AA, zoom)
        alpha = canvas.astype(np.float32) / 255
        return np.asarray(alpha * min(1.0, width / max(1, round(width))), np.float32)


@dataclass(frozen=True, slots=True)
class ThinnedInk:
    """A skeleton as a distance picture, so that it can be written with any pen."""

    distance: NDArray[np.uint8]

    def render(self, matrix: Affine, width: float, side: int) -> Alpha:
        """Everything within half a pen's width of the skeleton."""
        inner = SKELETON_SIDE - 2 * SKELETON_MARGIN
        to_unit = np.array([[1 / inner, 0, -SKELETON_MARGIN / inner], [0, 1 / inner, -SKELETON_MARGIN / inner]])
        full = matrix[:, :2] @ to_unit
        full[:, 2] += matrix[:, 2]
        far = cv2.warpAffine(self.distance, full, (side, side), flags=cv2.INTER_LINEAR, borderValue=255)
        scale = float(np.sqrt(abs(np.linalg.det(full[:, :2]))))
        return np.clip(width / 2 + 0.5 - far.astype(np.float32) * (scale / DISTANCE_STEP), 0, 1)


@dataclass(frozen=True, slots=True)
class LiftedInk:
    """Ink lifted from a picture with its own thickness and texture; the unit square is the ink's bounding box."""

    alpha: Alpha

    def render(self, matrix: Affine, width: float, side: int) -> Alpha:
        """The lifted ink itself; the pen's width is its own."""
        height, breadth = self.alpha.shape
        full = matrix @ np.array([[1 / breadth, 0, 0], [0, 1 / height, 0], [0, 0, 1]])
        return np.asarray(cv2.warpAffine(self.alpha, full, (side, side), flags=cv2.INTER_LINEAR), np.float32)


def thin(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Zhang-Suen thinning of many pictures at once, shape (n, h, w); their borders must be empty."""
    now = masks.astype(np.uint8)
    while True:
        before = now
        for odd in (False, True):
            p = [
                np.roll(now, s, (1, 2)) for s in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            count = sum(q.astype(np.int8) for q in p)
            turns = sum(((a == 0) & (b == 1)).astype(np.int8) for a, b in zip(p, p[1:] + p[:1], strict=True))
            n, _, e, _, s, _, w, _ = p
            keep = (n & e & w) | (n & s & w) if odd else (n & e & s) | (e & s & w)
            gone = (now == 1) & (count >= 2) & (count <= 6) & (turns == 1) & (keep == 0)
            now = np.where(gone, 0, now).astype(np.uint8)
        if np.array_equal(before, now):
            return now.astype(bool)


def holes(mask: NDArray[np.bool_]) -> int:
    """Closed loops: paper that is not connected with the paper around."""
    paper = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    return cv2.connectedComponents(paper, connectivity=4)[0] - 2


def skeletons(pictures: NDArray[np.uint8], threshold: int) -> list[ThinnedInk | None]:
    """White-on-black digit pictures, shape (n, h, w), as thinned ink.

    None where nothing is left, or where a loop of the picture is lost: an 8 without one of them is no 8 any more.
    """
    inner = SKELETON_SIDE - 2 * SKELETON_MARGIN
    masks = np.zeros((len(pictures), SKELETON_SIDE, SKELETON_SIDE), bool)
    for index, picture in enumerate(pictures):
        ys, xs = np.nonzero(picture > threshold)
        if len(ys) < 4:
            continue
        tight = picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        scale = inner / max(tight.shape)
        width, height = (max(2, round(side * scale)) for side in tight.shape[::-1])
        large = cv2.resize(tight, (width, height), interpolation=cv2.INTER_CUBIC)
        large = cv2.GaussianBlur(large, (0, 0), 0.8)
        top, left = (SKELETON_SIDE - height) // 2, (SKELETON_SIDE - width) // 2
        masks[index, top : top + height, left : left + width] = large > threshold
    thinned = np.concatenate([thin(masks[at : at + THIN_AT_ONCE]) for at in range(0, len(masks), THIN_AT_ONCE)])
    kept = [holes(picture > LOOP_LEVEL) for picture in pictures]
    return [
        _distance(skeleton) if skeleton.any() and holes(skeleton) == count else None
        for skeleton, count in zip(thinned, kept, strict=True)
    ]


def sharpened(picture: NDArray[np.uint8], level: float) -> LiftedInk | None:
    """A white-on-black digit with its own strokes, thinner for a higher `level` (0..1); None where nothing is left.

    Loops stay open, as they do not in a skeleton of so few pixels.
    """
    ys, xs = np.nonzero(picture > LOOP_LEVEL)
    if len(ys) < 4:
        return None
    tight = np.pad(picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], 1)
    scale = SHARPENED_SIDE / max(tight.shape)
    size = (max(4, round(tight.shape[1] * scale)), max(4, round(tight.shape[0] * scale)))
    large = cv2.GaussianBlur(cv2.resize(tight, size, interpolation=cv2.INTER_CUBIC), (0, 0), 0.7).astype(np.float32)
    alpha = np.clip((large / max(float(large.max()), 1.0) - level) / 0.2 + 0.5, 0, 1).astype(np.float32)
    ys, xs = np.nonzero(alpha > 0.4)
    if len(ys) < 8:
        return None
    return LiftedInk(alpha[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])


def _distance(skeleton: NDArray[np.bool_]) -> ThinnedInk:
    far = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, 5)
    return ThinnedInk(np.clip(far * DISTANCE_STEP, 0, 255).astype(np.uint8))


def lifted(inner: Alpha) -> LiftedInk | None:
    """The ink of a normalised box interior (0 = paper, about 1 = ink), cut to its bounding box; None without ink."""
    alpha = np.clip((inner - 0.3) / 0.5, 0, 1).astype(np.float32)
    ys, xs = np.nonzero(alpha > 0.4)
    if len(ys) < 8:
        return None
    return LiftedInk(np.pad(alpha[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], 1))
