"""What the bench asks of a reader, and how a framed cell is prepared for readers of text lines.

Every reader gets the same cells, already found and rectified by our framing (records.CELL_PIXELS, CELL_MARGIN). Readers
of text know no printed border, so a Crop takes it away and gives them the picture in the size and contrast that suits
them; which Crop that is was chosen by `python -m tests.peers.choose` on boxes with a number below 480.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray

Contrast = Literal["grey", "stretched", "black"]

DARKEST, PAPER = 2.0, 80.0
"""Percentiles of a cell's grey levels that become black and white when it is stretched: ink fills less than a fifth."""

LEAST_CONTRAST = 24.0
"""Grey levels: an empty cell's noise is not stretched to black."""

WHITE = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader said of one cell."""

    text: str
    """As the reader wrote it; empty when it saw nothing."""
    confidence: float
    """The reader's own, higher is surer; the scale is the reader's."""


class Engine(Protocol):
    """A loaded reader. Constructing one raises NotInstalled."""

    name: str
    version: str

    def read(self, cell: Gray) -> Answer:
        """Reads one framed cell, preparing it included."""


class NotInstalled(Exception):
    """A reader or its model is missing; the text is the reason that the table shows."""


@dataclass(frozen=True, slots=True)
class Crop:
    """From a framed cell to the picture that a reader of text lines is given."""

    inset: float
    """Part of the box's side that is cut away inside its border, on every side."""
    side: int
    """Pixels: what is left is enlarged to this square."""
    margin: float
    """Part of `side` that is added around as paper."""
    contrast: Contrast
    """As photographed, stretched to the full range, or black on white (Otsu)."""

    def __call__(self, cell: Gray) -> Gray:
        """The prepared picture, square, side * (1 + 2 * margin) pixels."""
        edge = round(CELL_PIXELS * (CELL_MARGIN + self.inset) / (1 + 2 * CELL_MARGIN))
        inner = cell[edge : CELL_PIXELS - edge, edge : CELL_PIXELS - edge]
        if self.contrast != "grey":
            inner = _stretched(inner)
        large = cv2.resize(inner, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        if self.contrast == "black":
            large = cv2.threshold(large, 0, WHITE, cv2.THRESH_OTSU)[1]
        paper = int(np.median(large)) if self.contrast == "grey" else WHITE
        added = round(self.margin * self.side)
        framed = cv2.copyMakeBorder(large, added, added, added, added, cv2.BORDER_CONSTANT, value=(paper,))
        return np.asarray(framed, np.uint8)


def _stretched(picture: Gray) -> Gray:
    low, high = np.percentile(picture, (DARKEST, PAPER))
    stretched = (picture.astype(np.float32) - low) / max(high - low, LEAST_CONTRAST) * WHITE
    return np.asarray(np.clip(stretched, 0, WHITE), np.uint8)
