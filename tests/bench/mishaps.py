"""What else happens to paper under the camera: folds, a shadow's edge, a noisy picture in the dark, other paper beside.

All work on photographs of whole pages (BGR); what they do is drawn by the generator they are given.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.guidance import Bgr

Spoil = Callable[[Bgr, np.random.Generator], Bgr]
Beside = Callable[[Bgr, Bgr, np.random.Generator], Bgr]

SOFT_PIXELS = 1.5
"""Softness of a crease's line and of a hard shadow, as a camera sees them from above."""


def _away(page: Bgr, rng: np.random.Generator) -> tuple[NDArray[np.float32], bool]:
    """Pixels from a line across the middle of the page, nearly along one of its sides; whether it is horizontal."""
    height, width = page.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, slope, at = bool(rng.random() < 0.5), rng.uniform(-0.03, 0.03), rng.uniform(0.25, 0.75)
    away = rows - at * height + slope * columns if across else columns - at * width + slope * rows
    return np.asarray(away, np.float32), across


def _moved(page: Bgr, by: NDArray[np.floating], across: bool) -> Bgr:
    """Every pixel from `by` pixels below it (or to the right of it)."""
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]].astype(np.float32)
    x, y = (columns, rows + by) if across else (columns + by, rows)
    return np.asarray(
        cv2.remap(page, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _lit(page: Bgr, light: NDArray[np.floating]) -> Bgr:
    return np.asarray(np.clip(page * light[..., None], 0, 255), np.uint8)


def creased(page: Bgr, rng: np.random.Generator) -> Bgr:
    """Folded once and opened again: the ridge stands up, one slope is lit and one is not, its line is worn."""
    away, across = _away(page, rng)
    reach, height = 0.05 * len(page), rng.uniform(0.001, 0.006) * len(page) * rng.choice([-1, 1])
    risen = _moved(page, height * np.exp(-np.abs(away) / reach), across)
    slope = rng.uniform(0.1, 0.3) * rng.choice([-1, 1]) * np.tanh(away / SOFT_PIXELS) * np.exp(-np.abs(away) / reach)
    return _lit(risen, 1 + slope - rng.uniform(0, 0.3) * np.exp(-((away / SOFT_PIXELS) ** 2)))


def pleated(page: Bgr, rng: np.random.Generator) -> Bgr:
    """Folded over itself: a strip of the page, 0.3 to 2 % of its height, is not seen, and its fold throws a shadow."""
    away, across = _away(page, rng)
    hidden = rng.uniform(0.003, 0.02) * len(page)
    shorter = _moved(page, np.where(away > 0, hidden, 0.0), across)
    return _lit(shorter, 1 - rng.uniform(0.2, 0.5) * np.exp(-np.maximum(away, 0) / 6) * (away > 0))


def shadowed(page: Bgr, rng: np.random.Generator) -> Bgr:
    """The hard edge of a shadow runs over the page; 30 to 75 % of the light is gone behind it."""
    away, _ = _away(page, rng)
    dark = rng.uniform(0.3, 0.75) / (1 + np.exp(-np.clip(away / SOFT_PIXELS, -50, 50)))
    return _lit(page, 1 - dark)


def noisy(page: Bgr, rng: np.random.Generator) -> Bgr:
    """In the dark, as a sensor sees it: little light, and noise that is not less for it."""
    dark = page * rng.uniform(0.1, 0.3)
    return np.asarray(np.clip(dark + rng.normal(0, rng.uniform(2, 6), page.shape), 0, 255), np.uint8)


def whole_beside(page: Bgr, other: Bgr, rng: np.random.Generator) -> Bgr:
    """Two photographs side by side, both whole."""
    return _joined(page, other, 1.0, rng)


def part_beside(page: Bgr, other: Bgr, rng: np.random.Generator) -> Bgr:
    """A third to two thirds of the other page in view."""
    return _joined(page, other, rng.uniform(1 / 3, 2 / 3), rng)


def edge_beside(page: Bgr, other: Bgr, rng: np.random.Generator) -> Bgr:
    """The other page's margin in view."""
    return _joined(page, other, rng.uniform(0.05, 0.1), rng)


def _joined(page: Bgr, other: Bgr, share: float, rng: np.random.Generator) -> Bgr:
    """`share` of the other picture at one of the four sides of the page."""
    high, wide = min(len(page), len(other)), min(page.shape[1], other.shape[1])
    page, other = page[:high, :wide], other[:high, :wide]
    right, after = rng.random() < 0.5, rng.random() < 0.5
    count = round(share * (wide if right else high))
    start = 0 if after else (wide if right else high) - count
    part = other[:, start : start + count] if right else other[start : start + count]
    pair = [page, part] if after else [part, page]
    return np.asarray(np.hstack(pair) if right else np.vstack(pair), np.uint8)


FAULTS: dict[str, Spoil] = {
    "a crease": creased,
    "a pleat": pleated,
    "a shadow's edge": shadowed,
    "dark and noisy": noisy,
}
NEIGHBOURS: dict[str, Beside] = {
    "another page's edge": edge_beside,
    "part of another page": part_beside,
    "another whole page": whole_beside,
}
