"""Reproduces models/digits.onnx and its manifest: `python -m models.train --data ../shared/data`."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from firmware.digit_model import manifest
from firmware.digit_model.classifier import DigitModel
from firmware.records import LABELS
from models.train import calibrate, card, export, pool, resume
from models.train import data as datasets
from models.train.cvl import as_cells
from models.train.evaluation import Result, summary
from models.train.network import DigitNet
from models.train.pool import Pool
from models.train.training import BATCH, REAL_SHARE, prepare, train

POOL_CELLS = 150_000
VALIDATION_CELLS = 10_000
AWKWARD_SHARE = 0.12
"""Awkward cells for every cell of the training pool."""

FOREIGN_CELLS = 4_000
STEPS = 4_000
SEED = 1
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


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


def described(boxes: list[datasets.Box]) -> dict[str, Any]:
    """What the model was trained on, for the manifest."""
    counts = {
        split: sum(box.split == split and box.label is not None for box in boxes)
        for split in ("train", "validation", "test")
    }
    return {
        "real_2024_boxes": counts,
        "split": f"by number: train < {datasets.VALIDATION_FROM} <= validation < {datasets.TEST_FROM} <= test",
        "corrected_labels": len(datasets.read_corrections()),
        "sources": ["2024 boxes", "MNIST", "USPS", "drawn strokes"],
        "calibrated_on": ["2024 boxes, validation block", "synthetic cells", "Semeion without 0, as synthetic cells"],
    }


def measured_blocks(drawing: pool.Drawing, measure: Iterable[str]) -> Blocks:
    """The blocks for one run; `measure` names further cells as NAME=FILE.npz (arrays cells and labels)."""
    folder = drawing.folder
    synthetic = drawing.pool("validation", VALIDATION_CELLS, pool.VALIDATION_SEED)
    foreign = drawing.pool("foreign", FOREIGN_CELLS, pool.VALIDATION_SEED)
    others = {"cvl_measured_only": as_cells(*datasets.cvl(folder))}
    if "mnist" in drawing.without:
        others["mnist_t10k"] = as_cells(*datasets.mnist(folder, "t10k"))
    for entry in measure:
        name, _, file = entry.partition("=")
        with np.load(file) as arrays:
            others[name] = arrays["cells"], arrays["labels"]
    return Blocks(list(drawing.boxes), synthetic, foreign, others)


@click.command()
@click.option("--data", "folder", type=FOLDER, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(__file__).parent.parent)
@click.option("--steps", default=STEPS, show_default=True)
@click.option("--pool-cells", default=POOL_CELLS, show_default=True)
@click.option("--seed", default=SEED, show_default=True, help="Draws the pool and starts the network.")
@click.option("--start", type=FOLDER, help="Folder of a finished model to go on from, instead of random weights.")
@click.option("--without", type=click.Choice(["mnist", "usps", "touching"]), multiple=True, help="Leave a source out.")
@click.option("--measure", multiple=True, help="NAME=FILE.npz with cells and labels: measured, never learnt.")
@click.option("--cache", type=FOLDER, help="Folder in which drawn pools are kept between runs.")
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, help="For drawing.")
@click.option("--threads", default=os.cpu_count() or 1, show_default=True, help="For training.")
def main(
    folder: Path,
    out: Path,
    steps: int,
    pool_cells: int,
    seed: int,
    start: Path | None,
    without: tuple[str, ...],
    measure: tuple[str, ...],
    cache: Path | None,
    processes: int,
    threads: int,
) -> None:
    """Train, calibrate, export, measure; writes digits.onnx and digits.json into OUT."""
    torch.set_num_threads(threads)
    boxes = datasets.read_boxes(folder)
    drawing = pool.Drawing(folder, boxes, without, processes, cache)
    usual = drawing.pool("train", pool_cells, pool.TRAINING_SEED + seed)
    awkward = drawing.pool("awkward", int(AWKWARD_SHARE * pool_cells), pool.TRAINING_SEED + seed)
    cells = np.concatenate([usual[0], awkward[0]]), np.concatenate([usual[1], awkward[1]])
    real = prepare([box for box in boxes if box.split == "train"])
    unclear = (1 - REAL_SHARE) * float(np.mean(cells[1] == LABELS.index("unclear")))
    click.echo(f"{len(cells[0])} pool cells drawn, {steps} steps of {BATCH}")
    earlier = resume.network(start, cells[0]) if start else None
    if earlier:
        calibrate.move_unclear_prior(earlier, calibrate.UNCLEAR_IN_LIFE, unclear)
    net = train(real, cells, steps, seed, earlier)
    calibrate.move_unclear_prior(net, unclear, calibrate.UNCLEAR_IN_LIFE)
    run: dict[str, Any] = {"synthetic_cells": pool_cells, "steps": steps, "seed": seed, "without": list(without)}
    if start:
        before = manifest.load(start)[0]
        run["started_from"] = {"sha256": before.sha256, "steps": before.data["steps"]}
    finish(net, out, measured_blocks(drawing, measure), described(boxes) | run)


def finish(net: DigitNet, out: Path, blocks: Blocks, about: dict[str, Any]) -> None:
    """Calibrate a trained network, export it, measure the export and write it with its manifest."""
    validation, names = real_pool(blocks.boxes, "validation")
    about["temperature"] = round(calibrate.fit_temperature(net, (validation, blocks.synthetic, blocks.foreign)), 4)
    model, date = export.onnx_bytes(net), datetime.now(UTC).date().isoformat()
    with tempfile.TemporaryDirectory() as draft:
        export.write(Path(draft), model, 1.0, date, about, {})
        threshold = calibrate.choose_threshold(read_pool(DigitModel.load(Path(draft)), validation, names))
        export.write(Path(draft), model, threshold, date, about, {})
        measured = figures(blocks, threshold, Path(draft))
    out.mkdir(parents=True, exist_ok=True)
    export.write(out, model, threshold, date, about, measured)
    if (out / card.CARD).is_file():
        card.write(out)
    click.echo(f"test accuracy {measured['test_corrected_labels']['accuracy']}, accept_digit {threshold}")


if __name__ == "__main__":
    main()
