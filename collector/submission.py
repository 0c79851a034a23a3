"""What is handed in: a record that is verified, and what the store has to know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from firmware.errors import Refused
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_record

HASH_BYTES = 32


class CollectorRefused(Refused):
    """The collector does not take this, or does not have it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A verified record and what the store has to know of it."""

    sha256: bytes
    cose: bytes
    kid: bytes
    """Names the key that signed: a chain belongs to a key."""
    device: str
    """The serial in the device certificate, for people."""
    sequence: int
    previous: bytes
    mode: str
    election: bytes
    tps: str
    contest: str
    form: str
    supersedes: bytes | None
    results: Mapping[str, int | None]
    """The contest's result fields in form order; None: nothing is written there."""
    failed: int
    """Rules that do not hold, without those that only warn."""
    pictures: Mapping[int, bytes]
    """SHA-256 of the picture of every page, by page number."""


def submission_of(name: str, cose: bytes, trust: TrustRoots) -> Submission:
    """The record that was sent under this name; raises CollectorRefused or VerificationRefused."""
    if hashlib.sha256(cose).digest() != hash_of(name):
        raise CollectorRefused("collector-hash", record=name)
    verified = verify_record(cose, trust)
    record = verified.record
    return Submission(
        sha256=verified.sha256,
        cose=cose,
        kid=verified.kid,
        device=verified.device.claims.serial,
        sequence=record.sequence,
        previous=record.previous,
        mode=record.mode,
        election=record.election,
        tps=record.tps,
        contest=record.contest,
        form=record.form,
        supersedes=record.supersedes,
        results=verified.results,
        failed=sum(not rule.warning for rule in record.failed),
        pictures={page.page: page.sha256 for page in record.pages},
    )


def hash_of(name: str) -> bytes:
    """The hash in an address: 64 lower-case hexadecimal digits, nothing else."""
    try:
        sha256 = bytes.fromhex(name)
    except ValueError as error:
        raise CollectorRefused("collector-hash", record=name) from error
    if sha256.hex() != name or len(sha256) != HASH_BYTES:
        raise CollectorRefused("collector-hash", record=name)
    return sha256
