"""From a grey cell picture to the network's input. Training imports this file too: there is one implementation.

The paper becomes 0 and the darkest ink about 1, whatever the light was. The paper's level is estimated locally
(shadows, folds); what is much darker than the brightest paper of the cell stays ink, however large it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_PIXELS, Gray

PAPER_REACH = 25
"""Pixels: dark things narrower than this (strokes, lines) do not count as paper. About half a cell."""

PAPER_SMOOTH = 21
"""Pixels: width of the smoothing of the paper level; light changes slower than this."""

PAPER_FLOOR = 0.6
"""Part of the brightest paper (95th percentile) below which nothing counts as paper: a blot is not a shadow."""

PAPER_DARKEST = 32.0
"""Grey levels: paper is never darker than this, so a black picture is ink everywhere and not an empty cell."""

CONTRAST_FLOOR = 24.0
"""Grey levels: an empty cell's noise is not stretched to full contrast."""

INPUT_MAX = 1.5
"""Clip of the normalised picture: single dark specks carry no more information than that."""


def normalise(cell: Gray) -> NDArray[np.float32]:
    """One cell, shape (CELL_PIXELS, CELL_PIXELS) uint8, as float32 of the same shape: 0 = paper, about 1 = ink.

    Raises ValueError for any other shape or type: a caller's mistake.
    """
    if cell.shape != (CELL_PIXELS, CELL_PIXELS) or cell.dtype != np.uint8:
        raise ValueError(f"a cell is uint8 {CELL_PIXELS}x{CELL_PIXELS}, not {cell.dtype} {cell.shape}")
    kernel = np.ones((PAPER_REACH, PAPER_REACH), np.uint8)
    closed = cv2.morphologyEx(cell, cv2.MORPH_CLOSE, kernel).astype(np.float32)
    brightest = _level(cell, 0.95)
    paper = cv2.blur(np.maximum(closed, max(PAPER_FLOOR * brightest, PAPER_DARKEST)), (PAPER_SMOOTH, PAPER_SMOOTH))
    ink = np.asarray(paper - cell.astype(np.float32), np.float32)
    contrast = max(_level(ink, 0.98), CONTRAST_FLOOR)
    return np.asarray(np.clip(ink / contrast, 0.0, INPUT_MAX), np.float32)


def _level(picture: NDArray[Any], part: float) -> float:
    """The value that `part` of the pixels do not exceed (np.percentile takes five times as long)."""
    rank = int(part * (picture.size - 1))
    return float(np.partition(picture, rank, axis=None)[rank])


def batch(cells: Sequence[Gray]) -> NDArray[np.float32]:
    """Cells as one network input, shape (n, 1, CELL_PIXELS, CELL_PIXELS)."""
    if not cells:
        return np.zeros((0, 1, CELL_PIXELS, CELL_PIXELS), np.float32)
    return np.stack([normalise(cell) for cell in cells])[:, None]
