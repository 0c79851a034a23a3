"""The consistency rules of a form, judged on values; pure. No rule blocks and none rewrites a value.

A rule whose values are not all known cannot be judged (`ok` is None). A failed rule names its fields; which of them
is wrong, arithmetic cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import ceil

from firmware.forms.layout import FormLayout, Rule
from firmware.records import Check
from firmware.tally.limits import MAX_VALUE, effective

OF_EVERY_FORM = ("L4", "P7")
"""Rules that no layout states: they follow from the boxes, and from the election definition."""
REGISTERED, LISTED = "pemilih_dpt_j", "dpt"
"""The registered voters: the field, under the same id on every form, and the limit that the definition gives."""

Values = Mapping[str, int | None]
Judgement = tuple[bool, int, int]
"""Whether the rule holds, and the two numbers that were compared."""

EXACT_KINDS = ("sum", "equal")
"""Kinds that a wrong reading breaks almost surely: what holds is evidence for its fields."""


def check(values: Values, layout: FormLayout, limits: Mapping[str, int] | None = None) -> tuple[Check, ...]:
    """Every rule of the form judged on `values`; a field that is absent or None is not known."""
    known = effective(layout, limits)
    of_form = tuple(judge(rule, values, known) for rule in layout.rules)
    return (*of_form, _within_maximum(values, layout), *_as_listed(values, layout, known))


def judge(rule: Rule, values: Values, limits: Mapping[str, int]) -> Check:
    """One rule. Kinds are those of `layout.Rule`; raises KeyError for any other."""
    if rule.kind == "cap":
        return _cap(rule, values, limits)
    left, right = _known(rule.left, values), _known(rule.right, values)
    if left is None or right is None:
        return _checked(rule, rule.left + rule.right, None, None, None)
    ok, compared, bound = _JUDGES[rule.kind](rule, left, right)
    return _checked(rule, rule.left + rule.right, ok, compared, bound)


def _known(fields: Sequence[str], values: Values) -> list[int] | None:
    found = [value for value in (values.get(entry) for entry in fields) if value is not None]
    return found if len(found) == len(fields) else None


def _checked(rule: Rule, fields: tuple[str, ...], ok: bool | None, left: int | None, right: int | None) -> Check:
    return Check(rule.id, ok, fields, rule.warning, left, right, f"rule.{rule.kind}")


def _sum(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    return abs(sum(left) - sum(right)) <= rule.tolerance, sum(left), sum(right)


def _equal(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    other = next((value for value in left if value != left[0]), left[0])
    return other == left[0], left[0], other


def _at_most(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    return sum(left) <= sum(right) + rule.tolerance, sum(left), sum(right)


def _share(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    return sum(left) == 0 or sum(left) < _exact(rule.factor) * sum(right), sum(left), sum(right)


def _reserve(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    expected = sum(right) + ceil(_exact(rule.factor) * sum(right))
    return abs(sum(left) - expected) <= rule.tolerance, sum(left), expected


def _range(rule: Rule, left: Sequence[int], right: Sequence[int]) -> Judgement:
    whole = sum(right)
    ok = _exact(rule.factor_low) * whole <= sum(left) <= _exact(rule.factor) * whole
    return ok, sum(left), whole


def _exact(factor: float) -> Fraction:
    """The factor as written in the layout: 0.02 of 350 is 7, not 7.000000000000001."""
    return Fraction(str(factor))


_JUDGES: Mapping[str, Callable[[Rule, Sequence[int], Sequence[int]], Judgement]] = {
    "sum": _sum,
    "equal": _equal,
    "at-most": _at_most,
    "share": _share,
    "reserve": _reserve,
    "range": _range,
}


def _cap(rule: Rule, values: Values, limits: Mapping[str, int]) -> Check:
    """Each field for itself: a failed cap names only the fields above it."""
    limit = limits.get(rule.limit)
    if limit is None:
        return _checked(rule, rule.left, None, None, None)
    return _above(rule.id, rule.left, values, limit, rule.warning, "rule.cap")


def _within_maximum(values: Values, layout: FormLayout) -> Check:
    """L4, which holds for every field of every form."""
    return _above("L4", tuple(layout.fields), values, MAX_VALUE, False, "rule.cap")


def _as_listed(values: Values, layout: FormLayout, limits: Mapping[str, int]) -> tuple[Check, ...]:
    """P7, where the election definition says how many voters this TPS has."""
    if LISTED not in limits or REGISTERED not in layout.fields:
        return ()
    written, listed = values.get(REGISTERED), limits[LISTED]
    ok = None if written is None else written == listed
    return (Check("P7", ok, (REGISTERED,), False, written, listed, "rule.listed"),)


def _above(name: str, fields: Sequence[str], values: Values, limit: int, warning: bool, message: str) -> Check:
    found = {entry: values.get(entry) for entry in fields}
    above = tuple(entry for entry, value in found.items() if value is not None and value > limit)
    known = [value for value in found.values() if value is not None]
    ok = False if above else (True if len(known) == len(fields) else None)
    return Check(name, ok, above or tuple(fields), warning, max(known, default=None), limit, message)
