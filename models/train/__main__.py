"""Reproduces models/digits.onnx and its manifest: `python -m models.train --data ../shared/data`."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from firmware.digit_model.classifier import DigitModel
from firmware.records import LABELS
from models.train import calibrate, card, export, pool
from models.train import data as datasets
from models.train.cvl import as_cells
from models.train.evaluation import Result, summary
from models.train.pool import Pool
from models.train.training import BATCH, REAL_SHARE, prepare, train

POOL_CELLS = 100_000
VALIDATION_CELLS = 10_000
STEPS = 4_000
SEED = 1


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


def figures(folder: Path, boxes: list[datasets.Box], synthetic: Pool, threshold: float, models: Path) -> dict[str, Any]:
    """Everything measured with the exported file itself."""
    model = DigitModel.load(models)
    table: dict[str, Any] = {}
    for name, split, published in (
        ("test_corrected_labels", "test", False),
        ("test_published_labels", "test", True),
        ("validation", "validation", False),
    ):
        cells, names = real_pool(boxes, split, published)
        table[name] = summary(read_pool(model, cells, names), threshold)
    table["synthetic_validation"] = summary(read_pool(model, synthetic), threshold)
    table["cvl_measured_only"] = summary(read_pool(model, as_cells(*datasets.cvl(folder))), threshold)
    for name in ("synthetic_validation", "cvl_measured_only"):
        table[name].pop("errors")
    cells, _ = real_pool(boxes, "test")
    started = time.perf_counter()
    model.read(list(cells[0]))
    table["milliseconds_a_cell_one_thread"] = round((time.perf_counter() - started) / len(cells[0]) * 1e3, 3)
    return table


def described(boxes: list[datasets.Box], inks: pool.InkShelf, count: int) -> dict[str, Any]:
    """What the model was trained on, for the manifest."""
    counts = {
        split: sum(box.split == split and box.label is not None for box in boxes)
        for split in ("train", "validation", "test")
    }
    return {
        "real_2024_boxes": counts,
        "split": f"by number: train < {datasets.VALIDATION_FROM} <= validation < {datasets.TEST_FROM} <= test",
        "corrected_labels": len(datasets.read_corrections()),
        "synthetic_cells": count,
        "thinned_inks": {label: len(entries) for label, entries in sorted(inks.thinned.items())},
        "lifted_inks": {label: len(entries) for label, entries in sorted(inks.lifted.items())},
        "sharpened_inks": {label: len(entries) for label, entries in sorted(inks.sharpened.items())},
        "sources": ["2024 boxes", "MNIST", "USPS", "Semeion without 0", "drawn strokes"],
    }


@click.command()
@click.option("--data", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path(__file__).parent.parent)
@click.option("--steps", default=STEPS, show_default=True)
@click.option("--pool-cells", default=POOL_CELLS, show_default=True)
def main(folder: Path, out: Path, steps: int, pool_cells: int) -> None:
    """Train, calibrate, export, measure; writes digits.onnx and digits.json into OUT."""
    boxes, processes = datasets.read_boxes(folder), os.cpu_count() or 1
    inks = pool.shelf(folder, boxes, "train")
    cells = pool.draw_pool(inks, pool_cells, pool.TRAINING_SEED, processes)
    validation_inks = pool.shelf(folder, boxes, "validation")
    synthetic = pool.draw_pool(validation_inks, VALIDATION_CELLS, pool.VALIDATION_SEED, processes)
    click.echo(f"{len(cells[0])} pool cells drawn, {steps} steps of {BATCH}")
    net = train(prepare([box for box in boxes if box.split == "train"]), cells, steps, SEED)
    calibrate.set_unclear_prior(net, (1 - REAL_SHARE) * float(np.mean(cells[1] == LABELS.index("unclear"))))
    finish(net, folder, out, boxes, synthetic, described(boxes, inks, pool_cells) | {"steps": steps, "seed": SEED})


def finish(
    net: torch.nn.Module, folder: Path, out: Path, boxes: list[datasets.Box], synthetic: Pool, about: dict[str, Any]
) -> None:
    """Calibrate a trained network, export it, measure the export and write it with its manifest."""
    validation, names = real_pool(boxes, "validation")
    about["temperature"] = round(calibrate.fit_temperature(net, validation, synthetic), 4)
    model, date = export.onnx_bytes(net), datetime.now(UTC).date().isoformat()
    with tempfile.TemporaryDirectory() as draft:
        export.write(Path(draft), model, 1.0, date, about, {})
        threshold = calibrate.choose_threshold(read_pool(DigitModel.load(Path(draft)), validation, names))
        export.write(Path(draft), model, threshold, date, about, {})
        measured = figures(folder, boxes, synthetic, threshold, Path(draft))
    export.write(out, model, threshold, date, about, measured)
    if (out / card.CARD).is_file():
        card.write(out)
    click.echo(f"test accuracy {measured['test_corrected_labels']['accuracy']}, accept_digit {threshold}")


if __name__ == "__main__":
    main()
