"""Small changes made anew every time a cell is shown: framing, light, blur, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray

REAL_STRENGTH = 1.0
"""For real boxes: framing errors as in camera.framing."""

BENT_FROM = 0.5
"""Cells augmented at this strength and above are bent as well: the real boxes are few and are shown often."""

POOL_STRENGTH = 0.3
"""For pool cells, which have framing errors already."""


def to_grey(rng: np.random.Generator, bgr: NDArray[np.uint8]) -> Gray:
    """Grey by a random mix of colours: blue ink gets darker or fainter, as with other cameras."""
    weights = np.array([0.114, 0.587, 0.299]) + rng.normal(0, 0.12, 3)
    weights = np.clip(weights, 0, None) / np.clip(weights, 0, None).sum()
    return np.asarray(cv2.transform(bgr, weights[None].astype(np.float32)), np.uint8).reshape(bgr.shape[:2])


def bent(rng: np.random.Generator, cell: Gray) -> Gray:
    """The cell bent slowly, by a pixel or two: border and ink together, as curled paper does it."""
    move = rng.normal(0, rng.uniform(0.2, 1.3), (2, 5, 5)).astype(np.float32)
    by = [cv2.resize(part, (CELL_PIXELS, CELL_PIXELS), interpolation=cv2.INTER_CUBIC) for part in move]
    ys, xs = np.mgrid[:CELL_PIXELS, :CELL_PIXELS].astype(np.float32)
    shown = cv2.remap(cell, xs + by[0], ys + by[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, np.uint8)


def augment(rng: np.random.Generator, cell: Gray, strength: float) -> Gray:
    """A changed copy of a cell."""
    size = CELL_PIXELS
    scale = np.exp(strength * rng.uniform(-0.17, 0.15, 2))
    scale = 0.7 * scale.mean() + 0.3 * scale
    angle, shear = strength * rng.normal(0, 0.05), strength * rng.normal(0, 0.06)
    linear = np.diag(scale) @ np.array([[np.cos(angle), -np.sin(angle) + shear], [np.sin(angle), np.cos(angle)]])
    shift = strength * rng.uniform(-0.1, 0.1, 2) * size / (1 + 2 * CELL_MARGIN)
    matrix = np.column_stack([linear, size / 2 + shift - linear @ [size / 2, size / 2]])
    moved = cv2.warpAffine(cell, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if strength >= BENT_FROM and rng.random() < 0.5:
        moved = bent(rng, np.asarray(moved, np.uint8))
    if rng.random() < 0.2 * strength:
        low = int(rng.integers(20, 40))
        moved = cv2.resize(cv2.resize(moved, (low, low), interpolation=cv2.INTER_AREA), (size, size))
    if rng.random() < 0.35 * strength:
        moved = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < 0.5:
        return np.asarray(moved, np.uint8)
    level = moved.astype(np.float32)
    middle = level.mean()
    level = (level - middle) * rng.uniform(0.5, 1.3) + middle * rng.uniform(0.7, 1.2)
    level += rng.normal(0, rng.exponential(2.5), level.shape)
    return np.clip(level, 0, 255).astype(np.uint8)
