"""Pieces of evidence as people hand them in: what each one is, whatever its file is called, and what it proves.

a record, an acknowledgement, the election definition (COSE); a receipt or the report of a self-test as COSE, as the
text of its code, or as a picture of it; a checkpoint of a log, a proof that leads to one; a hand-over of a device
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from firmware.errors import Refused, VerificationRefused
from firmware.signing import receipt_code
from firmware.signing.checkpoint import ORIGIN as CHECKPOINT
from firmware.signing.claims import Claim, Report
from firmware.signing.cose import MessageType, parse
from firmware.signing.crosscheck import check_together
from firmware.signing.election import MAX_BYTES as MAX_ELECTION_BYTES
from firmware.signing.proof import proof_kind
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import (
    Verified,
    verify_acknowledgement,
    verify_checkpoint,
    verify_election,
    verify_handover,
    verify_proof,
    verify_receipt,
    verify_record,
    verify_selftest,
)

PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF")
"""How JPEG, PNG and WebP files begin."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one file, or of all together (`name` is empty)."""

    name: str
    claims: tuple[Claim, ...]
    verified: Verified | None
    refusal: Refused | None


@dataclass(slots=True)
class Told:
    """Keeps the claims that it is told."""

    claims: list[Claim] = field(default_factory=list)

    def __call__(self, claim: Claim) -> None:
        """One more."""
        self.claims.append(claim)


def examine(name: str, data: bytes, trust: TrustRoots) -> Finding:
    """One file."""
    told = Told()
    try:
        verified = _verify(data, trust, told)
    except Refused as refusal:
        return Finding(name, tuple(told.claims), None, refusal)
    return Finding(name, tuple(told.claims), verified, None)


def compare(findings: Sequence[Finding]) -> Finding:
    """All files together: raises nothing, says what holds between those that hold by themselves."""
    told = Told()
    try:
        check_together([entry.verified for entry in findings if entry.verified], told)
    except VerificationRefused as refusal:
        return Finding("", tuple(told.claims), None, refusal)
    return Finding("", tuple(told.claims), None, None)


def _verify(data: bytes, trust: TrustRoots, report: Report) -> Verified:
    if proof_kind(data):
        return verify_proof(data, trust, report)
    if data.startswith(CHECKPOINT.encode()):
        return verify_checkpoint(data, trust, report)
    cose = _message(data, report)
    match parse(cose, MAX_ELECTION_BYTES).type:
        case MessageType.RECORD:
            return verify_record(cose, trust, report)
        case MessageType.RECEIPT:
            return verify_receipt(cose, trust, report)
        case MessageType.ACKNOWLEDGEMENT:
            return verify_acknowledgement(cose, trust, None, report)
        case MessageType.ELECTION:
            return verify_election(cose, trust, report)
        case MessageType.SELFTEST:
            return verify_selftest(cose, trust, report)
        case MessageType.HANDOVER | MessageType.TAKEOVER:
            return verify_handover(cose, trust, report)
        case other:
            raise VerificationRefused("cose-type", found=other.name.lower(), expected="")


def _message(data: bytes, report: Report) -> bytes:
    if data.startswith(PICTURES):
        # Only pictures need an image library.
        from firmware.signing.receipt_picture import read_code

        text = read_code(data)
        report(Claim("picture", {"characters": len(text)}))
        return receipt_code.decode(text)
    if data.startswith(receipt_code.PREFIX.encode()):
        # The text ends with the line; spaces inside belong to the alphabet.
        return receipt_code.decode(data.decode("ascii", "replace").removesuffix("\n").removesuffix("\r"))
    return data
