"""The audit log inside the ledger: what happened, in order, each event holding the hash of the one before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmware.errors import LedgerRefused
from firmware.ledger.database import Database
from firmware.signing import audit

START = bytes(32)
"""What the first event names as the one before it."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One thing that happened; `sha256` covers it and everything before it."""

    id: int
    at: datetime
    fields: Mapping[str, Any]
    sha256: bytes


class EventLog:
    """Append-only; `clock` gives an aware time."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def append(self, fields: Mapping[str, Any]) -> LoggedEvent:
        """Writes one event, durable on return. `fields` must be JSON; raises TypeError when it is not."""
        text = json.dumps(fields, sort_keys=True, ensure_ascii=False, allow_nan=False)
        at = self._clock()
        with self._database.transaction() as transaction:
            last = transaction.execute("SELECT sha256 FROM events ORDER BY id DESC LIMIT 1").fetchone()
            previous = last[0] if last else START
            digest = audit.digest(previous, at.isoformat(), text)
            cursor = transaction.execute(
                "INSERT INTO events (at, fields, previous, sha256) VALUES (?, ?, ?, ?)",
                (at.isoformat(), text, previous, digest),
            )
        return LoggedEvent(int(cursor.lastrowid or 0), at, dict(fields), digest)

    def head(self) -> bytes:
        """The SHA-256 of the last event, START when there is none: it stands for everything before it."""
        rows = self._database.rows("SELECT sha256 FROM events ORDER BY id DESC LIMIT 1")
        return bytes(rows[0][0]) if rows else START

    def export(self) -> bytes:
        """Every event as the lines of signing/audit.py, oldest first."""
        rows = self._database.rows("SELECT at, fields, sha256 FROM events ORDER BY id")
        return b"".join(audit.line(at, fields, digest) for at, fields, digest in rows)

    def all(self) -> tuple[LoggedEvent, ...]:
        """Every event, oldest first. Raises LedgerRefused (ledger-fault) where the chain does not hold."""
        events = []
        before = START
        query = "SELECT id, at, fields, previous, sha256 FROM events ORDER BY id"
        for number, at, text, previous, digest in self._database.rows(query):
            if previous != before or digest != audit.digest(previous, at, text):
                raise LedgerRefused("ledger-fault", cause=f"event {number} does not follow the one before it")
            events.append(LoggedEvent(number, datetime.fromisoformat(at), json.loads(text), digest))
            before = digest
        return tuple(events)
