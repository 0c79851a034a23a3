"""The text in the QR code on a device's label: which device this is. It proves nothing; it names.

C1K1:<serial>:<key id, 16 hexadecimal digits>
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import VerificationRefused
from firmware.signing.keys import claims_of, key_id

PREFIX = "C1K1:"
_TEXT = re.compile(r"C1K1:([A-Za-z0-9][A-Za-z0-9._-]{0,39}):([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Label:
    """A device by its serial and its key."""

    serial: str
    kid: bytes
    """Of the device certificate."""

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """The label of a device certificate; raises VerificationRefused("certificate-claims")."""
        return cls(claims_of(certificate).serial, key_id(certificate.public_bytes(Encoding.DER)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """What was scanned or typed; raises VerificationRefused("label-form")."""
        found = _TEXT.fullmatch(text.strip())
        if found is None:
            raise VerificationRefused("label-form", text=text.strip()[:60])
        return cls(found[1], bytes.fromhex(found[2]))

    @property
    def text(self) -> str:
        """As it stands in the code."""
        return f"{PREFIX}{self.serial}:{self.kid.hex()}"
