"""The database: SQLite in a file by default, PostgreSQL by its URL. What a transaction committed is on disk.

Writers take turns, in every process that shares the database: SQLite has one writer by nature (BEGIN IMMEDIATE),
PostgreSQL gets a lock that ends with the transaction. So records are numbered without gaps in the order of commits, a
record is never checked against neighbours that are being written, and who reads what is new needs only a number.
Turns are short: threads that wait share the next one (turns.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

BUSY_SECONDS = 10.0
"""How long one thread waits for another one's commit."""
POSTGRES = "postgresql+psycopg"
WRITERS_LOCK = 0x43314B494F534B
"""Number of the lock that writers take on PostgreSQL ("C1KIOSK")."""
POOL = 20
"""Connections of one process: more than its threads."""
_turn = threading.Lock()
"""Writers of this process wait here: SQLite lets them poll, in steps of up to 100 ms."""


def open_engine(folder: Path, url: str = "") -> sa.Engine:
    """The database at `url`, or `collector.sqlite` in the folder when there is none. Raises SQLAlchemyError."""
    if url:
        return sa.create_engine(_with_driver(url), pool_size=POOL, pool_pre_ping=True)
    path = folder.absolute() / "collector.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nobody else writes; committed, and on disk, when it is left without an exception."""
    with _turn, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITERS_LOCK)))
        yield connection


def _with_driver(url: str) -> sa.URL:
    """`postgresql://` means psycopg here; any other database is a mistake."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(f"not a PostgreSQL address: {parsed.render_as_string()}")
    return parsed.set(drivername=POSTGRES)


def _durable(connection: Any, _record: object) -> None:
    """Every connection: we begin transactions ourselves, and a commit is on disk when it returns."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
