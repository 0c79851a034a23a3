"""Keys in a plain file, made on first run with a certificate authority of their own: for demonstrations and training.

What they protect against is nothing: who can read the file has the key, and the certificate says so. The world of such
a key is development or training, never real, and stands in subject, extension and every record. The authority's private
key is thrown away once the one certificate is signed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import SignerRefused
from firmware.records import Mode
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.key_file import FileKey, NewKey, load_certificate, load_or_make
from firmware.signing.keys import DeviceClaims, Protection, check_own, claims_extension

AUTHORITY_NAME = "authority.pem"

_SERIAL_PREFIX = {Mode.DEVELOPMENT: "DEV", Mode.TRAINING: "TRAIN"}


def now() -> datetime:
    """By the system's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PlainKey:
    """A DeviceKey in a file."""

    file: FileKey
    authority: bytes
    """Certificate of the authority that issued the device certificate, DER: for the trust folder of a demonstration."""

    @classmethod
    def of_world(cls, folder: Path, world: Mode, clock: Callable[[], datetime]) -> Self:
        """The key of `world` in `folder`, made when there is none. Raises SignerRefused (`key-...`)."""
        file = load_or_make(folder, lambda: make(clock(), world, f"{_SERIAL_PREFIX[world]}-{secrets.token_hex(4)}"))
        certificate = x509.load_der_x509_certificate(file.certificate)
        device = check_own(certificate, file.private_key.public_key(), Protection.PLAIN_FILE)
        if device.claims.world is not world:
            raise SignerRefused("key-world", world=str(device.claims.world), mode=str(world))
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


def make(made: datetime, world: Mode, serial: str) -> NewKey:
    """A new key of `world` with its certificate and authority."""
    authority_key, device_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name, organisation = world.upper(), f"{world.upper()}, not for an election"
    issuer = Issuer(subject(f"{name} authority of {serial}", organisation), authority_key)
    claims = DeviceClaims(world, serial, Protection.PLAIN_FILE)
    return NewKey(
        private_key=device_key,
        certificate=issue(
            subject(f"{name} kiosk {serial}", organisation, serial),
            device_key.public_key(),
            issuer,
            made,
            extensions=[claims_extension(claims)],
        ),
        others={AUTHORITY_NAME: issue(issuer.name, authority_key.public_key(), issuer, made, authority=True)},
    )
