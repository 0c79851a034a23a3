"""Reading -> Tally: which numbers are read, and which a person is asked about. Pure.

A field is read when its joint posterior (joint.py: boxes, witnesses, sums) reaches the policy's threshold and nothing
speaks against it: a witness, blur, a failed rule, pages that do not belong together. Among numbers that the picture
leaves open, sums make the one it prefers certain, or propose another one to a person; a number that only the sums want
is never given. `Policy` holds every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firmware.forms.layout import Field, FormLayout
from firmware.records import Check, Doubt, FieldTally, Reading, Status, Tally
from firmware.tally import grammar, rules
from firmware.tally.belonging import foreign_pages
from firmware.tally.channels import FieldEvidence, checks, weigh
from firmware.tally.equations import equations
from firmware.tally.joint import Posterior, posteriors


@dataclass(frozen=True, slots=True)
class Policy:
    """What a reading must have to be given without asking."""

    confidence: float = 0.998
    """Posterior of the number. `c1kiosk read` and the station take the model's `accept_number`, chosen for one silent
    error in 10,000 fields on rendered forms that nothing else was chosen by; the measured curve stands beside it."""
    shown: float = 0.1
    """Probability that a number must have by the field's own boxes: below, no witness and no sum can make it."""
    claimed: float = 0.5
    """A number that is more probably wrong than right, by its picture and by all together, is no reading: it is not
    offered for a tap, and no rule is judged on it."""
    legible: float = 0.5
    """Probability by its own boxes that a field holds a number at all: empty and overwritten boxes are for a person,
    whatever bubbles and sums want."""
    sharpness: float = 0.25
    """Part of the sharpness of the page's own print; below it a stroke may be lost."""


DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Claim:
    """What one field is taken for after everything was looked at."""

    evidence: FieldEvidence
    value: int | None
    confidence: float
    """Posterior of `value`; 0 where no number is claimed."""
    labels: tuple[str, ...]
    """What spells `value`; without one, the most probable label of each box."""


def decide(
    reading: Reading, layout: FormLayout, limits: Mapping[str, int] | None = None, policy: Policy = DEFAULT_POLICY
) -> Tally:
    """What the machine makes of all fields of the form, and every rule judged on it.

    Fields of pages that were not given are there too, without a value and with Doubt.PAGES.
    """
    evidence = {name: weigh(entry) for name, entry in reading.fields.items()}
    known = posteriors({name: entry.posterior for name, entry in evidence.items()}, equations(layout.rules))
    claims = {name: _claim(entry, known[name], policy) for name, entry in evidence.items()}
    judged = rules.check({name: claim.value for name, claim in claims.items()}, layout, limits)
    missing = tuple(page.number for page in layout.pages if page.number not in reading.pages)
    foreign = foreign_pages(layout, evidence)
    alarmed = {name for entry in judged if entry.ok is False and not entry.warning for name in entry.fields}
    fields = {name: _absent(field) for name, field in layout.fields.items()}
    own: list[Check] = []
    for name, claim in claims.items():
        fields[name] = _settle(claim, _doubts(claim, policy, name in alarmed, bool(foreign)))
        own += checks(claim.evidence, claim.labels, claim.value)
    page_checks = _page_checks(layout, missing, foreign)
    return Tally(reading.form, reading.pages, missing, fields, (*judged, *own, *page_checks))


def _claim(entry: FieldEvidence, posterior: Posterior, policy: Policy) -> Claim:
    """The most probable of the numbers that the picture shows, when it is more probably right than wrong."""
    picture = entry.posterior.numbers
    shown = [number for number in posterior.numbers if entry.boxes.numbers[number] >= policy.shown]
    value = max(shown, key=lambda number: posterior.numbers[number], default=None)
    if value is not None and max(posterior.numbers[value], float(picture[value])) < policy.claimed:
        value = None
    labels = entry.labels if value is None else grammar.spelling(entry.reading.cells, value)
    confidence = 0.0 if value is None else posterior.numbers[value]
    return Claim(entry, value, confidence, labels)


def _doubts(claim: Claim, policy: Policy, alarmed: bool, foreign: bool) -> tuple[Doubt, ...]:
    """Every reason to ask."""
    found = [entry.doubt for entry in claim.evidence.witnesses if entry.against(claim.labels, claim.value)]
    if claim.value is None:
        found.append(grammar.doubt(claim.labels) or Doubt.UNSURE)
    elif claim.confidence < policy.confidence or _is_proposed(claim, policy):
        found.append(Doubt.UNSURE)
    reasons = (
        (Doubt.BLUR, claim.evidence.reading.sharpness < policy.sharpness),
        (Doubt.RULE, alarmed),
        (Doubt.PAGES, foreign),
    )
    return (*found, *(doubt for doubt, there in reasons if there))


def _is_proposed(claim: Claim, policy: Policy) -> bool:
    """Whether the number is more the sums' than the picture's: the runner-up of its boxes and witnesses, or one out of
    boxes that may hold none. It is proposed to a person; a writer who slipped at a doubtful box wrote the other one.
    """
    seen = claim.evidence
    return claim.value != int(seen.posterior.numbers.argmax()) or seen.boxes.numbers.sum() < policy.legible


def _settle(claim: Claim, doubts: tuple[Doubt, ...]) -> FieldTally:
    reading = claim.evidence.reading
    status = Status.REVIEW if doubts else Status.READ
    text = grammar.text(claim.labels)
    return FieldTally(reading.field, reading.page, claim.value, text, claim.confidence, status, doubts, reading.cells)


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
