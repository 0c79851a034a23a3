"""What is given as sure, and what a person is asked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.records import Check, Doubt, FieldReading, FieldTally, Reading, Status, Tally
from firmware.tally.decide import DEFAULT_POLICY, decide, doubt_all
from tests.readings import FORM, GOOD, cell, cells, field, reading


def tally(given: Reading) -> Tally:
    return decide(given, FORM, {})


def asked(found: Tally) -> set[str]:
    return {name for name, entry in found.fields.items() if entry.status is Status.REVIEW}


def failed(found: Tally) -> set[str]:
    return {entry.rule for entry in found.checks if entry.ok is False}


def test_a_clean_form_is_read_without_asking() -> None:
    found = tally(reading())
    assert asked(found) == failed(found) == set()
    assert found.fields["invalid"] == FieldTally(
        "invalid", 2, 5, "XX5", found.fields["invalid"].confidence, Status.READ, (), cells("XX5")
    )
    assert found.missing == ()


def test_one_box_is_not_certain() -> None:
    found = tally(reading(one=field("one", 2, "X20", 0.85), two=field("two", 2, "128", 0.85)))
    assert asked(found) == {"one", "two"}
    assert found.fields["one"].doubts == (Doubt.UNSURE,)
    assert found.fields["one"].value == 20


def test_a_guess_is_shown_as_a_number() -> None:
    found = tally(reading(one=field("one", 2, "X27", 0.7)))
    assert (found.fields["one"].value, found.fields["one"].text) == (None, "X27")
    assert found.fields["one"].doubts == (Doubt.UNSURE,)
    assert failed(found) == set()


def test_a_sum_that_holds_lifts_a_number_its_picture_leaves_open() -> None:
    wavering = field("one", 2, "X20", 0.9)
    found = tally(reading(one=wavering))
    assert asked(found) == set()
    alone = decide(reading({**GOOD, "two": "   "}, one=wavering), FORM, {})
    assert alone.fields["one"].doubts == (Doubt.UNSURE,)
    assert alone.fields["one"].confidence < found.fields["one"].confidence


def test_a_sum_wants_a_number_that_no_box_shows() -> None:
    """All boxes are certain, and 21 + 128 is not 148: the machine reports what is written, and asks."""
    found = tally(reading({**GOOD, "one": "X21"}))
    assert (found.fields["one"].value, found.fields["one"].text) == (21, "X21")
    assert found.fields["one"].doubts == (Doubt.RULE,)


def test_a_sum_wants_a_number_under_a_scribble() -> None:
    """The box is overwritten and could be a 2: the sum proposes 20, a person decides."""
    given = reading()
    scribble = (cell("X"), cell("unclear", 0.7, "2"), cell("0"))
    found = tally(Reading(given.form, given.pages, {**given.fields, "one": FieldReading("one", 2, scribble)}))
    assert (found.fields["one"].value, found.fields["one"].text) == (20, "X20")
    assert found.fields["one"].doubts == (Doubt.UNSURE,)


def test_two_doubtful_numbers_lift_one_another() -> None:
    """One writer's 1 looks like a 7 twice: 70 + 128 = 198 holds, but so would 10 + 128 = 138."""
    wavering = (cell("X"), cell("7", 0.65, "1"), cell("0"))
    total = (cell("1"), cell("9", 0.65, "3"), cell("8"))
    given = reading()
    kind = type(given.fields["one"])
    fields = {**given.fields, "one": kind("one", 2, wavering), "valid": kind("valid", 2, total)}
    found = tally(Reading(given.form, given.pages, fields))
    assert {"one", "valid"} <= asked(found)
    assert max(found.fields[name].confidence for name in ("one", "valid")) < DEFAULT_POLICY.confidence


def test_a_number_whose_bubbles_disagree_is_read_without_asking() -> None:
    found = tally(reading(two=field("two", 2, "128", bubbles="129")))
    assert asked(found) == {"two"}


def boxes_say(*second: tuple[str, float, str]) -> Tally:
    """The good form, with "one" as X, 2 and a doubtful last box."""
    given = reading()
    last = [cell(label, p, other) for label, p, other in second]
    entry = FieldReading("one", 2, (cell("X"), cell("2"), *last))
    return tally(Reading(given.form, given.pages, {**given.fields, "one": entry}))


def test_a_sum_confirms_what_a_box_rather_shows() -> None:
    found = boxes_say(("0", 0.55, "7"))
    assert (found.fields["one"].value, found.fields["one"].text) == (20, "X20")
    assert asked(found) == set()


def test_a_sum_makes_the_runner_up_of_a_box_a_reading() -> None:
    """The box says 7 or 0, and the sum holds with 0 alone: 20 is proposed, and a person decides."""
    found = boxes_say(("7", 0.55, "0"))
    assert (found.fields["one"].value, found.fields["one"].text) == (20, "X20")
    assert asked(found) == {"one"}
    assert found.fields["one"].doubts == (Doubt.UNSURE,)


def test_a_sum_overrules_a_box() -> None:
    found = boxes_say(("7", 0.95, "0"))
    assert found.fields["one"].value == 27
    assert {"one", "two", "valid"} <= asked(found)


def test_the_form_itself_has_a_wrong_sum() -> None:
    found = tally(reading({**GOOD, "one": "X21"}))
    assert failed(found) == {"H5"}
    assert asked(found) == {"one", "two", "valid"}
    assert found.fields["one"].value == 21


def test_a_warning_asks_about_the_ballots() -> None:
    found = tally(reading({**GOOD, "ballots": "200"}))
    assert failed(found) == {"P5"}
    assert asked(found) == set()


@pytest.mark.parametrize(
    ("entry", "doubt"),
    [
        (field("invalid", 2, "   "), Doubt.EMPTY),
        (field("invalid", 2, "5XX"), Doubt.GRAMMAR),
        (field("invalid", 2, "XX?"), Doubt.GRAMMAR),
        (field("invalid", 2, "XX5", bubbles="006"), Doubt.BUBBLES),
        (field("invalid", 2, "XX5", sharpness=0.05), Doubt.BLUR),
    ],
)
def test_something_speaks_against_one_field(entry: object, doubt: Doubt) -> None:
    found = tally(reading(invalid=entry))  # type: ignore[arg-type]
    assert asked(found) == {"invalid"}
    assert found.fields["invalid"].doubts == (doubt,)
    assert (found.fields["invalid"].value is None) == (doubt in (Doubt.EMPTY, Doubt.GRAMMAR))


@pytest.mark.parametrize(
    ("text", "p", "ok"), [("5XX", 0.99, False), ("5XX", 0.7, None), ("XX?", 0.99, None), ("   ", 0.99, None)]
)
def test_the_form_is_blamed_for_what_the_machine_cannot_read(text: str, p: float, ok: bool | None) -> None:
    found = tally(reading(invalid=field("invalid", 2, text, p)))
    assert [entry.ok for entry in found.checks if entry.rule == "H12" and entry.fields == ("invalid",)] == [ok]


def test_page_one_is_missing() -> None:
    found = tally(reading(pages=(2,)))
    assert found.missing == (1,)
    assert asked(found) == {"voters", "ballots"}
    assert found.fields["voters"] == FieldTally("voters", 1, None, "", 0.0, Status.REVIEW, (Doubt.PAGES,), ())
    missing = [entry for entry in found.checks if entry.rule == "I1" and entry.ok is False]
    assert [(entry.left, entry.fields) for entry in missing] == [(1, ("voters", "ballots"))]


def test_pages_of_two_polling_stations() -> None:
    found = tally(reading({**GOOD, "voters": "171", "ballots": "175"}))
    assert asked(found) == set(FORM.fields)
    assert all(Doubt.PAGES in entry.doubts for entry in found.fields.values())
    assert {"P1", "X6"} <= failed(found)


def test_a_sum_over_two_pages_is_wrong_by_a_little() -> None:
    """Somebody counted 153 votes and 155 voters: the numbers concerned are asked, not the whole form."""
    found = tally(reading({**GOOD, "voters": "155"}))
    assert asked(found) == {"voters", "total"}
    assert "X6" not in failed(found)


def test_an_unclear_box_hides_that_pages_are_strangers() -> None:
    unclear = (cell("1"), cell("7"), cell("unclear", 0.7))
    given = reading()
    fields = {**given.fields, "voters": type(given.fields["voters"])("voters", 1, unclear)}
    found = tally(Reading(given.form, given.pages, fields))
    assert all(Doubt.PAGES in entry.doubts for entry in found.fields.values())
    nothing = tally(reading({**GOOD, "voters": "   "}))
    assert asked(nothing) == {"voters"}


def test_a_doubtful_box_makes_two_pages_strangers() -> None:
    """The tie between the pages may hold in the second reading of a doubtful box."""
    voters = (cell("1"), cell("5"), cell("8", 0.95, "3"))
    given = reading()
    fields = {**given.fields, "voters": type(given.fields["voters"])("voters", 1, voters)}
    found = tally(Reading(given.form, given.pages, fields))
    assert asked(found) == {"voters", "total"}
    assert "X6" not in failed(found)


def test_everything_is_put_in_doubt_once() -> None:
    twice = Check("I1", False, ("one",), False, 2, 2, "rule.twice")
    found = doubt_all(doubt_all(tally(reading()), Doubt.PAGES), Doubt.PAGES, (twice,))
    assert asked(found) == set(FORM.fields)
    assert all(entry.doubts == (Doubt.PAGES,) for entry in found.fields.values())
    assert found.checks[-1] == twice


texts = st.text("0123456789X- ?", min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(FORM.fields, texts)), st.floats(0.3, 1.0))
def test_a_number_is_invented(shown: dict[str, str], p: float) -> None:
    """Whatever the boxes show: a value is spelled by them, and what is read is certain and breaks no rule."""
    found = tally(reading(shown, **{name: field(name, e.page, shown[name], p) for name, e in FORM.fields.items()}))
    broken = {n for c in found.checks if c.ok is False and not c.warning for n in c.fields}
    for name, entry in found.fields.items():
        assert entry.text == shown[name]
        assert entry.value is None or int(shown[name].translate({ord(c): "0" for c in "X- "})) == entry.value
        if entry.status is Status.READ:
            assert entry.value is not None
            assert entry.confidence >= DEFAULT_POLICY.confidence
            assert name not in broken
