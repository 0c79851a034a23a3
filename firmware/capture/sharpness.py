"""How well a cell can be seen, told by the print around it and never by what is written in it.

The border of a box is printed the same everywhere, so its edges tell blur from sharp under a light pencil, under a
thick pen and in a blank cell; its contrast tells glare; the paper beside it tells shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray

BAND = 5
"""Pixels to each side of the border's predicted place in which it is looked for."""
PLACE = round(CELL_PIXELS * CELL_MARGIN / (1 + 2 * CELL_MARGIN))
"""Pixels from the edge of the picture to the border."""
PRINTED_PART = 0.7
"""Where along a side the border is judged: the places of this rank in contrast. Lines are broken, pens cross them."""
SHARP_GRADIENT = 0.45
"""Steepest grey step a pixel, as part of the border's contrast, of print that counts as sharp: an edge blurred by less
than a pixel of CELL_PIXELS."""
LEAST_CONTRAST = 24.0
"""Grey levels: a fainter border cannot be told from noise."""
SIDES_SEEN = 2
"""Sides of a box that may be fainter than what counts as its contrast: scans lose thin lines."""
ENOUGH_CONTRAST = 0.6
"""Part of the page's usual contrast of print from which a cell is not washed out."""
ENOUGH_LIGHT = 0.35
"""Part of the page's usual brightness of paper from which a cell does not lie in the dark."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Print:
    """The print around n cells, each side of a box by itself: top, bottom, left, right; arrays (n, 4)."""

    steepness: Floats
    """Steepest step a pixel across the border, as part of its contrast."""
    contrast: Floats
    """How much darker the border is than the paper, grey levels."""
    paper: Floats
    """Brightness of the paper beside it."""


def print_around(cells: Gray) -> Print:
    """What is printed around cells (n, CELL_PIXELS, CELL_PIXELS)."""
    far, inner = CELL_PIXELS - 1 - PLACE, slice(PLACE + BAND, CELL_PIXELS - PLACE - BAND)
    near, away = (slice(place - BAND, place + BAND + 1) for place in (PLACE, far))
    rows, columns = cells[:, :, inner].transpose(0, 2, 1), cells[:, inner, :]
    across = np.stack([rows[:, :, near], rows[:, :, away], columns[:, :, near], columns[:, :, away]], axis=1)
    grey = across.astype(np.float32)
    light = grey.max(axis=3)
    contrast = light - grey.min(axis=3)
    steps = np.abs(np.diff(grey, axis=3)).max(axis=3) / np.maximum(contrast, 1.0)
    steps[contrast < LEAST_CONTRAST] = 0.0
    rank = int(PRINTED_PART * (grey.shape[2] - 1))
    found = (np.partition(values, rank, axis=2)[:, :, rank] for values in (steps, contrast, light))
    return Print(*found)


def sharpness(around: Print) -> Floats:
    """0..1 for each cell: how steep the edges of its border are, in the worse of the two directions.

    A direction in which a scan has lost the border says nothing; a cell without any border has no sharpness.
    """
    ways = np.stack([around.steepness[:, :2].max(axis=1), around.steepness[:, 2:].max(axis=1)])
    worse = np.where(ways.min(axis=0) > 0, ways.min(axis=0), ways.max(axis=0))
    share: Floats = np.clip(worse / SHARP_GRADIENT, 0.0, 1.0)
    return share


def visibility(around: Print) -> Floats:
    """0..1 for each cell: its sharpness, less where glare washes its print out or a shadow hides its paper.

    The page itself says what is usual, so all cells of a page are judged together.
    """
    contrast = np.partition(around.contrast, SIDES_SEEN, axis=1)[:, SIDES_SEEN]
    paper = around.paper.min(axis=1)
    washed = contrast / (ENOUGH_CONTRAST * np.median(contrast) + 1e-6)
    dark = paper / (ENOUGH_LIGHT * np.median(paper) + 1e-6)
    share: Floats = sharpness(around) * np.clip(np.minimum(washed, dark), 0.0, 1.0)
    return share
