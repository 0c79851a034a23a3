"""The text of a receipt's QR code: `C1R1:` and the Base45 (RFC 9285) of the receipt's COSE bytes.

All characters are in the alphanumeric set of QR codes. The prefix says what the code is and its version, so that a
phone that knows nothing of it shows something that can be recognised.
"""

from __future__ import annotations

import base45

from firmware.errors import VerificationRefused

PREFIX = "C1R1:"
MAX_CHARACTERS = 2420
"""An alphanumeric QR code of version 40 at level Q holds no more (ISO/IEC 18004, table 7)."""


def encode(cose: bytes) -> str:
    """The text of a code. Raises ValueError for what no code can hold."""
    text: str = PREFIX + base45.b45encode(cose).decode("ascii")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{len(text)} characters do not fit in one code")
    return text


def decode(text: str) -> bytes:
    """The COSE bytes of a code's text; raises VerificationRefused("receipt-code"). Only one text gives these bytes."""
    if not text.startswith(PREFIX) or len(text) > MAX_CHARACTERS:
        raise VerificationRefused("receipt-code")
    try:
        data = bytes(base45.b45decode(text.removeprefix(PREFIX)))
    except ValueError as error:
        raise VerificationRefused("receipt-code") from error
    if encode(data) != text:
        raise VerificationRefused("receipt-code")
    return data
