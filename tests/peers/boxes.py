"""The real 2024 boxes, framed once for every reader. They lie beside the repository and are never part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from firmware.records import Gray
from models.train.data import read_boxes

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("C1KIOSK_DATA", ROOT.parent / "shared" / "data"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One box with its corrected label."""

    name: str
    label: str
    picture: Gray


def cells(split: str) -> list[Cell]:
    """The labelled boxes of "train" (numbers below 420), "validation" (to 479) or "test" (the rest), by name."""
    boxes = read_boxes(DATA)
    return [Cell(box.name, box.label, box.framed()) for box in boxes if box.split == split and box.label is not None]
