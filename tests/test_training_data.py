"""What goes wrong in the cells that the digit model learns from. No data set and no torch is needed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from firmware.records import CELL_PIXELS, DIGITS, LABELS
from models.train import label_check
from models.train.cells import FAINT, MIX, THICKEST, InkShelf, awkward_cell, fitting_pen, random_cell, write
from models.train.data import Box
from models.train.ink import ThinnedInk, skeletons, thin
from models.train.paper import CANVAS
from models.train.pool import CHUNK, Drawing, draw_pool
from models.train.strokes import CURVED, FOREIGN, foreign, glyph

SEED = 5_190


def test_pool_depends_on_how_many_processes_draw_it() -> None:
    one, three = (draw_pool(partial(random_cell, shelf=InkShelf()), 2 * CHUNK, SEED, processes) for processes in (1, 3))
    assert np.array_equal(one[0], three[0])
    assert np.array_equal(one[1], three[1])


def test_label_of_the_mix_is_never_drawn() -> None:
    assert sum(MIX.values()) == pytest.approx(1)
    rng = np.random.default_rng(SEED)
    drawn = {random_cell(rng, InkShelf())[1] for _ in range(400)}
    assert drawn == {LABELS.index(label) for label in MIX}


def test_small_digit_is_written_with_a_pen_that_makes_it_a_blot() -> None:
    rng = np.random.default_rng(SEED)
    small = np.array([[10.0, 0.0, 0.0], [0.0, 18.0, 0.0]])
    assert max(fitting_pen(rng, small, True) for _ in range(200)) <= THICKEST * 18
    large = np.array([[40.0, 0.0, 0.0], [0.0, 70.0, 0.0]])
    assert max(fitting_pen(rng, large, True) for _ in range(200)) > THICKEST * 18


@pytest.mark.parametrize("label", DIGITS)
def test_stroke_runs_far_out_of_its_square(label: str) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(20 * len(CURVED[label])):
        points = np.vstack(glyph(rng, label))
        assert points.min() > -0.6
        assert points.max() < 1.6


def test_foreign_sign_is_always_the_same() -> None:
    rng = np.random.default_rng(SEED)
    assert len({len(np.vstack(foreign(rng))) for _ in range(200)}) > 3
    assert len(FOREIGN) == 11


def test_thinning_in_portions_differs_from_thinning_at_once() -> None:
    rng = np.random.default_rng(SEED)
    blots = np.zeros((6, 28, 28), np.uint8)
    for blot in blots:
        left, top = rng.integers(4, 10, 2)
        blot[top : top + 14, left : left + 5] = 255
    together = [ink for ink in skeletons(blots, 110) if isinstance(ink, ThinnedInk)]
    alone = [ink for blot in blots for ink in skeletons(blot[None], 110) if isinstance(ink, ThinnedInk)]
    assert len(together) == len(alone) == 6
    assert all(np.array_equal(a.distance, b.distance) for a, b in zip(together, alone, strict=True))
    assert thin(np.zeros((1, 8, 8), bool)).sum() == 0


def test_wrong_label_is_not_doubted() -> None:
    rng = np.random.default_rng(SEED)
    kind = np.repeat([0, 1, 2], 40)
    truth = np.array([1, 7, 8])[kind]
    features = np.eye(3)[kind] + rng.normal(0, 0.1, (120, 3))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True) * np.sqrt(2)).astype(np.float32)
    published = truth.copy()
    published[5] = 8
    table = label_check.scores(features, published, np.arange(120) % label_check.FOLDS)
    doubted = np.flatnonzero(table.argmax(axis=1) != published)
    assert doubted.tolist() == [5]
    assert table[5].argmax() == 1


def test_neighbouring_boxes_are_in_different_folds() -> None:
    picture = np.zeros((CELL_PIXELS, CELL_PIXELS, 3), np.uint8)
    box = Box("1_001.jpg", 1, picture, "1", "1")
    folds = [label_check.fold_of(replace(box, number=number)) for number in range(1, 601)]
    assert sorted(set(folds)) == list(range(label_check.FOLDS))
    assert folds == sorted(folds)


def test_half_a_digit_counts_as_the_digit_or_as_blank() -> None:
    rng = np.random.default_rng(SEED)
    drawn = [awkward_cell(rng, InkShelf(), boxed_share=1.0) for _ in range(300)]
    labels = {LABELS[label] for _, label in drawn}
    assert "unclear" in labels
    assert "blank" not in labels
    assert labels & set(DIGITS)


def test_faint_pen_writes_dark() -> None:
    rng = np.random.default_rng(SEED)
    white = np.full((CANVAS, CANVAS), 200, np.float32)
    write(rng, white, InkShelf(), "8", True, faint=True)
    assert FAINT[0] * 200 - 1 <= white.min() < FAINT[1] * 200 + 1


def test_left_out_source_is_drawn_all_the_same(tmp_path: Path) -> None:
    drawing = Drawing(tmp_path, [], ("touching",), 1, None)
    for split in ("train", "awkward"):
        assert drawing.draw(split, InkShelf()).keywords["boxed_share"] == 1.0


def test_pool_is_taken_from_another_run(tmp_path: Path) -> None:
    kept = np.zeros((1, CELL_PIXELS, CELL_PIXELS), np.uint8), np.array([3])
    np.savez(tmp_path / "train-1-7-mnist.npz", cells=kept[0], labels=kept[1])
    assert Drawing(tmp_path, [], ("mnist",), 1, tmp_path).pool("train", 1, 7)[1].tolist() == [3]
    with pytest.raises(FileNotFoundError):
        Drawing(tmp_path, [], (), 1, tmp_path).pool("train", 1, 7)
