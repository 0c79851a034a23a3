"""Reading -> Tally: which numbers are read, and which a person is asked about. Pure.

A field is read when its boxes spell a number that is certain enough and nothing speaks against it: bubbles, blur,
a failed rule, pages that do not belong together. A sum that holds may lift a number that its own picture already
prefers; it never changes one. `Policy` holds every threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import Field, FormLayout
from firmware.records import Check, Doubt, FieldTally, Reading, Status, Tally
from firmware.tally import rules
from firmware.tally.belonging import Evidence, Tie, foreign_pages, ties
from firmware.tally.channels import FieldEvidence, weigh


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reading must have to be given without asking."""

    confidence: float = 0.99
    """Probability of the number. `c1kiosk read` and the station take the model's `accept_digit`, which was chosen for
    single cells of the validation block: a whole number, unless a sum supports it, asks that of every cell and more."""
    supported: float = 0.6
    """Probability below which a sum that holds changes nothing: the picture itself must prefer the number clearly."""
    holding: float = 0.8
    """Prior probability that a sum holds on paper: four of five forms keep all rules (348 TPS, FORMS.md)."""
    chance: float = 0.04
    """Probability that a sum fits although it does not hold or is misread. One in twenty of the rest would be 0.01; one
    writer's errors repeat themselves, so four times that."""
    sharpness: float = 0.25
    """Part of the sharpness of the page's own print; below it a stroke may be lost."""


DEFAULT_POLICY = Policy()


def decide(
    reading: Reading, layout: FormLayout, limits: Mapping[str, int] | None = None, policy: Policy = DEFAULT_POLICY
) -> Tally:
    """What the machine makes of all fields of the form, and every rule judged on it.

    Fields of pages that were not given are there too, without a value and with Doubt.PAGES.
    """
    evidence = {name: weigh(entry, policy.sharpness) for name, entry in reading.fields.items()}
    values = {name: entry.value for name, entry in evidence.items()}
    judged = rules.check(values, layout, limits)
    missing = tuple(page.number for page in layout.pages if page.number not in reading.pages)
    lifted = {name: _lifted(entry, layout, evidence, policy) for name, entry in evidence.items()}
    unsure = {name for name, entry in evidence.items() if entry.value is not None and lifted[name] < policy.confidence}
    foreign = foreign_pages(layout, evidence)
    doubts = _doubts(evidence, judged, unsure, bool(foreign))
    fields = {
        name: _settle(evidence[name], doubts[name], lifted[name]) if name in evidence else _absent(field)
        for name, field in layout.fields.items()
    }
    own = tuple(entry for name in fields if name in evidence for entry in evidence[name].checks)
    return Tally(reading.form, reading.pages, missing, fields, judged + own + _page_checks(layout, missing, foreign))


def _doubts(
    evidence: Mapping[str, FieldEvidence], judged: Iterable[Check], unsure: Collection[str], foreign: bool
) -> dict[str, tuple[Doubt, ...]]:
    """Every reason to ask, field by field."""
    alarmed = {name for entry in judged if entry.ok is False and not entry.warning for name in entry.fields}
    return {
        name: (
            *entry.doubts,
            *((Doubt.UNSURE,) if name in unsure else ()),
            *((Doubt.RULE,) if name in alarmed else ()),
            *((Doubt.PAGES,) if foreign else ()),
        )
        for name, entry in evidence.items()
    }


def _lifted(entry: FieldEvidence, layout: FormLayout, evidence: Evidence, policy: Policy) -> float:
    """The field's confidence, with the best supporting sum as evidence. Once, however many hold.

    Bayes, with P(v) what the picture says of v and S(v) what the sum's other fields, by their pictures, ask for:
    P(v) * (holding * S(v) + chance). Two doubtful fields hardly support each other: one writer's 1 that looks like a 7
    makes 748 + 5 = 753 hold, but 148 + 5 = 153 as well.
    """
    alone = entry.confidence
    if alone < policy.supported or entry.value is None:
        return alone
    best = alone
    for tie in ties(layout.rules):
        asked = _asked_for(tie, entry.field, evidence, policy)
        if asked is None:
            continue
        numbers = entry.posterior.numbers
        weights = np.full(numbers.size, policy.chance)
        size = min(numbers.size, asked.size)
        weights[:size] += policy.holding * asked[:size]
        supported = numbers * weights
        rest = (1.0 - float(numbers.sum())) * policy.chance
        best = max(best, float(supported[entry.value] / (supported.sum() + rest)))
    return best


def _asked_for(tie: Tie, field: str, evidence: Evidence, policy: Policy) -> NDArray[np.float64] | None:
    """What an equation's other fields ask this one to be: probability of 0, 1, 2, ...; None when one is doubtful."""
    mine, other = (tie[0], tie[1]) if field in tie[0] else (tie[1], tie[0])
    rest = [name for name in mine if name != field]
    others = [evidence.get(name) for name in (*rest, *other)]
    doubtful = any(o is None or o.doubts or o.confidence < policy.supported for o in others)
    if field not in mine or tie[2] or doubtful:
        return None
    total = reduce(np.convolve, [evidence[name].posterior.numbers for name in other])
    if not rest:
        return total
    less = reduce(np.convolve, [evidence[name].posterior.numbers for name in rest])
    return np.convolve(total, less[::-1])[less.size - 1 :]


def _settle(entry: FieldEvidence, doubts: tuple[Doubt, ...], confidence: float) -> FieldTally:
    status = Status.REVIEW if doubts else Status.READ
    return FieldTally(entry.field, entry.page, entry.value, entry.text, confidence, status, doubts, entry.cells)


def _absent(field: Field) -> FieldTally:
    """A field of a page that was not given: nothing was seen, so nothing is claimed."""
    return FieldTally(field.id, field.page, None, "", 0.0, Status.REVIEW, (Doubt.PAGES,), ())


def _page_checks(layout: FormLayout, missing: tuple[int, ...], foreign: tuple[int, ...]) -> tuple[Check, ...]:
    """I1: each page is there (`left` is its number). X6: one TPS on all pages; it can be refuted, never proven."""
    fields = {page.number: tuple(field.id for field in page.fields) for page in layout.pages}
    there = tuple(
        Check("I1", number not in missing, names, False, number, None, "rule.missing")
        for number, names in fields.items()
    )
    named = tuple(name for number in foreign for name in fields[number]) or tuple(layout.fields)
    return *there, Check("X6", False if foreign else None, named, False, None, None, "rule.together")


def doubt_all(tally: Tally, doubt: Doubt, extra: tuple[Check, ...] = ()) -> Tally:
    """The same tally with every field put to review for `doubt`: what contradicts itself gives nothing as sure."""
    fields = {
        name: entry if doubt in entry.doubts else replace(entry, status=Status.REVIEW, doubts=(*entry.doubts, doubt))
        for name, entry in tally.fields.items()
    }
    return replace(tally, fields=fields, checks=tally.checks + extra)
