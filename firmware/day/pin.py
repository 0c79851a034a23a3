"""The ketua's PIN: opens the day, seals each contest, closes the day.

Specification. `pin.json` beside kiosk.toml holds salt and scrypt hash (RFC 7914) of 6 to 8 digits; the PIN itself is
nowhere: not on disk, in no journal, in no log. Every try is counted on disk before it is judged, so that pulling the
plug does not give a try back. FREE_TRIES wrong ones in a row are free; each further one locks for twice as long as the
one before (delays.PIN_FIRST_LOCK up to PIN_LONGEST_LOCK), during which no try is judged or counted. After a restart a
lock begins anew in full. The right PIN sets the count to zero. What this does not do: with the disk in hand, 10^6 PINs
are tried in a day; a PIN keeps the wrong person in the room from sealing, the device key does the rest.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from firmware import delays
from firmware.errors import LayoutRefused

FREE_TRIES = 3
"""A tired person mistypes twice."""
DIGITS = re.compile(r"[0-9]{6,8}")
SALT_BYTES = 16
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""16 MiB and about 0.3 s on a Pi 4: the screen may wait for it, a thief with a list of all PINs may not."""
KEY = "pin"
"""Name of the count in the ledger's drafts."""


class PinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pin.json."""

    version: Literal[1]
    salt: bytes
    sha256: bytes
    """scrypt(PIN, salt, N, r, p), 32 bytes."""


class _Tries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wrong: int = 0


class PinAnswer(StrEnum):
    """What became of a try."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    """Not judged: too many wrong ones."""


class Drafts(Protocol):
    """What is needed of the ledger."""

    def save_draft(self, key: str, body: bytes) -> None:
        """Durable on return."""

    def load_draft(self, key: str) -> bytes | None:
        """What was saved last."""


def make_pin(pin: str, salt: bytes | None = None) -> bytes:
    """The bytes of pin.json. Raises LayoutRefused("pin-form") for what is no PIN, or one that is tried first."""
    if not DIGITS.fullmatch(pin) or len(set(pin)) == 1 or pin in "0123456789" or pin in "9876543210":
        raise LayoutRefused("pin-form")
    salt = salt or secrets.token_bytes(SALT_BYTES)
    return msgspec.json.encode(PinFile(1, salt, _hash(pin, salt)))


def read_pin(path: Path) -> PinFile:
    """The file at `path`. Raises LayoutRefused("pin-unreadable")."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=PinFile)
    except (OSError, msgspec.MsgspecError) as problem:
        raise LayoutRefused("pin-unreadable", file=str(path)) from problem


class Pin:
    """Judges tries against one file; `clock` gives seconds that only rise. One thread at a time."""

    def __init__(self, file: PinFile, drafts: Drafts, clock: Callable[[], float]) -> None:
        self._file = file
        self._drafts = drafts
        self._clock = clock
        self._locked_until = clock() + _lock_seconds(self.wrong)

    @property
    def wrong(self) -> int:
        """Wrong tries in a row."""
        body = self._drafts.load_draft(KEY)
        return msgspec.json.decode(body, type=_Tries).wrong if body else 0

    @property
    def locked_seconds(self) -> float:
        """Seconds until the next try is judged; 0: now."""
        return max(0.0, self._locked_until - self._clock())

    def judge(self, pin: str) -> PinAnswer:
        """One try. Raises LedgerRefused when it cannot be counted: then it is not judged."""
        if self.locked_seconds > 0:
            return PinAnswer.LOCKED
        wrong = self.wrong + 1
        self._count(wrong)
        if DIGITS.fullmatch(pin) and hmac.compare_digest(_hash(pin, self._file.salt), self._file.sha256):
            self._count(0)
            return PinAnswer.RIGHT
        self._locked_until = self._clock() + _lock_seconds(wrong)
        return PinAnswer.WRONG

    def _count(self, wrong: int) -> None:
        self._drafts.save_draft(KEY, msgspec.json.encode(_Tries(wrong)))


def _lock_seconds(wrong: int) -> float:
    if wrong < FREE_TRIES:
        return 0.0
    return float(min(delays.PIN_FIRST_LOCK * 2 ** min(wrong - FREE_TRIES, 16), delays.PIN_LONGEST_LOCK))


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32)
