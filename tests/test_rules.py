"""The rules of the forms, judged on numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.forms.layout import Rule
from firmware.forms.loader import shipped_layouts
from firmware.messages import LANGUAGES, sentence
from firmware.records import Check, Doubt, PageRefusal
from firmware.tally import rules
from firmware.tally.wording import describe
from tests.readings import FORM, RULES

VALUES = {"voters": 153, "ballots": 157, "one": 20, "two": 128, "valid": 148, "invalid": 5, "total": 153}


def judged(rule: Rule, **values: int | None) -> bool | None:
    return rules.judge(rule, values, {"voters": 306}).ok


@pytest.mark.parametrize(
    ("kind", "extra", "left", "right", "ok"),
    [
        ("sum", {}, 10, 10, True),
        ("sum", {}, 10, 11, False),
        ("sum", {"tolerance": 1}, 10, 11, True),
        ("at-most", {}, 11, 11, True),
        ("at-most", {}, 12, 11, False),
        ("share", {"factor": 0.25}, 24, 100, True),
        ("share", {"factor": 0.25}, 25, 100, False),
        ("share", {"factor": 0.25}, 0, 0, True),
        ("reserve", {"factor": 0.02}, 357, 350, True),
        ("reserve", {"factor": 0.02}, 358, 350, False),
        ("reserve", {"factor": 0.02, "tolerance": 2}, 359, 350, True),
        ("reserve", {"factor": 0.025}, 308, 300, True),
        ("range", {"factor": 1.05, "factor_low": 0.2}, 20, 100, True),
        ("range", {"factor": 1.05, "factor_low": 0.2}, 106, 100, False),
        ("range", {"factor": 1.05, "factor_low": 0.2}, 19, 100, False),
    ],
)
def test_two_numbers_do_not_fit(kind: str, extra: dict[str, float], left: int, right: int, ok: bool) -> None:
    rule = Rule("T", kind, ("a",), ("b",), **extra)  # type: ignore[arg-type]
    assert judged(rule, a=left, b=right) is ok
    assert judged(rule, a=None, b=right) is None
    assert judged(rule, a=left) is None


def test_all_the_same_but_one() -> None:
    rule = Rule("P2", "equal", ("a", "b", "c"))
    assert judged(rule, a=5, b=5, c=5) is True
    assert judged(rule, a=5, b=5, c=6) is False
    assert judged(rule, a=5, b=5, c=None) is None


def test_a_cap_names_only_the_fields_above_it() -> None:
    rule = Rule("L1", "cap", ("a", "b"), limit="voters")
    found = rules.judge(rule, {"a": 10, "b": 307}, {"voters": 306})
    assert (found.ok, found.fields, found.left, found.right) == (False, ("b",), 307, 306)
    assert rules.judge(rule, {"a": 10, "b": 306}, {"voters": 306}).ok is True
    assert rules.judge(rule, {"a": 10, "b": None}, {"voters": 306}).ok is None
    assert rules.judge(rule, {"a": None, "b": 400}, {"voters": 306}).ok is False
    assert rules.judge(rule, {"a": 10, "b": 20}, {}).ok is None


def test_the_election_definition_knows_a_lower_limit() -> None:
    by_id = {entry.rule: entry for entry in rules.check(VALUES, FORM, {"voters": 150})}
    assert by_id["L1"].fields == ("total", "voters")
    assert by_id["L1"].ok is False


def test_more_votes_than_a_form_can_hold() -> None:
    by_id = {entry.rule: entry for entry in rules.check({**VALUES, "one": 1000}, FORM)}
    assert (by_id["L4"].ok, by_id["L4"].fields) == (False, ("one",))


def test_more_users_than_registered_voters_is_no_error() -> None:
    """Movers and e-KTP voters are outside A: no rule of any form may say B4.J <= A.J."""
    for layout in shipped_layouts().values():
        values = dict.fromkeys(("pemilih_dpt_j",), 250) | dict.fromkeys(("pengguna_total_j",), 290)
        assert not [entry for entry in rules.check(values, layout) if entry.ok is False and not entry.warning]


def test_the_form_is_of_another_polling_station() -> None:
    for layout in shipped_layouts().values():
        judged = {number: [c.ok for c in rules.check({"pemilih_dpt_j": number}, layout, {"dpt": 250}) if c.rule == "P7"]
                  for number in (250, 251, None)}  # fmt: skip
        assert judged == {250: [True], 251: [False], None: [None]}
        assert "P7" not in {c.rule for c in rules.check({"pemilih_dpt_j": 251}, layout)}


@given(st.dictionaries(st.sampled_from(list(FORM.fields)), st.none() | st.integers(0, 1500)))
def test_a_rule_rewrites_or_fails_without_naming_fields(values: dict[str, int | None]) -> None:
    before = dict(values)
    found = rules.check(values, FORM)
    assert values == before
    assert len(found) == len(RULES) + 1
    for entry in found:
        assert entry.fields
        assert entry.ok is None or entry.left is not None
        for language in LANGUAGES:
            assert describe(entry, FORM, values, language)


def test_the_sum_is_said_with_its_numbers() -> None:
    values = {**VALUES, "valid": 184}
    failed = next(entry for entry in rules.check(values, FORM) if entry.rule == "H5")
    assert describe(failed, FORM, values, "id") == "One (20) + Two (128) = 148; di formulir, Valid tertulis 184."
    assert "148" in describe(failed, FORM, values, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_or_doubt_has_no_sentence(language: str) -> None:
    for refusal in PageRefusal:
        assert sentence(f"page.{refusal}", language)
    for doubt in Doubt:
        assert sentence(f"doubt.{doubt}", language)


@pytest.mark.parametrize("kind", ["sum", "equal", "at-most", "share", "reserve", "range", "cap", "bubbles", "grammar",
                                  "missing", "twice", "together", "marks", "listed"])  # fmt: skip
def test_a_failed_rule_has_no_sentence(kind: str) -> None:
    failed = Check("T", False, ("one",), False, 1, 2, f"rule.{kind}")
    for language in LANGUAGES:
        assert len(describe(failed, FORM, VALUES, language)) > 10
