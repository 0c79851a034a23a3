"""Officers, a device and its hand-overs, for tests of custody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

from firmware.records import Mode
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import subject
from firmware.signing.custody import NO_EVENT, Custody, check_chain
from firmware.signing.handover import HandOver, Party, give, open_event, party_of, take
from firmware.signing.key_file import FileKey
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust, Role, officer_of
from provisioning.authority import issuing

MADE = datetime(2029, 1, 10, 8, tzinfo=UTC)
UNIX = int(MADE.timestamp())
HOUR = 3600
LABEL = Label("C1-0001", bytes.fromhex("00112233445566ff"))
ELECTION = "pemilu-2029"
WAY = (
    (Role.TECHNICIAN, Role.WAREHOUSE),
    (Role.WAREHOUSE, Role.PPK),
    (Role.PPK, Role.PPS),
    (Role.PPS, Role.KPPS),
)
"""From the office to the polling station."""
BACK = ((Role.KPPS, Role.PPS), (Role.PPS, Role.PPK), (Role.PPK, Role.WAREHOUSE))


def wish(key: ec.EllipticCurvePrivateKey) -> x509.CertificateSigningRequest:
    return x509.CertificateSigningRequestBuilder().subject_name(subject("x", "x")).sign(key, hashes.SHA256())


@dataclass
class People:
    """An election with one officer for each role, and more when asked."""

    root: issuing.Authority
    issuer: issuing.Authority
    officers: dict[str, FileKey] = field(default_factory=dict)

    @classmethod
    def make(cls) -> People:
        root = issuing.make_root("KPU", Mode.REAL, MADE)
        people = cls(root, issuing.make_authority(root, Purpose.ISSUING, ELECTION, MADE))
        for role in Role:
            people.officer(role)
        return people

    @property
    def trust(self) -> OfficerTrust:
        return OfficerTrust((self.issuer.certificate,), Mode.REAL, ELECTION)

    def officer(self, role: Role, name: str = "") -> FileKey:
        name = name or f"Petugas {role}"
        if name not in self.officers:
            key = ec.generate_private_key(ec.SECP256R1())
            made = issuing.issue_officer(self.issuer, wish(key), name, role, MADE)
            self.officers[name] = FileKey(key, made.public_bytes(Encoding.DER))
        return self.officers[name]

    def party(self, role: Role, name: str = "") -> Party:
        return party_of(officer_of(x509.load_der_x509_certificate(self.officer(role, name).certificate)))

    def said(self, chain: Sequence[bytes], giver: Role, receiver: Role, /, **changes: Any) -> HandOver:
        """What is seen at the next hand-over of a chain, an hour after the one before."""
        before = open_event(chain[-1], self.trust) if chain else None
        entry = HandOver(
            device=LABEL.serial,
            kid=LABEL.kid,
            number=len(chain) + 1,
            previous=before.sha256 if before else NO_EVENT,
            unix=before.taken + HOUR if before else UNIX,
            place=f"Kantor {giver}",
            at=(-6_914_744 + 1000 * len(chain), 107_609_810),
            seal=before.seal_after if before else "S-0001",
            seal_state="intact",
            resealed=None,
            condition="",
            giver=self.party(giver),
            receiver=self.party(receiver),
            alone="",
        )
        return replace(entry, **changes)

    def sign(self, said: HandOver, seconds_later: int = 60) -> bytes:
        """The event, by both parties that it names with a key."""
        keys = {officer_kid(key): key for key in self.officers.values()}
        signers = [keys[party.kid] for party in (said.giver, said.receiver) if party.kid]
        event = give(said, signers[0])
        return take(event, said.unix + seconds_later, signers[1]) if len(signers) > 1 else event

    def chain(self, *steps: tuple[Role, Role], **changes: Any) -> list[bytes]:
        """Events one after the other; `changes` are of the last."""
        events: list[bytes] = []
        for index, (giver, receiver) in enumerate(steps):
            last = changes if index == len(steps) - 1 else {}
            events.append(self.sign(self.said(events, giver, receiver, **last)))
        return events

    def check(self, events: Sequence[bytes], label: Label = LABEL) -> Custody:
        return check_chain(events, self.trust, label)


def officer_kid(key: FileKey) -> bytes:
    return officer_of(x509.load_der_x509_certificate(key.certificate)).kid


AFTER_ALL = UNIX + int(timedelta(days=400).total_seconds())
"""No officer's certificate is valid any more."""
