"""From a grey cell picture to the network's input. Training imports this file too: there is one implementation.

The network sees two views of a cell. In both, the paper becomes 0 and the darkest ink about 1, whatever the light was.

- the cell as it is, with its border and surroundings: where the ink stands, how large, what it crosses;
- the ink alone, enlarged to a common size: people write 2 as they write it, whether it fills the box or a third of it.

The paper's level is estimated locally (shadows, folds); what is much darker than the brightest paper of the cell stays
ink, however large it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray

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

FAINTEST_INK = 0.3
"""Normalised darkness that is brought to full contrast in the ink's own view: a pencil beside a black border. Printed
guides and watermarks are fainter and stay so."""

INK_LEVEL = 0.35
"""Normalised darkness from which a pixel counts as ink when the ink's extent is sought."""

INK_SIDE = 0.8
"""Part of the picture that the longer side of the enlarged ink fills."""

LEAST_INK_PIXELS = 12
"""Ink shorter than this is enlarged no further: a speck stays a speck."""

LEAST_PART_PIXELS = 3
"""Pixels of a connected part that counts; fewer are noise."""

BORDER_PIXELS = 3
"""Thickness of what may be left of a printed line at the edge of the inner part."""

_EDGE = round(CELL_PIXELS * (CELL_MARGIN + 0.04) / (1 + 2 * CELL_MARGIN))
_INNER = slice(_EDGE, CELL_PIXELS - _EDGE)
"""Inside the border, 4 % of the cell's side away from it."""


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


def ink_view(normalised: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ink inside the border of a normalised cell, enlarged to INK_SIDE of the picture; same shape, 0 where none.

    Faint ink is brought to full contrast: the border, which is darker, is not there to be compared with. Parts that lie
    along the border are taken for the printed line. An empty cell gives an empty view.
    """
    inner = np.zeros_like(normalised)
    ink = normalised[_INNER, _INNER]
    inner[_INNER, _INNER] = np.minimum(ink / min(max(_level(ink, 0.985), FAINTEST_INK), 1.0), INPUT_MAX)
    count, _, stats, _ = cv2.connectedComponentsWithStats((inner > INK_LEVEL).astype(np.uint8), connectivity=8)
    boxes = np.array([stats[index, :4] for index in range(1, count) if _is_ink(stats[index])])
    if not len(boxes):
        return np.zeros_like(normalised)
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    scale = INK_SIDE * CELL_PIXELS / max(int((high - low).max()), LEAST_INK_PIXELS)
    offset = CELL_PIXELS / 2 - scale * ((low + high) / 2 - 0.5)
    matrix = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    return np.asarray(cv2.warpAffine(inner, matrix, (CELL_PIXELS, CELL_PIXELS), flags=cv2.INTER_LINEAR), np.float32)


def _is_ink(part: NDArray[np.int32]) -> bool:
    """Whether a connected part (left, top, width, height, area) is more than a speck or a remainder of the border."""
    left, top, width, height, area = (int(value) for value in part)
    if area < LEAST_PART_PIXELS:
        return False
    near = min(left, top, CELL_PIXELS - left - width, CELL_PIXELS - top - height) <= _EDGE
    return not (near and min(width, height) <= BORDER_PIXELS)


def magnified(cell: Gray, factor: float) -> Gray:
    """The cell seen from a little nearer (`factor` above 1) or farther, with the same middle and the same size."""
    offset = (CELL_PIXELS - 1) / 2 * (1 - factor)
    matrix = np.array([[factor, 0.0, offset], [0.0, factor, offset]])
    size, edge = (CELL_PIXELS, CELL_PIXELS), cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(cell, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge), np.uint8)


def batch(cells: Sequence[Gray]) -> NDArray[np.float32]:
    """Cells as one network input, shape (n, 2, CELL_PIXELS, CELL_PIXELS): the cell, its ink enlarged."""
    if not cells:
        return np.zeros((0, 2, CELL_PIXELS, CELL_PIXELS), np.float32)
    wholes = [normalise(cell) for cell in cells]
    return np.stack([np.stack([whole, ink_view(whole)]) for whole in wholes])
