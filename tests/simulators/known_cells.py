"""The cells of firmware/selftest/known_answers.png: one of every label, in simulated hands, cut out by the kiosk.

    python -m tests.simulators.known_cells

They are taken from pages that the model was not trained on, clear ones: what the self-test wants to know is whether
this machine still computes what every machine computes.
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.loader import shipped_layouts
from firmware.reading import MODELS
from firmware.records import Gray, Page
from firmware.selftest.software import KNOWN_CELLS, KNOWN_LABELS
from tests.simulators.paper.sets import paper_set

FORM = "c.hasil-ppwp-2024"
SEEDS = range(20, 60)
ENOUGH = 3
"""Cells of a label to choose from."""
CLEAR = 0.75
"""The one of this rank in confidence is taken: not the clearest of all."""


def main() -> None:
    """Writes the strip."""
    model = DigitModel.load(MODELS)
    found: dict[str, list[tuple[float, Gray]]] = {label: [] for label in KNOWN_LABELS}
    for seed in SEEDS:
        _collect(seed, model, found)
        if min(map(len, found.values())) >= ENOUGH:
            break
    chosen = (sorted(cells, key=lambda cell: cell[0]) for cells in found.values())
    cv2.imwrite(str(KNOWN_CELLS), np.hstack([cells[int(len(cells) * CLEAR)][1] for cells in chosen]))


def _collect(seed: int, model: DigitModel, found: dict[str, list[tuple[float, Gray]]]) -> None:
    """Adds the cells of one TPS that are read as they were written."""
    made, layouts = paper_set(FORM, seed, "mild"), tuple(shipped_layouts().values())
    for data in made.pages.values():
        page = take_page(frame_from_bytes(data, "page"), layouts)
        for cell in page.cells if isinstance(page, Page) else ():
            written = made.texts[cell.field][cell.index]
            label = "blank" if written == " " else written
            (reading,) = model.read([cell.gray])
            if label in found and reading.label == label:
                found[label].append((reading.confidence, cell.gray))


if __name__ == "__main__":
    main()
