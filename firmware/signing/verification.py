"""Verification by anyone: a record, a receipt, an acknowledgement, against a trust folder.

Every function returns what is proven or raises VerificationRefused with a code; there is no result that can be
ignored. Each claim that held is told to `report` as it is checked, so that a person sees how far a message came.
What is not proven here: that the numbers are those on the paper. The record names the pictures; people look at them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware.errors import LayoutRefused, VerificationRefused
from firmware.records import Mode
from firmware.signing import checkpoint
from firmware.signing.claims import Claim, Report, silent
from firmware.signing.cose import Envelope, MessageType, open_verified, parse, verified_bytes
from firmware.signing.election import MAX_BYTES as MAX_ELECTION_BYTES
from firmware.signing.handover import Event, open_event
from firmware.signing.keys import Device
from firmware.signing.officers import OfficerTrust
from firmware.signing.proof import Proof, parse_proof
from firmware.signing.schema import AcknowledgementEntry, RecordEntry, check, check_record
from firmware.signing.selftest_report import ReportEntry, check_report, counts
from firmware.signing.statement import Statement, read_statement, result_fields
from firmware.signing.trust import TrustRoots
from firmware.signing.validity import Sealed, check_time, inside_validity, utc

_MAX_ORIGIN = 80
"""Characters of a stranger's first line that are shown."""


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A record whose signature, shape and election hold."""

    sha256: bytes
    record: RecordEntry
    payload: Mapping[str, Any]
    device: Device
    kid: bytes

    @property
    def results(self) -> dict[str, int | None]:
        """The contest's result fields and their final values, in form order."""
        values = {entry.id: entry.value for entry in self.record.fields}
        return {name: values[name] for name in result_fields(values)}


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose signature, shape and contest hold."""

    statement: Statement
    results: Mapping[str, int | None]
    """By field id, in form order."""
    device: Device
    kid: bytes


@dataclass(frozen=True, slots=True)
class VerifiedAcknowledgement:
    """A collector's word that it holds a record."""

    record: bytes
    collector: str
    unix: int


@dataclass(frozen=True, slots=True)
class VerifiedElection:
    """The election definition of the trust folder."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """The head of a device's log, signed by the device."""

    kid: bytes
    size: int
    root: bytes
    serial: str


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A proof whose checkpoint holds; the proof itself is held against the message it is about (crosscheck.py)."""

    proof: Proof
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True, slots=True)
class VerifiedSelfTest:
    """What a device said of itself."""

    report: ReportEntry
    device: Device
    kid: bytes


Verified = (
    VerifiedRecord
    | VerifiedReceipt
    | VerifiedAcknowledgement
    | VerifiedElection
    | VerifiedCheckpoint
    | VerifiedProof
    | VerifiedSelfTest
    | Event
)


def verify_record(cose: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedRecord:
    """The record in `cose`; raises VerificationRefused."""
    envelope = parse(cose)
    device, payload = _open(envelope, MessageType.RECORD, trust, report)
    record = check_record(payload)
    report(Claim("record-shape", {"fields": len(record.fields), "pages": len(record.pages)}))
    _check_world(record.mode, device)
    _check_election(record, trust, report)
    _check_layout(record, trust, report)
    check_time(Sealed(record.time.unix, record.time.clock), device, envelope.kid, trust, report)
    report(Claim("record-chain", {"sequence": record.sequence, "size": record.log.size}))
    return VerifiedRecord(hashlib.sha256(cose).digest(), record, payload, device, envelope.kid)


def verify_receipt(cose: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedReceipt:
    """The receipt statement in `cose`; raises VerificationRefused."""
    envelope = parse(cose)
    device, payload = _open(envelope, MessageType.RECEIPT, trust, report)
    statement = read_statement(payload)
    _check_world(statement.mode, device)
    _check_polling_station(statement.tps, trust)
    check_time(Sealed(statement.unix), device, envelope.kid, trust, report)
    names = result_fields(trust.contest_layout(statement.contest).fields)
    if len(names) != len(statement.values):
        raise VerificationRefused("receipt-values", found=len(statement.values), expected=len(names))
    report(Claim("receipt-contest", {"contest": statement.contest, "tps": statement.tps, "fields": len(names)}))
    return VerifiedReceipt(statement, dict(zip(names, statement.values, strict=True)), device, envelope.kid)


def verify_acknowledgement(
    cose: bytes, trust: TrustRoots, record_sha256: bytes | None, report: Report = silent
) -> VerifiedAcknowledgement:
    """The acknowledgement in `cose`, of the record with this hash (None: of any); raises VerificationRefused."""
    envelope = parse(cose)
    collector = trust.collector(envelope.kid)
    payload = open_verified(envelope, MessageType.ACKNOWLEDGEMENT, collector.public_key)
    report(Claim("signature-collector", {"collector": collector.name}))
    entry = check(payload, AcknowledgementEntry)
    if entry.collector != collector.name:
        raise VerificationRefused("acknowledgement-collector", found=entry.collector, expected=collector.name)
    if record_sha256 is not None and entry.record != record_sha256:
        raise VerificationRefused("acknowledgement-other-record", record=entry.record.hex())
    if not inside_validity(entry.unix, collector.certificate):
        raise VerificationRefused("collector-validity", collector=collector.name, time=utc(entry.unix))
    report(Claim("acknowledgement", {"collector": entry.collector, "time": utc(entry.unix)}))
    return VerifiedAcknowledgement(entry.record, entry.collector, entry.unix)


def verify_election(cose: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedElection:
    """The signed definition in `cose`: that of the trust folder or an earlier edition; raises VerificationRefused."""
    if trust.authority is None:
        raise VerificationRefused("election-unsigned", mode=str(trust.election.election.mode))
    data = verified_bytes(parse(cose, MAX_ELECTION_BYTES), MessageType.ELECTION, trust.authority)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != trust.election.sha256 and bytes.fromhex(sha256) not in trust.earlier:
        raise VerificationRefused("election-other", found=sha256, expected=trust.election.sha256)
    report(Claim("election-definition", {"name": trust.election.election.name, "root": trust.root}))
    return VerifiedElection(bytes.fromhex(sha256))


def verify_checkpoint(note: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedCheckpoint:
    """The head of a log in a signed note; raises VerificationRefused."""
    kid, device, head = _signer_of(note, trust)
    claims = device.claims
    report(Claim("checkpoint", {"serial": claims.serial, "size": head.size, "root": head.root.hex()}))
    if kid in trust.revoked:
        entry = trust.revoked[kid]
        report(Claim("revoked-checkpoint", {"since": utc(entry.since), "reason": entry.reason}))
    return VerifiedCheckpoint(kid, head.size, head.root, claims.serial)


def verify_proof(data: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedProof:
    """A proof whose checkpoint holds; what it proves is for crosscheck.py. Raises VerificationRefused."""
    proof = parse_proof(data)
    return VerifiedProof(proof, verify_checkpoint(proof.checkpoint, trust, report))


def verify_selftest(cose: bytes, trust: TrustRoots, report: Report = silent) -> VerifiedSelfTest:
    """The report of a self-test in `cose`; raises VerificationRefused. Its findings are the device's own word."""
    envelope = parse(cose)
    device, payload = _open(envelope, MessageType.SELFTEST, trust, report)
    entry = check_report(payload)
    _check_world(entry.mode, device)
    if entry.election.hex() != trust.election.sha256 and entry.election not in trust.earlier:
        raise VerificationRefused("election-other", found=entry.election.hex(), expected=trust.election.sha256)
    _check_polling_station(entry.tps, trust)
    check_time(Sealed(entry.time.unix, entry.time.clock), device, envelope.kid, trust, report)
    came = counts(entry)
    report(
        Claim(
            "self-test",
            {
                "tps": entry.tps,
                "passed": came.passed,
                "notes": came.notes,
                "failed": came.failed,
                "not_examined": came.not_examined,
            },
        )
    )
    return VerifiedSelfTest(entry, device, envelope.kid)


def verify_handover(cose: bytes, trust: TrustRoots, report: Report = silent) -> Event:
    """The hand-over of a device in `cose`; raises VerificationRefused. Its chain is checked by custody.py."""
    event = open_event(cose, OfficerTrust.of(trust))
    for officer in event.signed_by:
        report(Claim("officer", {"name": officer.name, "role": str(officer.role), "kid": officer.kid.hex()}))
    report(Claim("hand-over", {"number": event.said.number, "device": event.said.device, "seal": event.said.seal}))
    return event


def _signer_of(note: bytes, trust: TrustRoots) -> tuple[bytes, Device, checkpoint.Checkpoint]:
    """The device that signed a note: its serial is in the first line, and several certificates may name it."""
    origin = note.partition(b"\n")[0].decode("utf-8", "replace")
    serial = origin.removeprefix(checkpoint.ORIGIN)
    refusal = VerificationRefused("checkpoint-unknown", origin=origin[:_MAX_ORIGIN])
    for kid, device in trust.devices.items():
        if device.claims.serial == serial:
            try:
                return kid, device, checkpoint.verify(note, device)
            except VerificationRefused as problem:
                refusal = problem
    raise refusal


def _open(envelope: Envelope, kind: MessageType, trust: TrustRoots, report: Report) -> tuple[Device, Any]:
    device = trust.device(envelope.kid)
    claims = device.claims
    known = {"serial": claims.serial, "world": str(claims.world), "protection": str(claims.protection)}
    report(Claim("device", known))
    payload = open_verified(envelope, kind, device.public_key)
    report(Claim("signature", {"type": kind.name.lower(), "kid": envelope.kid.hex()}))
    return device, payload


def _check_world(mode: str, device: Device) -> None:
    if Mode(mode) is not device.claims.world:
        raise VerificationRefused("mode-not-of-key", mode=mode, world=str(device.claims.world))


def _check_election(record: RecordEntry, trust: TrustRoots, report: Report) -> None:
    definition = trust.election
    if record.election.hex() != definition.sha256 and record.election not in trust.earlier:
        raise VerificationRefused("election-other", found=record.election.hex(), expected=definition.sha256)
    if record.mode != definition.election.mode:
        raise VerificationRefused("mode-not-of-election", mode=record.mode, world=str(definition.election.mode))
    _check_polling_station(record.tps, trust)
    report(Claim("election", {"name": definition.election.name, "tps": record.tps, "contest": record.contest}))
    if trust.root:
        report(Claim("election-signed", {"root": trust.root, "edition": trust.edition}))
    else:
        report(Claim("election-unsigned", {}))


def _check_polling_station(tps: str, trust: TrustRoots) -> None:
    try:
        trust.election.polling_station(tps)
    except LayoutRefused as refusal:
        raise VerificationRefused("election-tps", tps=tps) from refusal


def _check_layout(record: RecordEntry, trust: TrustRoots, report: Report) -> None:
    """The record holds every field of its form, on the page where the form has it."""
    layout = trust.layout(record.layout)
    if (record.form, layout.id) != (layout.id, trust.contest_layout(record.contest).id):
        raise VerificationRefused("layout-other", form=record.form, contest=record.contest)
    expected = [(entry.id, entry.page) for entry in layout.fields.values()]
    if [(entry.id, entry.page) for entry in record.fields] != expected:
        raise VerificationRefused("layout-fields", form=record.form)
    report(Claim("layout", {"form": record.form, "fields": len(expected)}))
