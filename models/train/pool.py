"""The training pool: synthetic cells written with all inks, drawn in parallel and kept for the whole training."""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.digit_model.framing import find_box, grey
from firmware.digit_model.normalise import normalise
from firmware.records import CELL_MARGIN, CELL_PIXELS, DIGITS
from models.train import data
from models.train.cells import InkShelf, random_cell
from models.train.ink import Ink, lifted, sharpened, skeletons

Pool = tuple[NDArray[np.uint8], NDArray[np.int64]]

CHUNK = 500
"""Cells drawn from one seed: the pool is the same however many processes draw it."""

MNIST_USED = 40_000
"""Of 60,000: more MNIST does not help, the pictures must not drown the Indonesian hands."""

BORDER_CUT = 3
"""Pixels inside the border's centre line that are not lifted: they may be border."""

TRAINING_SEED = 2024
VALIDATION_SEED = 4202
INK_THRESHOLD = 110
SHARPENING_SEED = 77


def _lift(boxes: Iterable[data.Box]) -> dict[str, list[NDArray[np.float32]]]:
    """Normalised interiors of real boxes whose border was found, by label."""
    low = round(CELL_PIXELS * CELL_MARGIN / (1 + 2 * CELL_MARGIN)) + BORDER_CUT
    found: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for box in boxes:
        if box.label in (*DIGITS, "X") and find_box(grey(box.bgr)) is not None:
            found[str(box.label)].append(normalise(box.framed())[low:-low, low:-low])
    return found


def shelf(folder: Path, boxes: Sequence[data.Box], split: str) -> InkShelf:
    """All ink for one split: public digits thinned, real boxes thinned and lifted."""
    thinned: dict[str, list[Ink]] = defaultdict(list)
    sharp: dict[str, list[Ink]] = defaultdict(list)
    levels = np.random.default_rng(SHARPENING_SEED)
    if split == "train":
        public = [tuple(part[:MNIST_USED] for part in data.mnist(folder, "train")), data.usps(folder)]
        pictures, labels = data.semeion(folder)
        public.append((pictures[labels != 0], labels[labels != 0]))  # many of its zeros are slashed
    else:
        public = [tuple(part[:4000] for part in data.mnist(folder, "t10k"))]
    for pictures, labels in public:
        for ink, label in zip(skeletons(pictures, INK_THRESHOLD), labels, strict=True):
            if ink is not None:
                thinned[str(label)].append(ink)
        for picture, label in zip(pictures[::2], labels[::2], strict=True):
            own = sharpened(picture, levels.uniform(0.5, 0.8))
            if own is not None:
                sharp[str(label)].append(own)
    lifts: dict[str, list[Ink]] = {}
    for name, interiors in _lift(box for box in boxes if box.split == split).items():
        lifts[name] = [ink for ink in map(lifted, interiors) if ink is not None]
        white = (np.clip(np.stack(interiors), 0, 1) * 255).astype(np.uint8)
        own = [ink for ink in skeletons(white, INK_THRESHOLD) if ink is not None]
        repeat = max(1, len(thinned[name]) // (2 * len(own))) if own else 0
        thinned[name] = thinned[name] + own * repeat
    return InkShelf(thinned, lifts, sharp)


def _chunk(seed: int, inks: InkShelf, chunk: int) -> Pool:
    rng = np.random.default_rng([seed, chunk])
    cells = [random_cell(rng, inks) for _ in range(CHUNK)]
    return np.stack([cell for cell, _ in cells]), np.array([label for _, label in cells])


def draw_pool(inks: InkShelf, count: int, seed: int, processes: int) -> Pool:
    """`count` cells (a multiple of CHUNK), shape (count, CELL_PIXELS, CELL_PIXELS), and their label indices."""
    with multiprocessing.get_context("fork").Pool(processes) as workers:
        parts = workers.map(partial(_chunk, seed, inks), range(count // CHUNK), chunksize=4)
    return np.concatenate([cells for cells, _ in parts]), np.concatenate([labels for _, labels in parts])
