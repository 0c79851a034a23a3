"""A rule as a plain sentence with its numbers, for the screen, the receipt and the command line."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.forms.layout import FormLayout, Rule
from firmware.messages import DEFAULT_LANGUAGE, sentence
from firmware.records import Check
from firmware.tally.rules import Values

HOLDS = "rule.holds"
NOT_JUDGED = "rule.not-judged"


def describe(check: Check, layout: FormLayout, values: Values, language: str = DEFAULT_LANGUAGE) -> str:
    """What the rule says about `values`: that it holds, that it cannot be judged, or what does not fit."""
    if check.ok is None:
        return sentence(NOT_JUDGED, language)
    if check.ok:
        return sentence(HOLDS, language)
    rule = _rule_of(check, layout)
    left = rule.left if rule else check.fields
    return sentence(
        check.message,
        language,
        left=_number(check.left),
        right=_number(check.right),
        fields=_listed(check.fields, layout, values, language),
        terms=" + ".join(_terms(left, layout, values, language)),
        other=" + ".join(_name(name, layout, language) for name in (rule.right if rule else ())),
        percent=_percent(rule.factor if rule else 0.0),
        low=_percent(rule.factor_low if rule else 0.0),
        page=check.left,
    )


def _rule_of(check: Check, layout: FormLayout) -> Rule | None:
    """The rule behind a check: several rules share an id (H2 of every kind of voter)."""
    return next(
        (rule for rule in layout.rules if rule.id == check.rule and rule.left + rule.right == check.fields), None
    )


def _name(field: str, layout: FormLayout, language: str) -> str:
    return layout.fields[field].label[language]


def _terms(fields: Sequence[str], layout: FormLayout, values: Values, language: str) -> list[str]:
    """Each field as "Suara sah (189)"."""
    return [f"{_name(name, layout, language)} ({_number(values.get(name))})" for name in fields]


def _listed(fields: Sequence[str], layout: FormLayout, values: Values, language: str) -> str:
    return ", ".join(_terms(fields, layout, values, language))


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _percent(factor: float) -> str:
    return f"{factor * 100:g}"
