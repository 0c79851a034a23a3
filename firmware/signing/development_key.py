"""The development key: a plain file, made on first run with a certificate authority of its own.

It is for demonstrations and tests. Subject, extension and every record say DEVELOPMENT; the authority's private key is
thrown away once the one certificate is signed. What it protects against is nothing: who can read the file has the key.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.records import Mode
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.key_file import FileKey, NewKey, load_certificate, load_or_make
from firmware.signing.keys import DeviceClaims, Protection, claims_extension

AUTHORITY_NAME = "authority.pem"
ORGANISATION = "DEVELOPMENT, not for an election"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """A DeviceKey in a file."""

    file: FileKey
    authority: bytes
    """Certificate of the authority that issued the device certificate, DER: for the trust folder of a demonstration."""

    @classmethod
    def open(cls, folder: Path, clock: Callable[[], datetime] = _now) -> Self:
        """The key in `folder`, made when there is none. Raises SignerRefused (`key-...`)."""
        file = load_or_make(folder, lambda: make(clock(), f"DEV-{secrets.token_hex(4)}"))
        return cls(file, load_certificate(folder / AUTHORITY_NAME).public_bytes(Encoding.DER))

    @property
    def certificate(self) -> bytes:
        """The device certificate, DER."""
        return self.file.certificate

    @property
    def protection(self) -> Protection:
        """None to speak of."""
        return Protection.PLAIN_FILE

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes."""
        return self.file.sign(message)


def make(now: datetime, serial: str) -> NewKey:
    """A new key with its certificate and authority; the world is always development."""
    authority_key, device_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = Issuer(subject(f"DEVELOPMENT authority of {serial}", ORGANISATION), authority_key)
    claims = DeviceClaims(Mode.DEVELOPMENT, serial, Protection.PLAIN_FILE)
    return NewKey(
        private_key=device_key,
        certificate=issue(
            subject(f"DEVELOPMENT kiosk {serial}", ORGANISATION, serial),
            device_key.public_key(),
            issuer,
            now,
            extensions=[claims_extension(claims)],
        ),
        others={AUTHORITY_NAME: issue(issuer.name, authority_key.public_key(), issuer, now, authority=True)},
    )
