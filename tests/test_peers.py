"""The bench against other readers: figures, look-alikes and crops. The readers themselves are not needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware.records import CELL_PIXELS
from tests.peers.engine import Contrast, Crop
from tests.peers.lookalikes import label_of, learn
from tests.peers.report import Row, table
from tests.peers.scoring import Outcome, milliseconds, score

ROOT = Path(__file__).parent.parent


def _digits(count: int, *wrong_at: int) -> list[Outcome]:
    """Boxes with a 7, surest first, of which some are read as 1."""
    return [Outcome(f"7_{i}", "7", "1" if i in wrong_at else "7", 1 - i / 1000) for i in range(count)]


def test_a_wrong_answer_is_silent_only_where_the_reader_is_sure_enough() -> None:
    found = score(_digits(100, 92, 97))
    assert (found.answered, found.right, found.wrong) == (100, 98, ("7_92", "7_97"))
    assert found.silent == {"90%": 0, "95%": 1, "99%": 2}


def test_a_reader_that_answers_too_few_has_no_figure_at_that_coverage() -> None:
    silence = [Outcome(f"7_{i}", "7", None, 0.0) for i in range(92, 100)]
    found = score(_digits(92) + silence)
    assert (found.answered, found.right) == (92, 92)
    assert found.silent == {"90%": 0, "95%": None, "99%": None}


def test_answers_as_sure_as_the_last_one_count_with_it() -> None:
    flat = [Outcome(str(i), "7", "7" if i < 90 else "1", 50.0) for i in range(100)]
    assert score(flat).silent["90%"] == 10


def test_a_digit_read_from_a_cross_is_no_digit_box_that_went_wrong() -> None:
    others = [Outcome("x", "X", "4", 1.0), Outcome("y", "X", "X", 1.0), Outcome("z", "unclear", None, 0.0)]
    found = score(_digits(10) + others)
    assert (found.digits, found.wrong) == (10, ())
    assert (found.others, found.others_as_digit) == (3, 1)


def test_a_padding_mark_read_from_a_digit_is_wrong() -> None:
    assert score([Outcome("a", "7", "X", 1.0)]).wrong == ("a",)


def test_no_digit_box_is_a_refusal_and_no_perfect_score() -> None:
    with pytest.raises(ValueError, match="no box"):
        score([Outcome("x", "X", "X", 1.0)])


def test_a_look_alike_is_learned_from_what_it_mostly_stood_for() -> None:
    answers = (
        [("日", "8")] * 3 + [("日", "3")] + [("口", "0")] + [("田", "8"), ("田", "3")] * 2 + [("■", "unclear")] * 5
    )
    assert learn([*answers, ("", "1"), ("7", "1"), ("7", "1")]) == {"日": "8"}


def test_a_text_that_nobody_knows_is_no_answer() -> None:
    assert [label_of(text, {"日": "8"}) for text in ("日", "8", "X", "", "88", "口")] == [
        "8",
        "8",
        "X",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("margin", [0.0, 0.25])
@pytest.mark.parametrize("contrast", ["grey", "stretched", "black"])
def test_a_crop_keeps_the_ink_and_drops_the_border(contrast: Contrast, margin: float) -> None:
    cell = np.full((CELL_PIXELS, CELL_PIXELS), 180, np.uint8)
    cell[5:7] = cell[-7:-5] = cell[:, 5:7] = cell[:, -7:-5] = 60
    cell[14:34, 22:26] = 40
    picture = Crop(0.08, 64, margin, contrast)(cell)
    middle = picture.shape[0] // 2
    assert picture.shape == (64 * (1 + 2 * margin),) * 2
    assert picture[middle, middle] < 60
    assert min(picture[0].min(), picture[-1].min(), picture[:, 0].min(), picture[:, -1].min()) > 150


def test_a_reader_that_is_not_installed_has_a_reason_and_no_figure() -> None:
    ours = Row("c1kiosk", "1", score(_digits(100, 92)), 0.5)
    lines = table([ours, Row("Other", "", None, None, "no wheel")], 0.5).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| c1kiosk 1 | 100.0% | 99.00% | 1 (1.00%) | 0 | 1 | 1 | 0 of 0 | 0.50 | 1.0 |")
    assert "not installed: no wheel" in lines[3]
    assert not any(character.isdigit() for character in lines[3])


def test_one_slow_cell_does_not_change_the_time_of_a_cell() -> None:
    assert milliseconds([0.001, 0.001, 0.001, 5.0]) == 1.0


def test_missing_boxes_are_said_and_nothing_is_measured(tmp_path: Path) -> None:
    environment = os.environ | {"C1KIOSK_DATA": str(tmp_path)}
    command = [sys.executable, "-m", "tests.peers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "C1KIOSK_DATA" in done.stderr
