"""CVL digits on plain cells. Their terms are non-commercial: they are measured on and never trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS
from models.train.pool import Pool

DIGIT_SIDE = round(0.85 * CELL_PIXELS / (1 + 2 * CELL_MARGIN))
"""Pixels that a 28x28 picture with its own rim fills: the digit is then 0.65 of the cell."""

BORDER_GREY = 40


def as_cells(pictures: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Pool:
    """White-on-black digits, shape (n, 28, 28), as dark ink in a printed box."""
    low = round(CELL_PIXELS * CELL_MARGIN / (1 + 2 * CELL_MARGIN))
    start = (CELL_PIXELS - DIGIT_SIDE) // 2
    cells = np.full((len(pictures), CELL_PIXELS, CELL_PIXELS), 240, np.uint8)
    for cell, picture in zip(cells, pictures, strict=True):
        cv2.rectangle(cell, (low, low), (CELL_PIXELS - 1 - low, CELL_PIXELS - 1 - low), BORDER_GREY, 1)
        large = cv2.resize(picture, (DIGIT_SIDE, DIGIT_SIDE), interpolation=cv2.INTER_AREA)
        inside = cell[start : start + DIGIT_SIDE, start : start + DIGIT_SIDE]
        inside[:] = np.minimum(inside, 240 - (large.astype(np.float32) * 0.85).astype(np.uint8))
    return cells, labels.astype(np.int64)
