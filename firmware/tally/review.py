"""A person goes through the numbers: accept or correct every field, undo, and at the end a Confirmation.

The machine's reading is never written over: what was decided is a list beside it, in the order in which it was decided,
so that undo is taking the last one off. Nothing is settled by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from firmware.errors import Refused
from firmware.forms.layout import FormLayout
from firmware.records import Check, Confirmation, ConfirmedField, FieldTally, Page, Settled, Status, Tally
from firmware.tally import rules
from firmware.tally.limits import MAX_VALUE

ROLES = ("ketua", "anggota")
TPS_DIGITS = 13
"""Kemendagri 2/2/2/4 digits and three of the TPS."""


class ReviewRefused(Refused):
    """A decision that cannot be taken, or a confirmation that is not complete."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said about some fields in one step; None: nothing is written there."""

    values: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A review as it is kept on disk between two taps: no pictures."""

    tally: Tally
    decisions: tuple[Decision, ...]


class Review:
    """The review of one tally, from the first question to the confirmation."""

    def __init__(self, tally: Tally, decisions: Sequence[Decision] = ()) -> None:
        self.tally = tally
        self._decisions = list(decisions)

    # --- what a person does

    def accept(self, *fields: str) -> None:
        """The machine's numbers of these fields are what is written; one step. Refused where it read no number."""
        values = {name: self.machine(name).value for name in fields}
        unread = next((name for name, value in values.items() if value is None), None)
        if unread is not None:
            raise ReviewRefused("review-nothing-read", field=unread)
        self._decisions.append(Decision(values))

    def correct(self, field: str, value: int | None) -> None:
        """The person types what is written, 0..999, or None when nothing is written there."""
        self.machine(field)
        if value is not None and not 0 <= value <= MAX_VALUE:
            raise ReviewRefused("review-range", value=value, maximum=MAX_VALUE)
        self._decisions.append(Decision({field: value}))

    def undo(self) -> None:
        """Takes back the last step. Refused when there is none."""
        if not self._decisions:
            raise ReviewRefused("review-nothing-to-undo")
        self._decisions.pop()

    # --- what the screen shows

    def machine(self, field: str) -> FieldTally:
        """What the machine read; refused for a field that the form does not have."""
        try:
            return self.tally.fields[field]
        except KeyError:
            raise ReviewRefused("review-no-field", field=field) from None

    @property
    def order(self) -> tuple[str, ...]:
        """All fields: those that are asked first, then the others, each in form order."""
        return tuple(sorted(self.tally.fields, key=lambda name: self.machine(name).status is Status.READ))

    @property
    def open(self) -> tuple[str, ...]:
        """The fields nobody has settled yet, in `order`."""
        settled = self.settled
        return tuple(name for name in self.order if name not in settled)

    @property
    def settled(self) -> dict[str, ConfirmedField]:
        """The fields a person has settled; the last word counts."""
        final = {name: value for decision in self._decisions for name, value in decision.values.items()}
        return {name: _confirmed(self.machine(name), value) for name, value in final.items()}

    @property
    def values(self) -> dict[str, int | None]:
        """What stands now: the person's word, else the machine's reading."""
        settled = self.settled
        return {
            name: settled[name].value if name in settled else entry.value for name, entry in self.tally.fields.items()
        }

    def checks(self, layout: FormLayout, limits: Mapping[str, int] | None = None) -> tuple[Check, ...]:
        """Every rule judged on what stands now; what pictures said (bubbles, grammar, pages) stays beside it."""
        return rules.check(self.values, layout, limits) + _of_pictures(self.tally.checks, layout, self.settled)

    def confirmation(
        self, tps: str, role: str, pages: Sequence[Page], layout: FormLayout, limits: Mapping[str, int] | None = None
    ) -> Confirmation:
        """The only thing that can be sealed. Refused while a field is open or a page has no picture."""
        if self.open:
            raise ReviewRefused("review-open", count=len(self.open))
        if role not in ROLES:
            raise ReviewRefused("review-role", role=role)
        if len(tps) != TPS_DIGITS or not (tps.isascii() and tps.isdigit()):
            raise ReviewRefused("review-tps", tps=tps)
        if sorted(page.number for page in pages) != [page.number for page in layout.pages]:
            raise ReviewRefused("review-pages", pages=len(layout.pages))
        settled = self.settled
        fields = {name: settled[name] for name in self.tally.fields}
        checks = self.checks(layout, limits)
        return Confirmation(layout.id, layout.contest, tps, role, tuple(pages), fields, checks)

    # --- what survives a power cut

    def to_json(self) -> bytes:
        """The review as JSON, without pictures."""
        return msgspec.json.encode(Draft(self.tally, tuple(self._decisions)))

    @classmethod
    def from_json(cls, data: bytes) -> Review:
        """The review as it was; refused when the bytes are no draft."""
        try:
            draft = msgspec.json.decode(data, type=Draft)
        except msgspec.DecodeError as problem:
            raise ReviewRefused("review-draft", problem=str(problem)) from None
        return cls(draft.tally, draft.decisions)


def _confirmed(machine: FieldTally, value: int | None) -> ConfirmedField:
    if machine.value is None:
        settled = Settled.TYPED
    else:
        settled = Settled.CONFIRMED if value == machine.value else Settled.CORRECTED
    return ConfirmedField(machine.field, machine.page, value, settled, machine)


def _of_pictures(
    checks: Sequence[Check], layout: FormLayout, settled: Mapping[str, ConfirmedField]
) -> tuple[Check, ...]:
    """The checks that no rule of the form makes, in the light of what the person said."""
    of_rules = {rule.id for rule in layout.rules} | set(rules.OF_EVERY_FORM)
    return tuple(_again(entry, settled) for entry in checks if entry.rule not in of_rules)


def _again(entry: Check, settled: Mapping[str, ConfirmedField]) -> Check:
    """What the picture said, after a person spoke about the fields concerned.

    Bubbles (H11) and tally strokes (H10) are held against the person's number. What the machine could not spell (H12),
    and ties between pages (X6) over numbers that the machine had read wrong, are no longer judged.
    """
    said = [settled[name] for name in entry.fields if name in settled]
    if entry.rule in ("H10", "H11") and said and entry.right is not None:
        return replace(entry, left=said[0].value, ok=said[0].value == entry.right)
    mended = any(field.settled is not Settled.CONFIRMED for field in said)
    return replace(entry, ok=None) if mended and entry.rule in ("H12", "X6") else entry
