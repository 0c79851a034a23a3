"""A stand-in for the signer, for tests of what comes after it: a true chain of records, without signatures."""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2

from firmware.records import SealedRecord

START = bytes(32)


def picture(number: int, size: int = 2_000) -> bytes:
    """Bytes that stand for one picture; another number gives other bytes."""
    return hashlib.sha256(f"picture {number}".encode()).digest() * (size // 32)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def seal(sequence: int, previous: bytes = START, pictures: tuple[bytes, ...] = (), **changes: Any) -> SealedRecord:
    """The record `sequence` of a chain, one page for each picture and one field on each page."""
    pages = [{"page": n, "sha256": hashlib.sha256(data).digest()} for n, data in enumerate(pictures, start=1)]
    fields = [{"id": f"suara_{page['page']}", "page": page["page"], "value": sequence} for page in pages]
    payload = {"sequence": sequence, "previous": previous, "pages": pages, "fields": fields} | changes
    return sealed_of(payload)


def sealed_of(payload: dict[str, Any]) -> SealedRecord:
    cose = cbor2.dumps(cbor2.CBORTag(18, [b"\xa0", {}, cbor2.dumps(payload, canonical=True), bytes(64)]))
    return SealedRecord(cose, b"receipt", hashlib.sha256(cose).digest(), payload["sequence"], payload)
