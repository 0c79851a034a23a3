"""Finds boxes whose published label may be wrong, for a person to look at: `python -m models.train.label_check`.

Every box is read by a classifier that was fitted without its block of numbers (neighbours come from one sheet):
kernel ridge regression on the gradients of both views, a minute of one core. The list and the contact sheet decide
nothing: label_corrections.json is written by hand, only where the picture plainly shows another label.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.digit_model.normalise import batch
from firmware.records import LABELS, Gray
from models.train import data as datasets

FOLDS = 10
RIDGE = 0.02
"""Added to the kernel's diagonal: a wrong label is not learnt by heart."""

SUSPECT_BELOW = 0.25
"""A label is looked at when its own score leads the best other one by less than this (a sure one leads by 1)."""

DIRECTIONS = 8
PARTS = 8
"""Directions of strokes, and parts a side in which they are counted."""

TILE = 96
COLUMNS = 12


def fold_of(box: datasets.Box) -> int:
    """Blocks of nnn that stay together."""
    return (box.number - 1) * FOLDS // 600


def _strokes(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of each direction runs through each part of one view, shape (DIRECTIONS * PARTS * PARTS,)."""
    dx, dy = cv2.Sobel(view, cv2.CV_32F, 1, 0), cv2.Sobel(view, cv2.CV_32F, 0, 1)
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    planes = [np.maximum(np.cos(angle) * dx + np.sin(angle) * dy, 0) for angle in angles]
    shown = [cv2.resize(cv2.GaussianBlur(p, (0, 0), 2), (PARTS, PARTS), interpolation=cv2.INTER_AREA) for p in planes]
    flat = np.sqrt(np.ravel(shown))
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)


def gradients(boxes: list[datasets.Box]) -> NDArray[np.float32]:
    """Directions of the strokes in both views of every box, shape (n, features)."""
    views = batch([box.framed() for box in boxes])
    return np.stack([np.concatenate([_strokes(view) for view in pair]) for pair in views])


def scores(features: NDArray[np.float32], truth: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scores of every box (near 1 for its class, near 0 else), shape (n, len(LABELS)), from the other blocks."""
    distance = 2 * (2 - (features @ features.T).astype(np.float64))
    kernel = np.exp(-distance / np.median(distance) * 2)
    wanted = np.eye(len(LABELS))[truth]
    table = np.zeros_like(wanted)
    for fold in range(FOLDS):
        inside, others = folds == fold, folds != fold
        fitted = kernel[np.ix_(others, others)] + RIDGE * np.eye(int(others.sum()))
        table[inside] = kernel[np.ix_(inside, others)] @ np.linalg.solve(fitted, wanted[others])
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
    truth = np.array([LABELS.index(str(box.label)) for box in boxes])
    table = scores(gradients(boxes), truth, np.array([fold_of(box) for box in boxes]))
    others = table.copy()
    others[np.arange(len(boxes)), truth] = -np.inf
    lead = table[np.arange(len(boxes)), truth] - others.max(axis=1)
    tiles = []
    for index in np.argsort(lead):
        if lead[index] >= SUSPECT_BELOW:
            break
        box, guess = boxes[index], LABELS[int(others[index].argmax())]
        click.echo(f"{box.name} {box.label} {guess} {lead[index]:.3f}")
        tiles.append(tile(box, f"{box.label}>{guess[:3]} {lead[index]:.2f}"))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(sheet), np.vstack(rows))


if __name__ == "__main__":
    main()
