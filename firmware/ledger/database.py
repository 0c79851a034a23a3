"""One SQLite file, opened the only way this project opens one: WAL, synchronous=FULL, foreign keys on.

A commit has reached the disk when `transaction` returns. Threads of one process may share a Database; a lock keeps
one thread from reading what another has not committed. Faults of the disk become LedgerRefused:

    ledger-full      no room; the transaction was rolled back
    ledger-busy      another process held the write lock for longer than BUSY_SECONDS
    ledger-missing   there is no such file (read-only opening never makes one)
    ledger-readonly  opened for reading only, or the disk has become read-only
    ledger-newer     the file was made by a newer program
    ledger-fault     the disk or the file is damaged

A broken constraint is a mistake of the program and is raised as sqlite3.IntegrityError.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from firmware.errors import LedgerRefused
from firmware.signing.durable import sync_folder

BUSY_SECONDS = 5.0
"""How long a writer waits for another one: many times the slowest commit seen on an SD card (under 1 s)."""

_PRIMARY_CODE = 0xFF
"""SQLite's extended result codes carry the primary one in their lowest byte."""
_CODES = {
    sqlite3.SQLITE_FULL: "ledger-full",
    sqlite3.SQLITE_BUSY: "ledger-busy",
    sqlite3.SQLITE_LOCKED: "ledger-busy",
    sqlite3.SQLITE_READONLY: "ledger-readonly",
    sqlite3.SQLITE_IOERR: "ledger-fault",
    sqlite3.SQLITE_CORRUPT: "ledger-fault",
    sqlite3.SQLITE_NOTADB: "ledger-fault",
    sqlite3.SQLITE_CANTOPEN: "ledger-fault",
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def disk_faults() -> Iterator[None]:
    """Turns what the disk can do to us into LedgerRefused; mistakes pass through unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        code = _CODES.get((getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE)
        if code is None:
            raise
        raise LedgerRefused(code, cause=str(error)) from error
    except OSError as error:
        code = {errno.EROFS: "ledger-readonly"}.get(error.errno or 0, "ledger-fault")
        raise LedgerRefused("ledger-full" if error.errno in _NO_ROOM else code, cause=str(error)) from error


class Database:
    """A SQLite file with its schema; see the module's text for what it promises."""

    def __init__(self, path: Path, schema: Path, *, readonly: bool = False) -> None:
        self._lock = threading.RLock()
        with disk_faults():
            if readonly and not path.exists():
                raise LedgerRefused("ledger-missing", path=str(path))
            if not readonly:
                path.parent.mkdir(parents=True, exist_ok=True)
            mode = "ro" if readonly else "rwc"
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(schema, readonly)
                if not readonly:
                    sync_folder(path.parent)
                    sync_folder(path.parent.parent)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, schema: Path, readonly: bool) -> None:
        run = self._connection.execute
        if not readonly:
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA recursive_triggers = ON")  # otherwise INSERT OR REPLACE deletes without asking the triggers
        run("PRAGMA trusted_schema = OFF")
        statements = schema.read_text(encoding="utf-8")
        wanted = _version(statements)
        if not readonly and self._user_version() == 0:
            self._connection.executescript(statements)
        found = self._user_version()
        if found > wanted:
            raise LedgerRefused("ledger-newer", found=found, wanted=wanted)
        if found < wanted:
            raise LedgerRefused("ledger-fault", cause=f"version {found}, not {wanted}")

    def _user_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all or nothing, and on disk when the block is left. Not to be nested."""
        with self._lock, disk_faults():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk can already have rolled back; a second ROLLBACK would hide the first error.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of a query, of committed data only."""
        with self._lock, disk_faults(), closing(self._connection.execute(statement, parameters)) as cursor:
            return cursor.fetchall()

    def check(self) -> None:
        """Reads the whole file. Raises LedgerRefused (ledger-fault) when SQLite finds damage."""
        findings = [row[0] for row in self.rows("PRAGMA integrity_check")]
        broken = self.rows("PRAGMA foreign_key_check")
        if findings != ["ok"] or broken:
            raise LedgerRefused("ledger-fault", cause="; ".join(findings) + f"; {len(broken)} broken references")

    def close(self) -> None:
        """Lets go of the file; the object must not be used afterwards."""
        with self._lock, disk_faults():
            self._connection.close()


def _version(statements: str) -> int:
    """The version a schema gives itself: its one `PRAGMA user_version = N;` line."""
    (line,) = (line for line in statements.splitlines() if line.startswith("PRAGMA user_version"))
    return int(line.rstrip(";").rpartition("=")[2])
