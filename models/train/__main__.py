"""Reproduces models/digits.onnx and its manifest: `python -m models.train --data ../shared/data`."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from firmware.digit_model import manifest
from firmware.digit_model.classifier import DigitModel
from firmware.records import LABELS
from models.train import calibrate, card, export, pool, resume
from models.train import data as datasets
from models.train.measure import FOLDER, MODELS, Blocks, figures, measured_blocks, read_pool, real_pool
from models.train.network import DigitNet
from models.train.training import BATCH, REAL_SHARE, prepare, train

POOL_CELLS = 100_000
AWKWARD_SHARE = 0.12
"""Awkward cells for every cell of the training pool."""

STEPS = 6_000
SEED = 1


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
        "calibrated_on": [
            "2024 boxes, validation block",
            "synthetic cells",
            "Semeion without 0, last quarter, as synthetic cells",
        ],
    }


@click.command()
@click.option("--data", "folder", type=FOLDER, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=MODELS)
@click.option("--steps", default=STEPS, show_default=True)
@click.option("--pool-cells", default=POOL_CELLS, show_default=True)
@click.option("--seed", default=SEED, show_default=True, help="Draws the pool and starts the network.")
@click.option("--start", type=FOLDER, help="Folder of a finished model to go on from, instead of random weights.")
@click.option("--back-to", type=FOLDER, help="Folder of an earlier model to draw the new weights back to.")
@click.option("--blend", default=0.5, show_default=True, help="How far to go from --back-to's weights to the new ones.")
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
    back_to: Path | None,
    blend: float,
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
    before = manifest.load(start) if start else None
    net = train(real, cells, steps, seed, _earlier(before[1], cells[0], unclear) if before else None)
    calibrate.move_unclear_prior(net, unclear, calibrate.UNCLEAR_IN_LIFE)
    run: dict[str, Any] = {"synthetic_cells": pool_cells, "steps": steps, "seed": seed, "without": list(without)}
    if before:
        run["started_from"] = _history(before[0])
    if back_to:
        earliest, weights = manifest.load(back_to)
        net = resume.network(resume.blended(weights, export.onnx_bytes(net), blend), cells[0])
        run["drawn_back"] = {"sha256": earliest.sha256, "share_of_the_way": blend}
    finish(net, out, measured_blocks(drawing, measure), described(boxes) | run)


def _earlier(model: bytes, cells: NDArray[np.uint8], unclear: float) -> DigitNet:
    """A finished model's network, as it was before its logits were moved to life's share of unclear cells."""
    net = resume.network(model, cells)
    calibrate.move_unclear_prior(net, calibrate.UNCLEAR_IN_LIFE, unclear)
    return net


def _history(model: manifest.Manifest) -> dict[str, Any]:
    """What names an earlier model, and those before it."""
    kept = ("steps", "sources", "started_from")
    return {"sha256": model.sha256} | {key: model.data[key] for key in kept if key in model.data}


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
