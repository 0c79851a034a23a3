"""A person goes through the numbers, changes their mind, and the power fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.records import Frame, Geometry, Page, Settled
from firmware.tally.decide import decide
from firmware.tally.review import Review, ReviewRefused
from tests.readings import FORM, GOOD, field, reading

TPS = "3171011001001"
UNREAD = decide(reading({**GOOD, "two": "1?8", "invalid": "   "}), FORM, {})
CLEAN = decide(reading(), FORM, {})


def page(number: int) -> Page:
    geometry = Geometry(np.eye(3), ("TL", "TR", "BL", "BR"), 0.1, 1.0)
    return Page(FORM.id, number, Frame(b"", "0" * 64, "test"), geometry, (), (), ())


PAGES = (page(1), page(2))


def settle_all(review: Review) -> None:
    review.accept(*[name for name in review.open if review.machine(name).value is not None])


def code(call: object) -> str:
    with pytest.raises(ReviewRefused) as caught:
        call()  # type: ignore[operator]
    return caught.value.code


def test_the_asked_fields_come_last() -> None:
    review = Review(UNREAD)
    assert review.open == ("two", "invalid", "voters", "ballots", "one", "valid", "total")


def test_a_field_is_forgotten() -> None:
    review = Review(CLEAN)
    review.accept(*[name for name in FORM.fields if name != "valid"])
    assert review.open == ("valid",)
    assert code(lambda: review.confirmation(TPS, "ketua", PAGES, FORM)) == "review-open"
    review.accept("valid")
    assert {e.settled for e in review.confirmation(TPS, "ketua", PAGES, FORM).fields.values()} == {Settled.CONFIRMED}


def test_the_machine_was_wrong() -> None:
    review = Review(CLEAN)
    review.correct("one", 21)
    settle_all(review)
    confirmed = review.confirmation(TPS, "anggota", PAGES, FORM)
    one = confirmed.fields["one"]
    assert (one.value, one.settled, one.machine.value) == (21, Settled.CORRECTED, 20)
    assert [c.rule for c in confirmed.checks if c.ok is False] == ["H5"]
    assert list(confirmed.fields) == list(FORM.fields)


def test_the_machine_read_nothing() -> None:
    review = Review(UNREAD)
    assert code(lambda: review.accept("two")) == "review-nothing-read"
    review.correct("two", 128)
    review.correct("invalid", None)
    assert review.settled["two"].settled is review.settled["invalid"].settled is Settled.TYPED
    assert review.values["two"] == 128
    assert review.values["invalid"] is None
    settle_all(review)
    confirmed = review.confirmation(TPS, "ketua", PAGES, FORM)
    assert confirmed.fields["invalid"].value is None
    assert {c.rule: c.ok for c in confirmed.checks}["H5"] is True
    assert {c.rule: c.ok for c in confirmed.checks}["H6"] is None
    assert not [c for c in confirmed.checks if c.ok is False]


def test_a_person_types_what_the_machine_read() -> None:
    review = Review(CLEAN)
    review.correct("one", 20)
    assert review.settled["one"].settled is Settled.CONFIRMED


def test_zero_is_a_number_and_nothing_is_not() -> None:
    review = Review(CLEAN)
    review.correct("one", 0)
    assert review.settled["one"].value == 0
    review.correct("one", None)
    assert review.settled["one"].value is None
    assert review.settled["one"].settled is Settled.CORRECTED


@pytest.mark.parametrize("value", [-1, 1000, 10**9])
def test_a_number_is_out_of_range(value: int) -> None:
    review = Review(CLEAN)
    assert code(lambda: review.correct("one", value)) == "review-range"
    assert "one" in review.open


def test_a_wrong_tap_is_taken_back() -> None:
    review = Review(CLEAN)
    review.accept("one")
    review.correct("one", 120)
    review.undo()
    assert review.settled["one"].value == 20
    review.undo()
    assert review.settled == {}
    assert code(review.undo) == "review-nothing-to-undo"


def test_a_whole_page_is_accepted_and_taken_back() -> None:
    review = Review(CLEAN)
    review.accept("one", "two", "valid")
    assert len(review.open) == 4
    review.undo()
    assert len(review.open) == 7


def test_a_field_of_another_form() -> None:
    assert code(lambda: Review(CLEAN).correct("suara_9", 1)) == "review-no-field"


@pytest.mark.parametrize(
    ("tps", "role", "pages", "refusal"),
    [
        ("317101100100", "ketua", PAGES, "review-tps"),
        ("31710110010०1", "ketua", PAGES, "review-tps"),
        (TPS, "saksi", PAGES, "review-role"),
        (TPS, "ketua", PAGES[:1], "review-pages"),
        (TPS, "ketua", (*PAGES, PAGES[0]), "review-pages"),
    ],
)
def test_something_else_is_confirmed(tps: str, role: str, pages: tuple[Page, ...], refusal: str) -> None:
    review = Review(CLEAN)
    settle_all(review)
    assert code(lambda: review.confirmation(tps, role, pages, FORM)) == refusal


def test_bubbles_are_held_against_the_persons_number() -> None:
    tally = decide(reading(one=field("one", 2, "X20", bubbles="026")), FORM, {})
    review = Review(tally)
    verdict = lambda: next(c.ok for c in review.checks(FORM) if c.rule == "H11")  # noqa: E731
    assert verdict() is False
    review.accept("one")
    assert verdict() is False
    review.correct("one", 26)
    assert verdict() is True


steps = st.lists(
    st.tuples(
        st.sampled_from(list(FORM.fields)),
        st.sampled_from(["accept", "correct", "undo"]),
        st.none() | st.integers(0, 999),
    ),
    max_size=20,
)


@given(steps)
def test_the_power_fails_during_review(taken: list[tuple[str, str, int | None]]) -> None:
    review = Review(UNREAD)
    for name, what, value in taken:
        try:
            if what == "correct":
                review.correct(name, value)
            elif what == "accept":
                review.accept(name)
            else:
                review.undo()
        except ReviewRefused:
            continue
    again = Review.from_json(review.to_json())
    assert again.tally == UNREAD
    assert again.settled == review.settled
    assert again.open == review.open
    for entry in again.settled.values():
        assert entry.machine == UNREAD.fields[entry.field]
        assert (entry.settled is Settled.TYPED) == (entry.machine.value is None)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"tally": 1, "decisions": []}'])
def test_the_draft_on_disk_is_broken(data: bytes) -> None:
    assert code(lambda: Review.from_json(data)) == "review-draft"


def test_the_machines_reading_is_overwritten() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLEAN.fields["one"].value = 3  # type: ignore[misc]
