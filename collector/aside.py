"""What came out of the queue and cannot be stored: kept as it came, with a code, for the operator.

The row is written in the transaction of the messages that came with it, so a message is in the database in one way or
another before it leaves the queue.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from collector.tables import set_aside

NAME_CHARACTERS = 64
"""Of a name that are kept: a record's hash has as many; what a stranger published may have more."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that is kept apart, and why."""

    name: str
    message: bytes
    code: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A code, how many messages were set aside for it, and when last (Unix seconds)."""

    code: str
    count: int
    last_at: int


def keep(connection: sa.Connection, entry: Aside, now: int) -> None:
    """Within a transaction; one that was set aside before gets the new code."""
    forget(connection, entry.message)
    values = {
        "sha256": _hash(entry.message),
        "name": entry.name[:NAME_CHARACTERS],
        "code": entry.code,
        "message": entry.message,
    }
    connection.execute(set_aside.insert().values(set_aside_at=now, **values))


def forget(connection: sa.Connection, message: bytes) -> None:
    """Within the transaction that stores it after all."""
    connection.execute(set_aside.delete().where(set_aside.c.sha256 == _hash(message)))


def kept(engine: sa.Engine) -> list[tuple[str, bytes]]:
    """Name and message of everything that was set aside. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(set_aside.c.name, set_aside.c.message))
        return [(row.name, bytes(row.message)) for row in rows]


def kept_by_code(engine: sa.Engine) -> list[Kept]:
    """How much was set aside for what. Raises SQLAlchemyError."""
    count, last = sa.func.count(), sa.func.max(set_aside.c.set_aside_at)
    query = sa.select(set_aside.c.code, count, last).group_by(set_aside.c.code).order_by(set_aside.c.code)
    with engine.connect() as connection:
        return [Kept(*row) for row in connection.execute(query)]


def _hash(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()
