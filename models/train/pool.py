"""The training pool: synthetic cells written with all inks, drawn in parallel and kept for the whole training."""

from __future__ import annotations

import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.digit_model.framing import find_box, grey
from firmware.digit_model.normalise import normalise
from firmware.records import CELL_MARGIN, CELL_PIXELS, DIGITS, Gray
from models.train import data
from models.train.cells import AWKWARD_BOXED_SHARE, BOXED_SHARE, MIX, InkShelf, awkward_cell, random_cell
from models.train.ink import Ink, lifted, sharpened, skeletons

Pool = tuple[NDArray[np.uint8], NDArray[np.int64]]

Draw = Callable[[np.random.Generator], tuple[Gray, int]]
Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]

CHUNK = 500
"""Cells drawn from one seed: the pool is the same however many processes draw it."""

VALIDATION_MNIST = 4_000
"""Of MNIST's 10,000 test digits."""

REAL_INK = {"awkward": "train"}
"""Which boxes lend their ink, where the name does not say so."""

DRAWN_SHARE = 0.25
"""Share of strokes of our own beside public and real ink, see InkShelf.drawn."""

FOREIGN_MIX = dict.fromkeys("123456789", 1 / 9)
"""Labels of the foreign hands' cells: Semeion without its zeros."""

REAL_INK = {"awkward": "train"}
"""Which boxes lend their ink, where the name does not say so."""

DRAWN_SHARE = 0.25
"""Share of strokes of our own beside public and real ink, see InkShelf.drawn."""

MIXES = {"rare": dict.fromkeys(DIGITS, 0.1), "foreign": dict.fromkeys("123456789", 1 / 9)}
"""Labels of the small sources' cells; Semeion is used without its zeros."""

HANDS_ONLY = tuple(MIXES)
"""Pools of public digits alone, without strokes of our own and ink of real boxes."""

SEMEION_TRAINED = 1_195
"""Of its 1,593 digits; the hands of the others are unseen, for the calibration."""

REAL_INK = {"awkward": "train"}
"""Which boxes lend their ink, where the name does not say so."""

DRAWN_SHARE = 0.25
"""Share of strokes of our own beside public and real ink, see InkShelf.drawn."""

FOREIGN_MIX = dict.fromkeys("123456789", 1 / 9)
"""Labels of the foreign hands' cells: Semeion without its zeros."""

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


def public_hands(folder: Path, split: str, without: Collection[str] = ()) -> list[Digits]:
    """Public digits for one split: none for "awkward" cells; for "foreign" a source that nothing is trained on."""
    if split == "foreign":
        pictures, labels = data.semeion(folder)
        return [(pictures[labels != 0], labels[labels != 0])]  # many of its zeros are slashed
    if split == "validation":
        return [] if "mnist" in without else [_first(data.mnist(folder, "t10k"), VALIDATION_MNIST)]
    if split == "awkward":
        return []
    sources = (("mnist", data.mnist(folder, "train")), ("usps", data.usps(folder)))
    return [digits for name, digits in sources if name not in without]


def _first(digits: Digits, count: int) -> Digits:
    return digits[0][:count], digits[1][:count]


def shelf(folder: Path, boxes: Sequence[data.Box], split: str, without: Collection[str] = ()) -> InkShelf:
    """All ink for one split: public digits thinned and sharpened, real boxes thinned and lifted."""
    thinned: dict[str, list[Ink]] = defaultdict(list)
    sharp: dict[str, list[Ink]] = defaultdict(list)
    levels = np.random.default_rng(SHARPENING_SEED)
    for pictures, labels in public_hands(folder, split, without):
        for ink, label in zip(skeletons(pictures, INK_THRESHOLD), labels, strict=True):
            if ink is not None:
                thinned[str(label)].append(ink)
        for picture, label in zip(pictures[::2], labels[::2], strict=True):
            own = sharpened(picture, levels.uniform(0.5, 0.8))
            if own is not None:
                sharp[str(label)].append(own)
    lifts: dict[str, list[Ink]] = {}
    for name, interiors in _lift(box for box in boxes if box.split == REAL_INK.get(split, split)).items():
        lifts[name] = [ink for ink in map(lifted, interiors) if ink is not None]
        white = (np.clip(np.stack(interiors), 0, 1) * 255).astype(np.uint8)
        own_inks = [ink for ink in skeletons(white, INK_THRESHOLD) if ink is not None]
        repeat = max(1, len(thinned[name]) // (2 * len(own_inks))) if own_inks else 0
        thinned[name] = thinned[name] + own_inks * repeat
    return InkShelf(thinned, lifts, sharp, drawn=0.0 if split == "foreign" else DRAWN_SHARE)


def _chunk(seed: int, draw: Draw, chunk: int) -> Pool:
    rng = np.random.default_rng([seed, chunk])
    cells = [draw(rng) for _ in range(CHUNK)]
    return np.stack([cell for cell, _ in cells]), np.array([label for _, label in cells])


_work: Callable[[int], Pool]
"""What a drawing process does; it inherits the inks with it, which would take long to send for every chunk."""


def _inherit(work: Callable[[int], Pool]) -> None:
    global _work
    _work = work


def _do(chunk: int) -> Pool:
    return _work(chunk)


def draw_pool(draw: Draw, count: int, seed: int, processes: int) -> Pool:
    """`count` cells (a multiple of CHUNK), shape (count, CELL_PIXELS, CELL_PIXELS), and their label indices."""
    work = partial(_chunk, seed, draw)
    with multiprocessing.get_context("fork").Pool(processes, _inherit, (work,)) as workers:
        parts = workers.map(_do, range(count // CHUNK), chunksize=1)
    return np.concatenate([cells for cells, _ in parts]), np.concatenate([labels for _, labels in parts])


@dataclass(frozen=True)
class Drawing:
    """How pools are drawn in one run."""

    folder: Path
    boxes: Sequence[data.Box]
    without: Collection[str]
    """Sources left out: "mnist", "usps", or "touching" for the cells of 2019."""
    processes: int
    cache: Path | None
    """Folder in which pools are kept between runs."""

    def pool(self, split: str, count: int, seed: int) -> Pool:
        """Cells for one split of public_hands, from the cache where they are there."""
        name = "-".join([split, str(count), str(seed), *sorted(self.without)]) + ".npz"
        if self.cache and (self.cache / name).is_file():
            with np.load(self.cache / name) as kept:
                return kept["cells"], kept["labels"]
        inks = shelf(self.folder, [] if split == "foreign" else self.boxes, split, self.without)
        cells, labels = draw_pool(self.draw(split, inks), count, seed, self.processes)
        if self.cache:
            np.savez(self.cache / name, cells=cells, labels=labels)
        return cells, labels

    def draw(self, split: str, inks: InkShelf) -> partial[tuple[Gray, int]]:
        """How one cell of a split is drawn."""
        boxed_only = "touching" in self.without
        if split == "awkward":
            return partial(awkward_cell, shelf=inks, boxed_share=1.0 if boxed_only else AWKWARD_BOXED_SHARE)
        boxed_share = 1.0 if boxed_only else BOXED_SHARE
        return partial(random_cell, shelf=inks, boxed_share=boxed_share, mix=FOREIGN_MIX if split == "foreign" else MIX)
