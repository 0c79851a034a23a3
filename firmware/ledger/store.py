"""The ledger: sealed records, their pictures, print jobs and events, append-only and durable.

    <folder>/ledger.sqlite     see schema.sql
    <folder>/pictures/         see pictures.py

`commit` is the only place where a StoredRecord comes to be. It keeps the pictures first, then writes the record in one
transaction, so a record on disk always has its pictures; when it returns, a power cut takes nothing away. One process
writes; any number may read. Refusals (LedgerRefused) besides those of database.py and pictures.py:

    ledger-hash              the record's bytes do not have the hash that names it
    ledger-picture-named     a picture's bytes do not have the hash that names them
    ledger-picture-missing   the record speaks of a page whose picture is not here: no number without its picture
    ledger-sequence          not the number after the last record
    ledger-previous          does not name the last record as the one before it
    ledger-unknown-record    no such record

Bytes that are no signed message at all, or too large for one, raise VerificationRefused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from firmware.errors import LedgerRefused
from firmware.ledger.database import Database
from firmware.ledger.events import EventLog, LoggedEvent
from firmware.ledger.pictures import PictureFiles
from firmware.ledger.printing import PrintJob, PrintJobs, PrintState
from firmware.records import SealedRecord, StoredRecord
from firmware.signing.cose import parse
from firmware.signing.encoding import decode

START = bytes(32)
"""What the first record names as the one before it."""

_SCHEMA = Path(__file__).with_name("schema.sql")
_RECORDS = "SELECT sequence, sha256, cose, receipt, stored_at FROM records"


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The open ledger of one kiosk. Threads may share it; use as a context manager, or call `close`."""

    def __init__(self, folder: Path, *, readonly: bool, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._database = Database(folder / "ledger.sqlite", _SCHEMA, readonly=readonly)
        self._pictures = PictureFiles(folder / "pictures", readonly=readonly)
        self._events = EventLog(self._database, clock)
        self._prints = PrintJobs(self._database, clock)

    @classmethod
    def open(cls, folder: Path, readonly: bool = False, clock: Callable[[], datetime] = _now) -> Self:
        """Opens the ledger in `folder`, making it unless `readonly`. Raises LedgerRefused, see database.py."""
        return cls(folder, readonly=readonly, clock=clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files."""
        self._database.close()

    # --- records ------------------------------------------------------------------------------------------------

    def commit(self, sealed: SealedRecord, pictures: Mapping[str, bytes]) -> StoredRecord:
        """Puts a sealed record on disk; `pictures` maps SHA-256 (hexadecimal) to bytes, those kept before may be left
        out. The same record again is answered with what is stored. Raises LedgerRefused and then stores no record."""
        if hashlib.sha256(sealed.cose).digest() != sealed.sha256:
            raise LedgerRefused("ledger-hash", record=sealed.sha256.hex())
        if not self._known(sealed.sha256):
            payload = _payload(sealed.cose)
            self._keep_named(pictures)
            self._insert(sealed, payload, self._pages_pictures(payload))
        return self.record(sealed.sha256)

    def record(self, sha256: bytes) -> StoredRecord:
        """The record of that hash, as it is on disk. Raises LedgerRefused: ledger-unknown-record, or ledger-hash when
        it was damaged there."""
        rows = self._database.rows(f"{_RECORDS} WHERE sha256 = ?", (sha256,))
        if not rows:
            raise LedgerRefused("ledger-unknown-record", record=sha256.hex())
        return _stored(*rows[0])

    def records(self, after: int = 0, limit: int = -1) -> tuple[StoredRecord, ...]:
        """The records after that sequence number in the order of the chain; at most `limit` unless it is negative."""
        rows = self._database.rows(f"{_RECORDS} WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit))
        return tuple(_stored(*row) for row in rows)

    def records_of(self, tps: str, contest: str) -> tuple[StoredRecord, ...]:
        """The records of one TPS and contest, oldest first: the last one stands, those before it were corrected."""
        wanted = (tps, contest)
        return tuple(
            entry
            for entry in self.records()
            if (entry.sealed.payload["tps"], entry.sealed.payload["contest"]) == wanted
        )

    def record_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of every record in the order of the chain."""
        return tuple(row[0] for row in self._database.rows("SELECT sha256 FROM records ORDER BY sequence"))

    # --- pictures -----------------------------------------------------------------------------------------------

    def keep_picture(self, data: bytes) -> str:
        """Makes a picture durable at once, before any record speaks of it. Returns its SHA-256 (hexadecimal)."""
        name = self._pictures.put(data)
        with self._database.transaction() as transaction:
            transaction.execute(
                "INSERT INTO pictures (sha256, bytes, kept_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (bytes.fromhex(name), len(data), self._clock().isoformat()),
            )
        return name

    def picture(self, sha256: str) -> bytes:
        """A kept picture. Raises LedgerRefused: ledger-picture-missing or ledger-picture-damaged."""
        return self._pictures.get(sha256)

    def picture_bytes(self, sha256: str) -> int:
        """The size of a kept picture. Raises LedgerRefused("ledger-picture-missing")."""
        rows = self._database.rows("SELECT bytes FROM pictures WHERE sha256 = ?", (bytes.fromhex(sha256),))
        if not rows:
            raise LedgerRefused("ledger-picture-missing", picture=sha256)
        return int(rows[0][0])

    def pictures_of(self, sha256: bytes) -> dict[bytes, int]:
        """The pictures that a record speaks of: SHA-256 and size in bytes."""
        query = """SELECT sha256, bytes FROM pictures JOIN record_pictures ON picture = sha256
                   WHERE record = ? ORDER BY sha256"""
        return dict(self._database.rows(query, (sha256,)))

    # --- drafts: where a session stands ---------------------------------------------------------------------------

    def save_draft(self, key: str, body: bytes) -> None:
        """Replaces the draft `key` by `body` (JSON); durable on return."""
        with self._database.transaction() as transaction:
            transaction.execute(
                """INSERT INTO drafts (key, body, saved_at) VALUES (?, ?, ?)
                   ON CONFLICT (key) DO UPDATE SET body = excluded.body, saved_at = excluded.saved_at""",
                (key, body, self._clock().isoformat()),
            )

    def load_draft(self, key: str) -> bytes | None:
        """The draft `key` as it was saved last, or None."""
        rows = self._database.rows("SELECT body FROM drafts WHERE key = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    def clear_draft(self, key: str) -> None:
        """Forgets the draft `key`; the pictures that it kept stay."""
        with self._database.transaction() as transaction:
            transaction.execute("DELETE FROM drafts WHERE key = ?", (key,))

    # --- print jobs and events, see printing.py and events.py -------------------------------------------------------

    def ask_print(self, document: str, copy: int, copies: int, reprint: bool = False) -> PrintJob:
        """A new print job in state `asked`; its `reprint` is true as well when this copy may be on paper already.
        Raises LedgerRefused (ledger-unknown-record)."""
        return self._prints.ask(document, copy, copies, reprint)

    def move_print(self, job: int, state: PrintState, note: str = "") -> PrintJob:
        """The next state of a print job. Raises LedgerRefused (ledger-print-state)."""
        return self._prints.move(job, state, note)

    def print_jobs(self, document: str | None = None) -> tuple[PrintJob, ...]:
        """The print jobs of one document or of all, oldest first."""
        return self._prints.all(document)

    def doubt_unfinished_prints(self, note: str) -> tuple[PrintJob, ...]:
        """To be called once at start: returns the jobs of which a person must say whether they came out."""
        return self._prints.doubt_unfinished(note)

    def append_event(self, fields: Mapping[str, Any]) -> LoggedEvent:
        """Adds to the audit log; `fields` must be JSON."""
        return self._events.append(fields)

    def events(self) -> tuple[LoggedEvent, ...]:
        """The audit log, oldest first, its chain checked."""
        return self._events.all()

    def export_journal(self) -> bytes:
        """The audit log as a file that anybody can check (signing/audit.py)."""
        return self._events.export()

    def journal_head(self) -> bytes:
        """The SHA-256 of the last event of the audit log; 32 zeros when there is none."""
        return self._events.head()

    def check(self) -> None:
        """Reads everything: the file, the chains, every picture. Raises LedgerRefused at the first thing that fails."""
        self._database.check()
        self._events.all()
        self.records()
        for (name,) in self._database.rows("SELECT sha256 FROM pictures"):
            self._pictures.get(name.hex())

    # --- commit's steps -------------------------------------------------------------------------------------------

    def _known(self, sha256: bytes) -> bool:
        return bool(self._database.rows("SELECT 1 FROM records WHERE sha256 = ?", (sha256,)))

    def _keep_named(self, pictures: Mapping[str, bytes]) -> None:
        for name, data in pictures.items():
            if hashlib.sha256(data).hexdigest() != name:
                raise LedgerRefused("ledger-picture-named", picture=name)
            self.keep_picture(data)

    def _pages_pictures(self, payload: Mapping[str, Any]) -> list[bytes]:
        """The hashes of the pictures of the record's pages, each read back from the disk."""
        pictured = {page["page"]: bytes(page["sha256"]) for page in payload["pages"]}
        for field in payload["fields"]:
            if field["page"] not in pictured:
                raise LedgerRefused("ledger-picture-missing", picture=f"page {field['page']}")
        names = sorted(set(pictured.values()))
        for name in names:
            self._pictures.get(name.hex())
            if not self._database.rows("SELECT 1 FROM pictures WHERE sha256 = ?", (name,)):
                raise LedgerRefused("ledger-picture-missing", picture=name.hex())
        return names

    def _insert(self, sealed: SealedRecord, payload: Mapping[str, Any], pictures: list[bytes]) -> None:
        sequence, previous = payload["sequence"], payload["previous"]
        with self._database.transaction() as transaction:
            last = transaction.execute("SELECT sequence, sha256 FROM records ORDER BY sequence DESC LIMIT 1").fetchone()
            last_sequence, last_hash = last or (0, START)
            if not sequence == sealed.sequence == last_sequence + 1:
                raise LedgerRefused("ledger-sequence", sequence=sequence, expected=last_sequence + 1)
            if previous != last_hash:
                raise LedgerRefused("ledger-previous", previous=previous.hex(), expected=last_hash.hex())
            transaction.execute(
                "INSERT INTO records (sequence, sha256, previous, cose, receipt, stored_at) VALUES (?, ?, ?, ?, ?, ?)",
                (sequence, sealed.sha256, previous, sealed.cose, sealed.receipt, self._clock().isoformat()),
            )
            transaction.executemany(
                "INSERT INTO record_pictures (record, picture) VALUES (?, ?)",
                [(sealed.sha256, picture) for picture in pictures],
            )


def _stored(sequence: int, sha256: bytes, cose: bytes, receipt: bytes, stored_at: str) -> StoredRecord:
    if hashlib.sha256(cose).digest() != sha256:
        raise LedgerRefused("ledger-hash", record=sha256.hex())
    sealed = SealedRecord(cose, receipt, sha256, sequence, _payload(cose))
    return StoredRecord(sealed, datetime.fromisoformat(stored_at))


def _payload(cose: bytes) -> Mapping[str, Any]:
    """What the signed bytes say; the signer is trusted here, whoever receives the record verifies."""
    payload: Mapping[str, Any] = decode(parse(cose).payload)
    return payload
