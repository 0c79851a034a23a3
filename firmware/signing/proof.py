"""Proofs about a device's log as text, each with the checkpoint it leads to (checkpoint.py).

That record number `index` is in the log (C2SP tlog-proof; stored as `*.tlog-proof`):

    c2sp.org/tlog-proof@v1
    index 0
    <base64>                 one line for each hash of the audit path (RFC 9162, 2.1.3)
    <empty line>
    <checkpoint>

That the log of `old` records is the beginning of it (the request of C2SP tlog-witness):

    old 1
    <base64>                 one line for each hash (RFC 9162, 2.1.4)
    <empty line>
    <checkpoint>

The entry that an index names is the SHA-256 of the record's COSE bytes; the root of an old log is in the record,
receipt or checkpoint of that size. A proof by itself is signed by nobody and proves nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from firmware.errors import VerificationRefused

MAX_HASHES = 31
"""Of a log of up to 999,999,999 records (checkpoint.py): 30 levels, and one more for growth."""
_HASH_BYTES = 32
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


class ProofKind(Enum):
    """What is proven; the value begins the text."""

    INCLUSION = "c2sp.org/tlog-proof@v1\nindex "
    CONSISTENCY = "old "


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof as it was handed in."""

    kind: ProofKind
    number: int
    """The record's index, or the size of the old log."""
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note."""

    def text(self) -> bytes:
        """The file."""
        lines = [f"{self.kind.value}{self.number}", *(base64.b64encode(entry).decode() for entry in self.hashes)]
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint


def inclusion(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> Proof:
    """That record `index` (from 0) is in the checkpoint's log."""
    return Proof(ProofKind.INCLUSION, index, tuple(hashes), checkpoint)


def consistency(old_size: int, hashes: Sequence[bytes], checkpoint: bytes) -> Proof:
    """That the log of `old_size` records begins the checkpoint's."""
    return Proof(ProofKind.CONSISTENCY, old_size, tuple(hashes), checkpoint)


def proof_kind(data: bytes) -> ProofKind | None:
    """What kind of proof a file says it is."""
    return next((kind for kind in ProofKind if data.startswith(kind.value.encode())), None)


def parse_proof(data: bytes) -> Proof:
    """The parts of a proof; raises VerificationRefused("proof-form"). Only one text has these parts."""
    kind = proof_kind(data)
    head, empty, checkpoint = data.partition(b"\n\n")
    if kind is None or not empty:
        raise VerificationRefused("proof-form")
    try:
        number, *lines = head.decode("ascii").removeprefix(kind.value).split("\n")
        hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise VerificationRefused("proof-form") from error
    if not _NUMBER.fullmatch(number) or len(hashes) > MAX_HASHES or any(len(entry) != _HASH_BYTES for entry in hashes):
        raise VerificationRefused("proof-form")
    proof = Proof(kind, int(number), hashes, checkpoint)
    if proof.text() != data:
        raise VerificationRefused("proof-form")
    return proof
