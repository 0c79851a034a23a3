"""Errors carry a code; the sentence a person reads lives in messages/ under `error.<code>` and says what to do next.

The outside world answers with outcomes from closed sets (see records.PageRefusal and the Protocols of each room).
What is raised is a refusal: a wrong command, a broken file, a signature that does not hold.
"""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """Something was refused. `code` is stable and is the key of the sentence; `details` fill the sentence in."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        extra = ", ".join(f"{key}={value}" for key, value in self.details.items())
        return f"{self.code} ({extra})" if extra else self.code


class LayoutRefused(Refused):
    """A form layout or configuration file is not valid."""


class ModelRefused(Refused):
    """The model file is missing, or is not the one in its manifest."""


class VerificationRefused(Refused):
    """A signature, hash or proof does not hold."""


class SignerRefused(Refused):
    """The signer does not sign this."""


class LedgerRefused(Refused):
    """The ledger cannot store or find this."""


class ReceiptRefused(Refused):
    """The receipt of this record cannot be composed for this paper."""
