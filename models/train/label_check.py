"""Finds boxes whose published label may be wrong, for a person to look at: `python -m models.train.label_check`.

Every box is read by a network that was trained without its block of numbers. The list and the contact sheet
decide nothing: label_corrections.json is written by hand, only where the picture plainly shows another label.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import LABELS, Gray
from models.train import data as datasets
from models.train import pool
from models.train.calibrate import logits_of, probabilities
from models.train.training import prepare, train

FOLDS = 3
POOL_CELLS = 30_000
STEPS = 900
SEED = 7
SUSPECT_BELOW = 0.5
"""A label is looked at when its own probability is below this."""

TILE = 96
COLUMNS = 12


def fold_of(box: datasets.Box) -> int:
    """Blocks of nnn that stay together."""
    return (box.number - 1) * FOLDS // 600


def doubts(boxes: list[datasets.Box], cells: pool.Pool) -> NDArray[np.float64]:
    """Probabilities of every box from the network that never saw its block."""
    table = np.zeros((len(boxes), len(LABELS)))
    for fold in range(FOLDS):
        inside = [index for index, box in enumerate(boxes) if fold_of(box) == fold]
        net = train(prepare([box for box in boxes if fold_of(box) != fold]), cells, STEPS, SEED + fold)
        table[inside] = probabilities(logits_of(net, np.stack([boxes[index].framed() for index in inside])))
    return table


def tile(box: datasets.Box, text: str) -> Gray:
    """One picture with its name and what was read."""
    canvas = np.full((TILE + 24, TILE), 255, np.uint8)
    scale = TILE / max(box.bgr.shape[:2])
    small = cv2.resize(
        cv2.cvtColor(box.bgr, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
    canvas[: small.shape[0], : small.shape[1]] = small
    cv2.putText(canvas, box.name[:5], (1, TILE + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.36, 0, 1, cv2.LINE_AA)
    cv2.putText(canvas, text, (1, TILE + 22), cv2.FONT_HERSHEY_SIMPLEX, 0.36, 0, 1, cv2.LINE_AA)
    return np.pad(canvas, 1, constant_values=128)


@click.command()
@click.option("--data", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--sheet", type=click.Path(path_type=Path), required=True, help="Contact sheet (PNG) to write.")
def main(folder: Path, sheet: Path) -> None:
    """Cross-validate and draw the boxes whose label is doubted, most doubted first."""
    boxes = [replace(box, label=box.published) for box in datasets.read_boxes(folder) if box.published is not None]
    inks = pool.shelf(folder, [], "train")
    cells = pool.draw_pool(inks, POOL_CELLS, pool.TRAINING_SEED, os.cpu_count() or 1)
    table = doubts(boxes, cells)
    own = table[np.arange(len(boxes)), [LABELS.index(str(box.label)) for box in boxes]]
    tiles = []
    for index in np.argsort(own):
        if own[index] >= SUSPECT_BELOW:
            break
        guess = int(table[index].argmax())
        click.echo(
            f"{boxes[index].name} {boxes[index].label} {own[index]:.4f} {LABELS[guess]} {table[index, guess]:.4f}"
        )
        tiles.append(tile(boxes[index], f"{boxes[index].label}>{LABELS[guess][:3]} {table[index, guess]:.2f}"))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(sheet), np.vstack(rows))


if __name__ == "__main__":
    main()
