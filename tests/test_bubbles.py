"""Bubbles in bad light, under an X, half filled, filled twice, and against the digits."""

from __future__ import annotations

import pytest

from firmware.records import Doubt, FieldReading, FieldTally, Reading, Status
from firmware.tally.bubbles import Marking, likelihood, number, read_bubbles, verdict
from firmware.tally.channels import witnesses
from firmware.tally.decide import decide
from tests.readings import FORM, SURE, cell, cells, column, field, filled


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


@pytest.mark.parametrize("fill", [{4: 0.5}, {4: 0.4}, {4: 0.8, 5: 0.35}])
def test_a_circle_is_ticked_or_half_filled(fill: dict[int, float]) -> None:
    assert marking(fill) == (Marking.ONE, 4)


def test_a_tick_weighs_as_much_as_a_full_circle() -> None:
    tick, full = (likelihood([verdict(read_bubbles(column({7: part})))]) for part in (0.4, 1.0))
    assert 0.1 < tick[7] < full[7]


@pytest.mark.parametrize("fill", [{1: 1.0, 7: 1.0}, {1: 0.8, 2: 0.6}, dict.fromkeys(range(10), 1.0)])
def test_circles_are_filled_twice(fill: dict[int, float]) -> None:
    assert marking(fill) == (Marking.OPEN, None)


def test_a_column_is_empty_in_the_middle_of_the_number() -> None:
    verdicts = [verdict(read_bubbles(column(fill))) for fill in ({1: 1.0}, {}, {3: 1.0})]
    assert number(verdicts) is None
    assert number(verdicts[:1] * 2) == 11
    assert number(verdicts[1:2] * 3) is None


def told(digits: str, bubbles: str, p: float = SURE) -> FieldTally:
    """What the small form's invalid votes are taken for; nothing else of the form is there."""
    found = decide(Reading(FORM.id, (2,), {"invalid": field("invalid", 2, digits, p, bubbles)}), FORM, {})
    return found.fields["invalid"]


@pytest.mark.parametrize(("digits", "bubbles"), [("X28", "028"), ("X28", " 28"), ("XXX", "000"), ("128", "128")])
def test_bubbles_agree_with_the_digits(digits: str, bubbles: str) -> None:
    alone, both = told(digits, "", 0.95), told(digits, bubbles, 0.95)
    assert both.value == alone.value
    assert both.confidence > alone.confidence + 0.09
    assert Doubt.BUBBLES not in both.doubts
    (found,) = witnesses(field("one", 1, digits, bubbles=bubbles))
    assert found.rule == "H11"
    assert not found.against(list(digits), None)


@pytest.mark.parametrize(("digits", "bubbles"), [("117", "617"), ("X28", "128"), ("128", "028"), ("   ", "005")])
def test_bubbles_contradict_the_digits(digits: str, bubbles: str) -> None:
    """117 was published as 617: neither channel is preferred, a person is asked."""
    alone, both = told(digits, ""), told(digits, bubbles)
    assert both.value == alone.value
    assert Doubt.BUBBLES in both.doubts
    assert both.confidence <= alone.confidence


def test_nobody_filled_the_bubbles() -> None:
    both, alone = told("X28", "   "), told("X28", "")
    assert both.confidence == pytest.approx(alone.confidence)
    assert both.doubts == alone.doubts == ()


def test_bubbles_fill_in_for_an_unclear_box() -> None:
    """They are evidence, not a value: what the boxes do not show is asked."""
    found = told("1?8", "128")
    assert found.value is None
    assert Doubt.GRAMMAR in found.doubts


def test_bubbles_decide_between_two_readings_of_a_box() -> None:
    either = FieldReading("invalid", 2, (*cells("X2"), cell("7", 0.55, "1")), filled("021"))
    found = decide(Reading(FORM.id, (2,), {"invalid": either}), FORM, {}).fields["invalid"]
    assert (found.value, found.text) == (21, "X21")


def test_bubbles_are_filled_under_empty_boxes() -> None:
    """A faint shadow in empty boxes is no number, however clear the bubbles are."""
    shadows = tuple(cell("blank", p, digit) for p, digit in ((0.88, "0"), (0.58, "2"), (0.8, "0")))
    found = decide(
        Reading(FORM.id, (2,), {"invalid": FieldReading("invalid", 2, shadows, filled("020"))}), FORM, {}
    ).fields["invalid"]
    assert found.value is None
    assert found.status is Status.REVIEW
