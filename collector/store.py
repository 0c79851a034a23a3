"""What the collector holds: every version of every record, what was acknowledged, and every fork it was shown.

SQLAlchemy Core on SQLite or PostgreSQL (database.py). What `receive` returned is on disk: the record, its place in
the collector's log and the acknowledgement that is given out are one transaction. Nothing is changed or removed: a
correction is one more record that names the one it supersedes. What it has to agree with is in receiving.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from collector import tree
from collector.database import open_engine, writing
from collector.migrate import migrate
from collector.provinces import province_of
from collector.receiving import Arrival, Held, place_of, receive_all
from collector.tables import entries, forks, pages, pictures, receipts, records
from collector.turns import Turns


@dataclass(frozen=True, slots=True)
class Fork:
    """A record that was refused because it cannot stand in one chain with another."""

    device: str
    sequence: int
    sha256: bytes
    against: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class Proven:
    """Where a record is in the collector's log."""

    position: int
    size: int
    root: bytes
    path: tuple[bytes, ...]


class RecordStore:
    """The open store. Threads may share it. Times are Unix seconds. A failing database raises SQLAlchemyError."""

    def __init__(self, engine: sa.Engine, folder: Path, *, migrating: bool = True) -> None:
        self.engine = engine
        self.reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.folder = folder
        self._turns: Turns[Arrival, Held] = Turns(self._receive_all)
        if migrating:
            migrate(engine)

    @classmethod
    def open(cls, folder: Path, database: str = "", *, migrating: bool = True) -> Self:
        """The store in `<folder>/collector.sqlite`, or in the PostgreSQL at `database`; made when there is none, unless
        that is left to others (`migrating`): then the database need not be there yet."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(open_engine(folder, database), folder, migrating=migrating)

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.dispose()

    def receive(self, arrival: Arrival) -> Held:
        """Stores a record once with its acknowledgement, durable on return. Raises CollectorRefused: `collector-fork`
        (it is kept as evidence), `collector-supersedes` (it corrects a record of another TPS or contest)."""
        return self._turns.take(arrival)

    def record(self, sha256: bytes) -> bytes | None:
        """The COSE bytes of a record, superseded or not."""
        return self._bytes(records.c.cose, sha256)

    def acknowledgement(self, sha256: bytes) -> bytes | None:
        """The acknowledgement of a record."""
        return self._bytes(records.c.acknowledgement, sha256)

    def device_of(self, sha256: bytes) -> str | None:
        """The serial of the device that signed a stored record."""
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            return None if place is None else connection.execute(place.select(records.c.device)).scalar_one()

    def standing(self, tps: str, contest: str) -> tuple[bytes, ...]:
        """The hashes of the records of a TPS and contest that no other one supersedes, oldest first. More than one
        stand when more than one device reported."""
        here = (records.c.province == province_of(tps), records.c.tps == tps, records.c.contest == contest)
        query = (
            sa.select(entries.c.sha256).join(records, entries.c.position == records.c.position).where(*here, _stands())
        )
        with self.reading.connect() as connection:
            return tuple(bytes(row.sha256) for row in connection.execute(query.order_by(entries.c.position)))

    def missing_pictures(self, sha256: bytes) -> list[bytes] | None:
        """The pictures that a record names and that are not here, by page; None for an unknown record."""
        known = sa.select(pictures.c.number).where(pictures.c.sha256 == pages.c.picture)
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            if place is None:
                return None
            query = place.select(pages.c.picture).where(~sa.exists(known))
            return [bytes(row.picture) for row in connection.execute(query.order_by(pages.c.page))]

    def names_picture(self, sha256: bytes, picture: bytes) -> bool:
        """Whether a stored record names this picture."""
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            if place is None:
                return False
            query = place.select(pages.c.page).where(pages.c.picture == picture)
            return connection.execute(query).first() is not None

    def counts(self) -> dict[str, int]:
        """How much is here, by name."""
        count = sa.func.count
        queries = {
            "records": sa.select(count()).select_from(entries),
            "standing": sa.select(count()).select_from(entries).where(_stands()),
            "devices": sa.select(count(sa.distinct(records.c.device))),
            "forks": sa.select(count()).select_from(forks),
            "pictures": sa.select(count()).select_from(pictures),
            "receipts": sa.select(count()).select_from(receipts),
        }
        with self.reading.connect() as connection:
            return {name: connection.execute(query).scalar_one() for name, query in queries.items()}

    def forks(self) -> list[Fork]:
        """What proves that a key is in two places, newest first."""
        query = sa.select(*(forks.c[name] for name in Fork.__slots__)).order_by(forks.c.received_at.desc())
        with self.reading.connect() as connection:
            return [Fork(*row) for row in connection.execute(query)]

    def head(self) -> tuple[int, bytes]:
        """Size and root of the collector's log."""
        with self.reading.connect() as connection:
            size = tree.log_size(connection)
            return size, tree.log_root(connection, size)

    def prove(self, sha256: bytes) -> Proven | None:
        """That a record is in the collector's log as it is now; None for an unknown record."""
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            if place is None:
                return None
            size = tree.log_size(connection)
            path = tree.inclusion_proof(connection, place.position, size)
            return Proven(place.position, size, tree.log_root(connection, size), tuple(path))

    def prove_growth(self, old: int) -> tuple[int, bytes, list[bytes]] | None:
        """Size, root, and that the log of `old` records begins it; None for a size that it never had."""
        with self.reading.connect() as connection:
            size = tree.log_size(connection)
            if not 0 < old <= size:
                return None
            return size, tree.log_root(connection, size), tree.consistency_proof(connection, old, size)

    def _receive_all(self, arrivals: Sequence[Arrival]) -> Sequence[Held | Exception]:
        """One transaction for all of them."""
        with writing(self.engine) as connection:
            return receive_all(connection, arrivals)

    def _bytes(self, column: sa.Column[Any], sha256: bytes) -> bytes | None:
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            return None if place is None else bytes(connection.execute(place.select(column)).scalar_one())


def _stands() -> sa.ColumnElement[bool]:
    later = entries.alias()
    return ~sa.exists().where(later.c.supersedes == entries.c.sha256)
