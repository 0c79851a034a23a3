"""The practice forms of provisioning/practice: written by the simulated hands, printed for people to train with.

    python -m tests.simulators.practice provisioning/practice

One TPS for each form of a day: a PNG for every page, black and white, to be printed on paper of any size, and
answers.csv with what stands on them. One sum is wrong on the paper. Every page says SIMULASI outside of
its corner marks.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from tests.simulators.paper.fill import MM_PER_INCH, fill_planned
from tests.simulators.paper.sets import legible, write

FORMS: Mapping[str, Mapping[str, int]] = {"c.hasil-ppwp-2024": {"surat_suara_sisa": 91}, "c.hasil-dpr-demo": {}}
"""The forms of the day, each with what is written wrong on it."""
SEED = 20290214
DPI = 90
"""Plano sheets (600 x 900 mm): enough for paper up to A2, and small in the repository."""
INK_BELOW = 200
"""Grey level below which a dot is printed."""
BANNER = "SIMULASI - LATIHAN - BUKAN FORMULIR PEMILU"
BANNER_MM = 5.0
"""Height of its letters."""


def main(folder: Path) -> None:
    """Writes the pages and the answers."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for form, spoil in FORMS.items() for row in _tps(folder, shipped_layouts()[form], spoil)]
    with (folder / "answers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["form", "page", "field", "value"])
        writer.writerows(rows)


def _tps(folder: Path, layout: FormLayout, spoil: Mapping[str, int]) -> list[tuple[str, int, str, int]]:
    person = legible(SEED)
    written = write(layout, SEED, "mild", spoil, person, faults=False)
    for page in layout.pages:
        paper = fill_planned(layout, page.number, written.plans, person, DPI, SEED)
        cv2.imwrite(str(folder / f"{layout.id}-page{page.number}.png"), _printed(paper), [cv2.IMWRITE_PNG_BILEVEL, 1])
    return [(layout.id, field.page, name, written.values[name]) for name, field in layout.fields.items()]


def _printed(paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Black and white, with the banner at the upper edge."""
    scale = DPI / MM_PER_INCH
    gray = np.asarray(cv2.cvtColor(paper, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    size = BANNER_MM * scale / 21.0  # the font's capitals are 21 pixels high at size 1
    origin = (int(30 * scale), int((BANNER_MM + 2.0) * scale))
    cv2.putText(gray, BANNER, origin, cv2.FONT_HERSHEY_SIMPLEX, size, 0, max(1, round(2 * size)), cv2.LINE_AA)
    return np.where(gray < INK_BELOW, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
