"""Custody: the chain of hand-overs of one device, from the store to the polling station and back. Specification.

Each event (handover.py) names the event before it by hash, so that none can be left out, put in or exchanged between
two that are known. What the chain cannot show is that events are missing at its end: whoever reads it asks the last
receiver. `check_chain` takes the events in any order, twice counts once, and raises unless all of this holds:

    - every event opens: signatures, officers, in office at that time, not revoked         (codes of handover.py)
    - every event is of this device: serial and key of its label                           custody-device
    - the events are numbered from 1 without a gap                                         custody-gap
    - no number is there twice                                                             custody-fork
    - each names the one before it, the first names none                                   custody-previous
    - no event is before the last signature of the event before it                         custody-time
    - the first giver is a technician or the store, every next giver is of the role that took the device before, and
      who takes it is of a role that may follow (NEXT)                                     custody-roles

What is odd but may have a reason does not refuse the chain: it is a finding, shown and kept. Serious ones must be
explained before the device is used:

    seal-changed     another number than the one that was put on last                      serious
    seal-broken, seal-missing                                                              serious
    giver-unsigned   it was taken with a key, and is given on without: the next receiver
                     alone says so, who may just have taken it                             serious
    other-person     not the person who took it gives it on (a shift changed)
    one-signature    one of the two had no key; the event says why
    remark           something was written about its condition
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from firmware.errors import VerificationRefused
from firmware.signing.handover import MAX_EVENTS, Event, Party, open_event, role_of
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust, Role
from firmware.signing.schema import NO_RECORD

NO_EVENT = NO_RECORD
"""What `previous` holds in the first event."""

FIRST = frozenset({Role.TECHNICIAN, Role.WAREHOUSE})
"""Who begins a chain."""
NEXT = {
    Role.TECHNICIAN: frozenset({Role.TECHNICIAN, Role.WAREHOUSE, Role.PPK, Role.PPS, Role.KPPS}),
    Role.WAREHOUSE: frozenset({Role.TECHNICIAN, Role.WAREHOUSE, Role.PPK}),
    Role.PPK: frozenset({Role.TECHNICIAN, Role.WAREHOUSE, Role.PPK, Role.PPS}),
    Role.PPS: frozenset({Role.TECHNICIAN, Role.PPK, Role.PPS, Role.KPPS}),
    Role.KPPS: frozenset({Role.TECHNICIAN, Role.PPS}),
}
"""Who may take a device from whom: a step up or down, the next shift, or the technician of a spare."""


class Oddity(StrEnum):
    """What is odd about an event; sentence under `custody.<value>` in messages/."""

    SEAL_CHANGED = "seal-changed"
    SEAL_BROKEN = "seal-broken"
    SEAL_MISSING = "seal-missing"
    GIVER_UNSIGNED = "giver-unsigned"
    OTHER_PERSON = "other-person"
    ONE_SIGNATURE = "one-signature"
    REMARK = "remark"


SERIOUS = frozenset({Oddity.SEAL_CHANGED, Oddity.SEAL_BROKEN, Oddity.SEAL_MISSING, Oddity.GIVER_UNSIGNED})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something odd at one event."""

    number: int
    oddity: Oddity

    @property
    def serious(self) -> bool:
        """It must be explained before the device is used."""
        return self.oddity in SERIOUS


@dataclass(frozen=True, slots=True)
class Custody:
    """A chain that holds."""

    label: Label
    events: tuple[Event, ...]
    """In order; empty: nobody has handed the device over yet."""
    findings: tuple[Finding, ...]

    @property
    def holder(self) -> Party | None:
        """Who took it last."""
        return self.events[-1].said.receiver if self.events else None

    @property
    def seal(self) -> str | None:
        """The seal that should be on the case."""
        return self.events[-1].seal_after if self.events else None

    @property
    def head(self) -> bytes:
        """What the next event names as the one before it."""
        return self.events[-1].sha256 if self.events else NO_EVENT

    @property
    def serious(self) -> tuple[Finding, ...]:
        """The findings that must be explained."""
        return tuple(finding for finding in self.findings if finding.serious)


def check_chain(events: Iterable[bytes], trust: OfficerTrust, label: Label) -> Custody:
    """The custody of the device, as the module's text says; raises VerificationRefused."""
    return check_events([open_event(data, trust) for data in sorted(set(events))], label)


def check_events(opened: Sequence[Event], label: Label) -> Custody:
    """As `check_chain`, of events whose signatures hold."""
    ordered = sorted(opened, key=lambda event: event.said.number)
    for event in ordered:
        if event.label != label:
            raise VerificationRefused("custody-device", number=event.said.number, found=event.label.text)
    _check_numbers([event.said.number for event in ordered])
    previous: Event | None = None
    for event in ordered:
        _check_link(previous, event)
        previous = event
    return Custody(label, tuple(ordered), tuple(_findings(ordered)))


def _check_numbers(numbers: Sequence[int]) -> None:
    if len(numbers) > MAX_EVENTS:
        raise VerificationRefused("custody-fork", number=numbers[-1])
    for before, number in pairwise((0, *numbers)):
        if number == before:
            raise VerificationRefused("custody-fork", number=number)
        if number != before + 1:
            raise VerificationRefused("custody-gap", number=before + 1)


def _check_link(previous: Event | None, event: Event) -> None:
    said, giver, receiver = event.said, role_of(event.said.giver), role_of(event.said.receiver)
    if said.previous != (previous.sha256 if previous else NO_EVENT):
        raise VerificationRefused("custody-previous", number=said.number)
    if previous and said.unix < previous.taken:
        raise VerificationRefused("custody-time", number=said.number)
    may_give = {role_of(previous.said.receiver)} if previous else FIRST
    if giver not in may_give or receiver not in NEXT[giver]:
        raise VerificationRefused("custody-roles", number=said.number, giver=str(giver), receiver=str(receiver))


def _findings(events: Sequence[Event]) -> Iterable[Finding]:
    for before, event in pairwise((None, *events)):
        assert event is not None
        for oddity, there in _oddities(before, event):
            if there:
                yield Finding(event.said.number, oddity)


def _oddities(before: Event | None, event: Event) -> Iterable[tuple[Oddity, bool]]:
    said = event.said
    had_key = before is not None and before.said.receiver.kid is not None
    return (
        (Oddity.SEAL_CHANGED, before is not None and said.seal != before.seal_after),
        (Oddity.SEAL_BROKEN, said.seal_state == "broken"),
        (Oddity.SEAL_MISSING, said.seal_state == "missing"),
        (Oddity.GIVER_UNSIGNED, had_key and said.giver.kid is None),
        (Oddity.OTHER_PERSON, before is not None and said.giver != before.said.receiver),
        (Oddity.ONE_SIGNATURE, said.alone != ""),
        (Oddity.REMARK, said.condition != ""),
    )
