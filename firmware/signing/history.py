"""One device, one history: everything it signed must fit in a single log that only grew.

Every message of a device says something about its log: a record or receipt of log size n is entry number n and names
the root over the entries before it; a record names the record before it; a checkpoint names a root. `check_history`
puts all that is known of one key side by side. Two messages that cannot both be true prove that the device kept two
histories, and are the proof themselves. Where all entries below a root are known, the root is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware.errors import VerificationRefused
from firmware.signing import merkle
from firmware.signing.schema import NO_RECORD


@dataclass(frozen=True, slots=True)
class Told:
    """What one message says of the log of its device."""

    kid: bytes
    size: int
    """Entries of the log whose root is told."""
    root: bytes
    entry: bytes | None = None
    """SHA-256 of the record that comes next, number `size`."""
    previous: bytes | None = None
    """SHA-256 of the last entry."""


def check_history(told: Sequence[Told]) -> None:
    """Returns when all that one device told fits together; raises VerificationRefused("chain-fork", "log-root")."""
    entries: dict[int, bytes] = {}
    roots: dict[int, bytes] = {}
    for message in told:
        if message.size == 0 and message.root != merkle.EMPTY_ROOT:
            raise VerificationRefused("log-root", kid=message.kid.hex())
        _one(roots, message.size, message.root, message)
        if message.entry is not None:
            _one(entries, message.size, message.entry, message)
        if message.previous not in (None, NO_RECORD):
            _one(entries, message.size - 1, message.previous, message)
    known = _beginning(entries)
    for size, root in roots.items():
        if size <= len(known) and merkle.root(known[:size]) != root:
            raise _fork(told[0], size)


def _beginning(entries: dict[int, bytes]) -> list[bytes]:
    """The entries from 0 on, up to the first that is not known."""
    found: list[bytes] = []
    while len(found) in entries:
        found.append(entries[len(found)])
    return found


def _one(table: dict[int, bytes], at: int, value: bytes, message: Told) -> None:
    if table.setdefault(at, value) != value:
        raise _fork(message, at)


def _fork(message: Told, at: int) -> VerificationRefused:
    return VerificationRefused("chain-fork", sequence=at + 1, kid=message.kid.hex())
