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
    """A cursor over the bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def item(self, depth: int) -> Any:
        """The next item; raises VerificationRefused."""
        if depth > MAX_DEPTH:
            raise VerificationRefused("cbor-too-deep", most=MAX_DEPTH)
        major, argument = self._head()
        match major:
            case 0:  # unsigned integer
                return argument
            case 1:  # negative integer
                return -1 - argument
            case 2:  # byte string
                return self._take(argument)
            case 3:  # text string
                return self._text(argument)
            case 4:  # array
                return [self.item(depth + 1) for _ in range(self._count(argument))]
            case 5:  # map
                return self._map(self._count(argument), depth)
            case 6:  # tag
                return self._tag(argument, depth)
        return self._constant(argument)

    def _head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        major, short = first >> 5, first & 31
        if short < _SHORT:
            return major, short
        if short > 27 or major == _SIMPLE:
            raise VerificationRefused("cbor-unsupported", problem=f"0x{first:02x}")
        size = 1 << (short - _SHORT)
        argument = int.from_bytes(self._take(size))
        if argument < (_SHORT if size == 1 else 1 << (4 * size)):
            raise VerificationRefused("cbor-not-deterministic", at=self.at)
        return major, argument

    def _take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise VerificationRefused("cbor-truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def _count(self, argument: int) -> int:
        """A number of items: each takes at least one byte, so a huge count is refused before anything is made."""
        if argument > len(self.data) - self.at:
            raise VerificationRefused("cbor-truncated")
        return argument

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise VerificationRefused("cbor-unsupported", problem="UTF-8") from error

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        before = b""
        for _ in range(count):
            start = self.at
            key = self.item(depth + 1)
            if not isinstance(key, int | str) or isinstance(key, bool):
                raise VerificationRefused("cbor-unsupported", problem="map key")
            encoded = self.data[start : self.at]
            if encoded <= before:
                raise VerificationRefused("cbor-not-deterministic", at=start)
            before = encoded
            found[key] = self.item(depth + 1)
        return found

    def _tag(self, number: int, depth: int) -> Tagged:
        if number != COSE_SIGN1_TAG or depth:
            raise VerificationRefused("cbor-unsupported", problem=f"tag {number}")
        return Tagged(self.item(depth + 1))

    def _constant(self, number: int) -> bool | None:
        if number not in _CONSTANTS:
            raise VerificationRefused("cbor-unsupported", problem=f"simple {number}")
        return _CONSTANTS[number]
