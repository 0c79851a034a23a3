"""The signer's own audit journal: what it refused, in one append-only file of lines that are chained by hash.

    {"at":1707939000,"event":"signer.refused","n":7,"previous":"<hex>",...}

One event is one line of JSON (keys sorted, no spaces, ASCII). `n` counts from 1; `previous` is the SHA-256 of the
line before it with its line feed, zeros in the first. The head of the chain is told by the signer (`/v1/head`), so
the station can write it into its own journal, whose head is signed into records. A line is on disk before the refusal
is answered. A line that a power cut has torn was never answered and is taken off; any other damage refuses to open.
No drafts, values, names or PINs: codes and counts only. Its size is bounded: the same refusal within REPEAT_S is
counted, and told by `times` in its next line; after MAX_LINES the last line says that it is full. Sealing goes on
then, for the records themselves are the evidence.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from firmware.errors import SignerRefused
from firmware.signing import durable

MAX_LINES = 10_000
"""About 2 MB: a week of one refusal a minute."""
MAX_LINE_BYTES = 512
"""Our longest line is under 300 bytes."""
REPEAT_S = 60
"""A station that asks again and again must not fill the journal in an evening."""


class SignerEvent(StrEnum):
    """Everything that is written down."""

    OPENED = "signer.opened"
    """The signer has opened its memory; `records` are in it."""
    REFUSED = "signer.refused"
    """`code` was answered, `times` times since it was last written."""
    FULL = "journal.full"
    """Nothing is written after this."""


class Journal:
    """Writes events. Threads may share it; one process holds the file."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        """Opens or makes the journal; the clock says Unix time. Raises SignerRefused("journal-damaged")."""
        self._path = path
        self._clock = clock
        self._turn = threading.Lock()
        self._unwritten: Counter[str] = Counter()
        self._written_at: dict[str, int] = {}
        self.head = bytes(hashlib.sha256().digest_size)
        """SHA-256 of the last line."""
        self._lines, self._bytes = 0, 0
        for line in self._read().splitlines(keepends=True):
            self._check(line)
            self._count(line)

    def opened(self, records: int) -> None:
        """The signer is ready. Raises OSError."""
        with self._turn:
            self._write(SignerEvent.OPENED, records=records)

    def refused(self, code: str) -> None:
        """Something was refused with this code. Raises OSError."""
        with self._turn:
            self._unwritten[code] += 1
            now = self._clock()
            if 0 <= now - self._written_at.get(code, now - REPEAT_S) < REPEAT_S:
                return
            self._write(SignerEvent.REFUSED, code=code, times=self._unwritten[code])
            self._written_at[code] = now
            del self._unwritten[code]

    def _write(self, event: SignerEvent, **fields: str | int) -> None:
        if self._lines >= MAX_LINES:
            return
        if self._lines == MAX_LINES - 1:
            event, fields = SignerEvent.FULL, {}
        entry = {"at": self._clock(), "n": self._lines + 1, "previous": self.head.hex()}
        text = json.dumps({**fields, **entry, "event": str(event)}, sort_keys=True, separators=(",", ":"))
        line = text.encode("ascii") + b"\n"
        durable.append(self._path, self._bytes, line)
        self._count(line)

    def _count(self, line: bytes) -> None:
        self._lines, self._bytes, self.head = self._lines + 1, self._bytes + len(line), hashlib.sha256(line).digest()

    def _read(self) -> bytes:
        """The whole lines of the file."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_LINES * MAX_LINE_BYTES + 1)
        except FileNotFoundError:
            return b""
        return data[: data.rfind(b"\n") + 1]

    def _check(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            follows = (entry["n"], entry["previous"]) == (self._lines + 1, self.head.hex())
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SignerRefused("journal-damaged", line=self._lines + 1) from error
        if not follows or len(line) > MAX_LINE_BYTES or self._lines >= MAX_LINES:
            raise SignerRefused("journal-damaged", line=self._lines + 1)
