"""What a finished model is worth: `python -m models.train.measure --data ../shared/data` measures the shipped one.

Everything is measured with the exported file and the code that reads cells on the kiosk, so that it has to be done
again when either changes. Writes the figures into the manifest and the card.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from firmware.digit_model import manifest as manifests
from firmware.digit_model.classifier import DigitModel
from firmware.records import LABELS
from models.train import card, pool
from models.train import data as datasets
from models.train.cvl import as_cells
from models.train.evaluation import Result, summary
from models.train.pool import Pool

VALIDATION_CELLS = 10_000
FOREIGN_CELLS = 4_000
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
MODELS = Path(__file__).parent.parent


def real_pool(boxes: list[datasets.Box], split: str, published: bool = False) -> tuple[Pool, tuple[str, ...]]:
    """Framed boxes of one split that have a label, with published or corrected labels, and their names."""
    labelled = [(box, box.published if published else box.label) for box in boxes if box.split == split]
    used = [(box, label) for box, label in labelled if label is not None]
    truth = np.array([LABELS.index(label) for _, label in used])
    return (np.stack([box.framed() for box, _ in used]), truth), tuple(box.name for box, _ in used)


def read_pool(model: DigitModel, cells: Pool, names: tuple[str, ...] = ()) -> Result:
    """What the finished model reads in cells."""
    readings = model.read(list(cells[0]))
    table = np.array([reading.probabilities for reading in readings])
    return Result(table, cells[1], names or tuple(str(index) for index in range(len(readings))))


@dataclass(frozen=True)
class Blocks:
    """What a trained network is calibrated and measured on. Training sees none of it."""

    boxes: list[datasets.Box]
    synthetic: Pool
    foreign: Pool
    """Synthetic cells in hands of a source that nothing is trained on."""
    others: dict[str, Pool]
    """Measured only, by name."""


def figures(blocks: Blocks, threshold: float, models: Path) -> dict[str, Any]:
    """Everything measured with the exported file itself."""
    model = DigitModel.load(models)
    table: dict[str, Any] = {}
    for name, split, published in (
        ("test_corrected_labels", "test", False),
        ("test_published_labels", "test", True),
        ("validation", "validation", False),
    ):
        cells, names = real_pool(blocks.boxes, split, published)
        table[name] = summary(read_pool(model, cells, names), threshold)
    drawn = {"synthetic_validation": blocks.synthetic, "foreign_hands": blocks.foreign} | blocks.others
    for name, cells in drawn.items():
        table[name] = summary(read_pool(model, cells), threshold)
        table[name].pop("errors")
    cells, _ = real_pool(blocks.boxes, "test")
    started = time.perf_counter()
    model.read(list(cells[0]))
    table["milliseconds_a_cell_one_thread"] = round((time.perf_counter() - started) / len(cells[0]) * 1e3, 3)
    return table


def measured_blocks(drawing: pool.Drawing, measure: Iterable[str]) -> Blocks:
    """The blocks for one run; `measure` names further cells as NAME=FILE.npz (arrays cells and labels)."""
    folder = drawing.folder
    synthetic = drawing.pool("validation", VALIDATION_CELLS, pool.VALIDATION_SEED)
    foreign = drawing.pool("foreign", FOREIGN_CELLS, pool.VALIDATION_SEED)
    others = {
        "cvl_measured_only": as_cells(*datasets.cvl(folder)),
        "mnist_t10k": as_cells(*datasets.mnist(folder, "t10k")),
    }
    for entry in measure:
        name, _, file = entry.partition("=")
        with np.load(file) as arrays:
            others[name] = arrays["cells"], arrays["labels"]
    return Blocks(list(drawing.boxes), synthetic, foreign, others)


@click.command()
@click.option("--data", "folder", type=FOLDER, required=True)
@click.option("--models", type=FOLDER, default=MODELS, help="Folder of the model, its manifest and its card.")
@click.option("--measure", multiple=True, help="NAME=FILE.npz with cells and labels: measured, never learnt.")
@click.option("--cache", type=FOLDER, help="Folder in which drawn pools are kept between runs.")
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, help="For drawing.")
def main(folder: Path, models: Path, measure: tuple[str, ...], cache: Path | None, processes: int) -> None:
    """Measure the model again; figures of sources that were left out stay as they are."""
    before = manifests.load(models)[0]
    drawing = pool.Drawing(folder, datasets.read_boxes(folder), before.data.get("without", ()), processes, cache)
    measured = figures(measured_blocks(drawing, measure), before.accept_digit, models)
    kept = {name: before.figures[name] for name in (card.LEFT_OUT,) if name in before.figures}
    card.write_manifest(models, msgspec.structs.replace(before, figures=measured | kept))
    card.write(models)


if __name__ == "__main__":
    main()
