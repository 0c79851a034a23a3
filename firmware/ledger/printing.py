"""Print jobs: which strip of paper was asked for, and how far it certainly came.

    asked -> sent      -> confirmed   the printer says that the strip is out
    asked -> spoiled                  given up before anything was sent
             sent      -> spoiled     the printer could not print and nothing was sent
             sent      -> doubtful    the printer, the power or we went away
             doubtful  -> confirmed   a person says that the strip came out whole
             doubtful  -> spoiled     a person says that it did not

`sent` is written before the first byte goes to the printer: a job that is only `asked` has put nothing on paper.
A job that may have put something on paper makes every later job of the same document and copy a reprint.

What is printed is a document, named `record/<SHA-256 in hexadecimal>`, `opening/<day>` or `closing/<day>`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from firmware.errors import LedgerRefused
from firmware.ledger.database import Database


class PrintState(StrEnum):
    """How far a job has come."""

    ASKED = "asked"
    SENT = "sent"
    CONFIRMED = "confirmed"
    DOUBTFUL = "doubtful"
    """It may have come out whole, in part or not at all: a person has to say."""
    SPOILED = "spoiled"


_NEXT = {
    PrintState.ASKED: {PrintState.SENT, PrintState.SPOILED},
    PrintState.SENT: {PrintState.CONFIRMED, PrintState.DOUBTFUL, PrintState.SPOILED},
    PrintState.DOUBTFUL: {PrintState.CONFIRMED, PrintState.SPOILED},
    PrintState.CONFIRMED: set(),
    PrintState.SPOILED: set(),
}


@dataclass(frozen=True, slots=True)
class PrintJob:
    """One strip of paper. `reprint` is decided by the ledger and must stand on the paper."""

    id: int
    document: str
    copy: int
    copies: int
    reprint: bool
    state: PrintState
    note: str
    """Why it came to this state; empty when the printer itself said so."""


_RECORD = "record/"


def record_name(sha256: bytes) -> str:
    """The document of a record (32 bytes): `record/<hexadecimal>`."""
    return _RECORD + sha256.hex()


def opening_name(day: str) -> str:
    """The document of the opening of a day, which must not be empty: `opening/<day>`."""
    return f"opening/{day}"


def closing_name(day: str) -> str:
    """The document of the closing of a day, which must not be empty: `closing/<day>`."""
    return f"closing/{day}"


_JOBS = """
    SELECT job.id, job.document, job.copy, job.copies, job.reprint, last.state, last.note
    FROM print_jobs AS job JOIN print_states AS last ON last.job = job.id
    WHERE last.step = (SELECT max(step) FROM print_states WHERE job = job.id)
"""


class PrintJobs:
    """The jobs of one ledger; `clock` gives an aware time."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def ask(self, document: str, copy: int, copies: int, reprint: bool) -> PrintJob:
        """A new job in state `asked`. Raises LedgerRefused (ledger-unknown-record)."""
        record = bytes.fromhex(document.removeprefix(_RECORD)) if document.startswith(_RECORD) else None
        with self._database.transaction() as transaction:
            if record is not None and not _is_stored(transaction, record):
                raise LedgerRefused("ledger-unknown-record", record=record.hex())
            again = reprint or _on_paper(transaction, document, copy)
            cursor = transaction.execute(
                "INSERT INTO print_jobs (document, record, copy, copies, reprint) VALUES (?, ?, ?, ?, ?)",
                (document, record, copy, copies, again),
            )
            number = int(cursor.lastrowid or 0)
            self._write(transaction, number, 0, PrintState.ASKED, "")
        return PrintJob(number, document, copy, copies, again, PrintState.ASKED, "")

    def move(self, number: int, state: PrintState, note: str = "") -> PrintJob:
        """The next state of a job; the same state again changes nothing. Raises LedgerRefused (ledger-print-state)."""
        with self._database.transaction() as transaction:
            last = transaction.execute(
                "SELECT step, state FROM print_states WHERE job = ? ORDER BY step DESC LIMIT 1", (number,)
            ).fetchone()
            before = PrintState(last[1]) if last else None
            if before is None or (state is not before and state not in _NEXT[before]):
                raise LedgerRefused("ledger-print-state", job=number, before=str(before), after=str(state))
            if state is not before:
                self._write(transaction, number, last[0] + 1, state, note)
        (job,) = (job for job in self.all() if job.id == number)
        return job

    def all(self, document: str | None = None) -> tuple[PrintJob, ...]:
        """Jobs in the order in which they were asked for; of one document, or of all."""
        chosen, parameters = ("", ()) if document is None else ("AND job.document = ?", (document,))
        rows = self._database.rows(f"{_JOBS} {chosen} ORDER BY job.id", parameters)
        return tuple(_job(row) for row in rows)

    def doubt_unfinished(self, note: str) -> tuple[PrintJob, ...]:
        """To be called once at start. What was being printed when we stopped is doubtful now and is returned; what was
        only asked for is given up: loading paper must never let loose a backlog."""
        for job in self.all():
            if job.state is PrintState.SENT:
                self.move(job.id, PrintState.DOUBTFUL, note)
            elif job.state is PrintState.ASKED:
                self.move(job.id, PrintState.SPOILED, note)
        return tuple(job for job in self.all() if job.state is PrintState.DOUBTFUL)

    def _write(self, transaction: sqlite3.Connection, job: int, step: int, state: PrintState, note: str) -> None:
        transaction.execute(
            "INSERT INTO print_states (job, step, state, at, note) VALUES (?, ?, ?, ?, ?)",
            (job, step, str(state), self._clock().isoformat(), note),
        )


def _is_stored(transaction: sqlite3.Connection, record: bytes) -> bool:
    return transaction.execute("SELECT 1 FROM records WHERE sha256 = ?", (record,)).fetchone() is not None


def _on_paper(transaction: sqlite3.Connection, document: str, copy: int) -> bool:
    """Whether something of this copy may be on paper: it was confirmed or doubtful once, or is being sent now."""
    query = """SELECT 1 FROM print_jobs AS job JOIN print_states AS state ON state.job = job.id
               WHERE job.document = ? AND job.copy = ?
                 AND (state.state IN ('confirmed', 'doubtful')
                      OR state.state = 'sent' AND state.step = (SELECT max(step) FROM print_states WHERE job = job.id))
               LIMIT 1"""
    return transaction.execute(query, (document, copy)).fetchone() is not None


def _job(row: tuple[int, str, int, int, int, str, str]) -> PrintJob:
    number, document, copy, copies, reprint, state, note = row
    return PrintJob(number, document, copy, copies, bool(reprint), PrintState(state), note)
