"""Bubbles in bad light, under an X, half filled, filled twice, and against the digits."""

from __future__ import annotations

import pytest

from firmware.records import Doubt
from firmware.tally.bubbles import Marking, number, read_bubbles, verdict
from firmware.tally.channels import weigh
from tests.readings import column, field


def marking(fill: dict[int, float], **light: float) -> tuple[Marking, int | None]:
    found = verdict(read_bubbles(column(fill, **light)))  # type: ignore[arg-type]
    return found.marking, found.digit


@pytest.mark.parametrize(("paper", "ink"), [(250, 10), (230, 90), (120, 30), (70, 25)])
def test_the_light_is_bad(paper: int, ink: int) -> None:
    assert marking({7: 1.0}, paper=paper, ink=ink) == (Marking.ONE, 7)
    assert marking({}, paper=paper, ink=ink) == (Marking.NONE, None)


def test_the_printed_digit_is_bold() -> None:
    assert marking({}, print_ink=0.35) == (Marking.NONE, None)
    assert marking({3: 1.0}, print_ink=0.35) == (Marking.ONE, 3)


def test_a_blob_spills_into_the_next_circle() -> None:
    assert marking({2: 1.0, 3: 0.4}) == (Marking.ONE, 2)


@pytest.mark.parametrize("fill", [{1: 1.0, 7: 1.0}, {4: 0.5}, {1: 0.8, 2: 0.6}, dict.fromkeys(range(10), 1.0)])
def test_circles_are_ticked_half_or_filled_twice(fill: dict[int, float]) -> None:
    assert marking(fill) == (Marking.OPEN, None)


def test_a_column_is_empty_in_the_middle_of_the_number() -> None:
    verdicts = [verdict(read_bubbles(column(fill))) for fill in ({1: 1.0}, {}, {3: 1.0})]
    assert number(verdicts) is None
    assert number(verdicts[:1] * 2) == 11
    assert number(verdicts[1:2] * 3) is None


@pytest.mark.parametrize(("digits", "bubbles"), [("X28", "028"), ("X28", " 28"), ("XXX", "000"), ("128", "128")])
def test_bubbles_agree_with_the_digits(digits: str, bubbles: str) -> None:
    alone, both = weigh(field("one", 1, digits, 0.95), 0.2), weigh(field("one", 1, digits, 0.95, bubbles), 0.2)
    assert both.value == alone.value
    assert both.confidence > alone.confidence + 0.09
    assert both.doubts == ()
    assert [entry.ok for entry in both.checks if entry.rule == "H11"] == [True]


@pytest.mark.parametrize(("digits", "bubbles"), [("117", "617"), ("X28", "128"), ("128", "028"), ("   ", "005")])
def test_bubbles_contradict_the_digits(digits: str, bubbles: str) -> None:
    """117 was published as 617: neither channel is preferred, a person is asked."""
    alone, both = weigh(field("one", 1, digits), 0.2), weigh(field("one", 1, digits, bubbles=bubbles), 0.2)
    assert both.value == alone.value
    assert Doubt.BUBBLES in both.doubts
    assert both.confidence <= alone.confidence
    assert [entry.ok for entry in both.checks if entry.rule == "H11"] == [False]


def test_nobody_filled_the_bubbles() -> None:
    both = weigh(field("one", 1, "128", bubbles="   "), 0.2)
    assert both.doubts == ()
    assert both.confidence == pytest.approx(weigh(field("one", 1, "128"), 0.2).confidence)
    assert [entry.ok for entry in both.checks if entry.rule == "H11"] == [None]


def test_bubbles_fill_in_for_an_unclear_box() -> None:
    """What the boxes do not show is never produced, however clear the bubbles are."""
    both = weigh(field("one", 1, "1?8", bubbles="128"), 0.2)
    assert both.value is None
    assert both.confidence == 0.0
