"""Deterministic CBOR (RFC 8949, 4.2.1): the only bytes that are signed, and the only bytes that are believed.

The data model is small on purpose: integers of 64 bits, byte and text strings, arrays, maps whose keys are text or
integers, true, false, null, and tag 18 (COSE_Sign1) as the outermost item. There are no floats. `decode` is written out
here rather than taken from a library because it must refuse what libraries accept: a longer head than needed,
indefinite lengths, keys out of order or doubled, other tags, floats, invalid UTF-8, bytes after the end, deep nesting.
For every accepted input, `encode(decode(data)) == data`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from firmware.errors import VerificationRefused

MAX_BYTES = 1024 * 1024
"""Largest message in bytes: a DPR record with 18 parties is about 60 kB; the ledger's limit is the same."""
MAX_DEPTH = 8
"""Deepest nesting of arrays, maps and the tag; a record needs 5."""
COSE_SIGN1_TAG = 18

_SIMPLE = 7
"""Major type of constants and floats."""
_SHORT = 24
"""Arguments below this stand in the first byte; 24 to 27 announce 1, 2, 4 or 8 bytes."""
_CONSTANTS = {20: False, 21: True, 22: None}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A COSE_Sign1 tag around a value."""

    value: Any


def encode(value: Any, max_bytes: int = MAX_BYTES) -> bytes:
    """The deterministic encoding of `value`. Raises VerificationRefused for what `decode` would refuse."""
    try:
        data = cbor2.dumps(_plain(value))
    except (cbor2.CBOREncodeError, TypeError, RecursionError) as error:
        raise VerificationRefused("cbor-unsupported", problem=type(error).__name__) from error
    decode(data, max_bytes)
    return data


def decode(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The value of `data`, or VerificationRefused with a code that starts with `cbor-`."""
    if len(data) > max_bytes:
        raise VerificationRefused("cbor-too-large", bytes=len(data), most=max_bytes)
    reader = _Reader(data)
    value = reader.item(depth=0)
    if reader.at != len(data):
        raise VerificationRefused("cbor-trailing-bytes", bytes=len(data) - reader.at)
    return value


def _plain(value: Any) -> Any:
    """`value` with maps in bytewise order of their keys (the canonical mode of cbor2 sorts by length first)."""
    match value:
        case Tagged():
            return cbor2.CBORTag(COSE_SIGN1_TAG, _plain(value.value))
        case dict():
            return {key: _plain(value[key]) for key in sorted(value, key=cbor2.dumps)}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


class _Reader:
    """A cursor over the bytes. `item` is written in one piece, for speed: half of verifying a record happens here."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)

    def item(self, depth: int) -> Any:
        """The next item; raises VerificationRefused."""
        if depth > MAX_DEPTH:
            raise VerificationRefused("cbor-too-deep", most=MAX_DEPTH)
        at = self.at
        if at == self.end:
            raise VerificationRefused("cbor-truncated")
        first = self.data[at]
        self.at = at + 1
        major, argument = first >> 5, first & 31
        if argument >= _SHORT:
            argument = self._long(major, argument)
        if major == 3:  # text string
            return self._text(argument)
        if major == 0:  # unsigned integer
            return argument
        if major == 5:  # map
            return self._map(self._count(argument), depth)
        if major == 4:  # array
            return [self.item(depth + 1) for _ in range(self._count(argument))]
        if major == 2:  # byte string
            return self._take(argument)
        if major == 1:  # negative integer
            return -1 - argument
        return self._tag(argument, depth) if major == 6 else self._constant(argument)

    def _long(self, major: int, short: int) -> int:
        """An argument that does not stand in the first byte."""
        if short > 27 or major == _SIMPLE:
            raise VerificationRefused("cbor-unsupported", problem=f"0x{major << 5 | short:02x}")
        size = 1 << (short - _SHORT)
        argument = int.from_bytes(self._take(size))
        if argument < (_SHORT if size == 1 else 1 << (4 * size)):
            raise VerificationRefused("cbor-not-deterministic", at=self.at)
        return argument

    def _take(self, size: int) -> bytes:
        at = self.at
        if size > self.end - at:
            raise VerificationRefused("cbor-truncated")
        self.at = at + size
        return self.data[at : at + size]

    def _count(self, argument: int) -> int:
        """A number of items: each takes at least one byte, so a huge count is refused before anything is made."""
        if argument > self.end - self.at:
            raise VerificationRefused("cbor-truncated")
        return argument

    def _text(self, size: int) -> str:
        at = self.at
        if size > self.end - at:
            raise VerificationRefused("cbor-truncated")
        self.at = at + size
        try:
            return self.data[at : at + size].decode()
        except UnicodeDecodeError as error:
            raise VerificationRefused("cbor-unsupported", problem="UTF-8") from error

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        before, data, item, inside = b"", self.data, self.item, depth + 1
        for _ in range(count):
            start = self.at
            key = item(inside)
            if type(key) is not str and type(key) is not int:
                raise VerificationRefused("cbor-unsupported", problem="map key")
            encoded = data[start : self.at]
            if encoded <= before:
                raise VerificationRefused("cbor-not-deterministic", at=start)
            before = encoded
            found[key] = item(inside)
        return found

    def _tag(self, number: int, depth: int) -> Tagged:
        if number != COSE_SIGN1_TAG or depth:
            raise VerificationRefused("cbor-unsupported", problem=f"tag {number}")
        return Tagged(self.item(depth + 1))

    def _constant(self, number: int) -> bool | None:
        if number not in _CONSTANTS:
            raise VerificationRefused("cbor-unsupported", problem=f"simple {number}")
        return _CONSTANTS[number]
