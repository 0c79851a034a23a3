"""A stand-in for the signer, for tests of what comes after it: a true chain of signed messages, with few fields."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from firmware.records import SealedRecord
from firmware.signing import cose

START = bytes(32)


class TestKey:
    """A key that no certificate authority knows."""

    __test__ = False
    certificate = b"certificate of a test"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


KEY = TestKey()


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
    message = cose.sign(payload, cose.MessageType.RECORD, KEY)
    return SealedRecord(message, b"receipt", hashlib.sha256(message).digest(), sequence, payload)
