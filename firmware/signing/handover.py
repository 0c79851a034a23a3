"""A hand-over: one officer gives a device to another, and both sign what they saw. Specification.

    HANDOVER    COSE_Sign1 by the giver: the payload `hand-over` of record.cddl, with the giver's certificate
    TAKEOVER    COSE_Sign1 by the receiver: the bytes of the HANDOVER, a time, and the receiver's certificate

The event is the TAKEOVER, the HANDOVER inside it. Both parties sign when both have a key. One signature is enough only
when the other party has none and the event says why ("alone"): then the event is a HANDOVER signed by the one who has
a key, giver or receiver. An event in which nobody has a key does not exist. `open_event` raises unless

    - whoever signs is an officer of this election, in office at the time of signing (officers.py), and is the party
      that the payload names: same key, name and role
    - a party that is named with a key has signed; "alone" is empty exactly when both have
    - the receiver's time is not before the giver's

An event is named by the SHA-256 of its bytes. It holds no word of whether the seal may look like that: custody.py says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from firmware.errors import VerificationRefused
from firmware.signing.cose import Envelope, MessageType, SigningKey, parse
from firmware.signing.label import Label
from firmware.signing.officers import Officer, OfficerTrust, Role, open_by_officer, sign_as_officer
from firmware.signing.schema import Hash, Printable, Strict, UnixTime, check

MAX_EVENTS = 999
"""Of one device: an election takes about a dozen."""
MAX_EVENT_BYTES = 16 * 1024
"""Two certificates, two signatures and a page of text; ours are about 3 kB."""

Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{0,280}\Z")]
"""What a person writes: two sentences."""
Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,80}\Z")]
SealNumber = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./-]{0,39}\Z")]
KeyId = Annotated[bytes, Meta(min_length=8, max_length=8)]
Latitude = Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
Longitude = Annotated[int, Meta(ge=-180_000_000, le=180_000_000)]


class Party(Strict, frozen=True):
    """Who gives or takes."""

    name: Words
    role: Literal["technician", "warehouse", "ppk", "pps", "kpps"]
    kid: KeyId | None
    """Of the officer's certificate; None: this person has none."""


class HandOver(Strict, frozen=True):
    """What both saw."""

    device: Printable
    """Serial."""
    kid: KeyId
    """Of the device's certificate, as on its label."""
    number: Annotated[int, Meta(ge=1, le=MAX_EVENTS)]
    """Counts the events of this device from 1."""
    previous: Hash
    """SHA-256 of the event before; zeros for the first."""
    unix: UnixTime
    place: Words
    at: tuple[Latitude, Longitude] | None
    """In millionths of a degree (WGS 84); None: not known."""
    seal: SealNumber
    """Number on the seal of the case, as it is seen now."""
    seal_state: Literal["intact", "broken", "missing"]
    resealed: SealNumber | None
    """Number of the seal that was put on now."""
    condition: Text
    """What is to be remarked; empty: nothing."""
    giver: Party
    receiver: Party
    alone: Text
    """Why one of them does not sign; empty: both do."""


class TakeOver(Strict, frozen=True):
    """The receiver's word."""

    handover: Annotated[bytes, Meta(max_length=MAX_EVENT_BYTES)]
    unix: UnixTime


for _kind in (HandOver, TakeOver):
    msgspec.json.Decoder(_kind)
    # Resolved now, by one thread (schema.py).


@dataclass(frozen=True, slots=True)
class Event:
    """A hand-over whose signatures hold."""

    said: HandOver
    signed_by: tuple[Officer, ...]
    """One or both parties."""
    taken: int
    """Unix time of the last signature."""
    sha256: bytes
    data: bytes

    @property
    def label(self) -> Label:
        """The device it is about."""
        return Label(self.said.device, self.said.kid)

    @property
    def seal_after(self) -> str:
        """The seal that is on the case from now on."""
        return self.said.resealed or self.said.seal


def party_of(officer: Officer) -> Party:
    """An officer as a party with a key."""
    return Party(officer.name, officer.role.value, officer.kid)


def give(said: HandOver, key: SigningKey) -> bytes:
    """The HANDOVER, signed by the giver, or by whom of the two has a key."""
    payload = msgspec.to_builtins(said, builtin_types=(bytes,))
    return sign_as_officer(payload, MessageType.HANDOVER, key)


def take(handover: bytes, unix: int, key: SigningKey) -> bytes:
    """The TAKEOVER: the receiver signs what the giver has signed."""
    return sign_as_officer({"handover": handover, "unix": unix}, MessageType.TAKEOVER, key)


def open_event(data: bytes, trust: OfficerTrust) -> Event:
    """The event in `data`; raises VerificationRefused (`custody-...`, `officer-...`, `certificate-...`, `cose-...`)."""
    envelope = parse(data, MAX_EVENT_BYTES)
    if envelope.type is not MessageType.TAKEOVER:
        giver, said = _open_handover(envelope, trust)
        return _event(data, said, (giver,), said.unix)
    receiver, payload = open_by_officer(envelope, MessageType.TAKEOVER, trust)
    taken = check(payload, TakeOver)
    giver, said = _open_handover(parse(taken.handover, MAX_EVENT_BYTES), trust)
    if taken.unix < said.unix:
        raise VerificationRefused("custody-time", number=said.number)
    return _event(data, said, (giver, receiver), taken.unix)


def open_offer(data: bytes, trust: OfficerTrust) -> tuple[Officer, HandOver]:
    """A HANDOVER by the giver that waits for its receiver; raises VerificationRefused."""
    return _open_handover(parse(data, MAX_EVENT_BYTES), trust)


def _open_handover(envelope: Envelope, trust: OfficerTrust) -> tuple[Officer, HandOver]:
    officer, payload = open_by_officer(envelope, MessageType.HANDOVER, trust)
    return officer, check(payload, HandOver)


def _event(data: bytes, said: HandOver, signed_by: tuple[Officer, ...], taken: int) -> Event:
    """Whoever is named with a key has signed, in the order giver, receiver, and nobody else has."""
    named = [party for party in (said.giver, said.receiver) if party.kid is not None]
    if [party_of(officer) for officer in signed_by] != named:
        raise VerificationRefused("custody-signers", number=said.number)
    if (len(named) == len((said.giver, said.receiver))) is not (said.alone == ""):
        raise VerificationRefused("custody-alone", number=said.number)
    return Event(said, signed_by, taken, hashlib.sha256(data).digest(), data)


def role_of(party: Party) -> Role:
    """The role of a party."""
    return Role(party.role)
