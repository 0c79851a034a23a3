"""What the collector holds: every version of every record, what was acknowledged, and every fork it was shown.

SQLAlchemy Core on SQLite or PostgreSQL (database.py). What `receive` returned is on disk: the record, its place in
the collector's log and the acknowledgement that is given out are one transaction. Nothing is changed or removed: a
correction is one more record that names the one it supersedes.

A key signs one chain. A record that does not fit into it (a second one with the same number, or one whose
neighbours are others than it says) is proof that the key is in two places: it is kept as evidence among the forks and
refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from collector import tree
from collector.database import open_engine, writing
from collector.migrate import migrate
from collector.provinces import province_of
from collector.submission import CollectorRefused, Submission
from collector.tables import entries, forks, pages, pictures, records
from collector.turns import Turns

_IN_ENTRY = ("sha256", "kid", "sequence", "previous", "supersedes")
_IN_RECORD = ("cose", "device", "mode", "election", "tps", "contest", "form", "failed")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified record, the acknowledgement that it gets once it is stored, and when it came (Unix seconds)."""

    record: Submission
    acknowledgement: bytes
    now: int


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is stored."""

    new: bool
    acknowledgement: bytes
    """The first that was made for it, and the only one that is ever given out."""


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

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self.engine = engine
        self.reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.folder = folder
        self._turns: Turns[Arrival, Held] = Turns(self._receive_all)
        migrate(engine)

    @classmethod
    def open(cls, folder: Path, database: str = "") -> Self:
        """The store in `<folder>/collector.sqlite`, or in the PostgreSQL at `database`; made when there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(open_engine(folder, database), folder)

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

    def _receive_all(self, arrivals: Sequence[Arrival]) -> list[Held | Exception]:
        """One transaction for all of them."""
        outcomes: list[Held | Exception] = []
        with writing(self.engine) as connection:
            log = tree.GrowingLog(connection)
            for arrival in arrivals:
                try:
                    outcomes.append(_receive(connection, log, arrival))
                except CollectorRefused as refusal:
                    outcomes.append(refusal)
            log.write()
        return outcomes

    def _bytes(self, column: sa.Column[Any], sha256: bytes) -> bytes | None:
        with self.reading.connect() as connection:
            place = place_of(connection, sha256)
            return None if place is None else bytes(connection.execute(place.select(column)).scalar_one())


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a record are: with the province as a constant PostgreSQL opens one part, not 39."""

    position: int
    province: str

    def select(self, column: sa.Column[Any]) -> sa.Select[Any]:
        """A column of a divided table, for this record."""
        table = column.table
        return sa.select(column).where(table.c.position == self.position, table.c.province == self.province)


def place_of(connection: sa.Connection, sha256: bytes) -> Place | None:
    """Where a record is; None for an unknown one."""
    query = sa.select(entries.c.position, entries.c.province).where(entries.c.sha256 == sha256)
    row = connection.execute(query).first()
    return None if row is None else Place(row.position, row.province)


def _receive(connection: sa.Connection, log: tree.GrowingLog, arrival: Arrival) -> Held:
    record = arrival.record
    place = place_of(connection, record.sha256)
    if place is not None:
        return Held(False, bytes(connection.execute(place.select(records.c.acknowledgement)).scalar_one()))
    against = _other_chain(connection, record)
    if against is not None:
        _keep_fork(connection, record, against, arrival.now)
        raise CollectorRefused("collector-fork", device=record.device, sequence=record.sequence, record=against.hex())
    _check_correction(connection, record)
    _insert(connection, log.append, arrival)
    return Held(True, arrival.acknowledgement)


def _insert(connection: sa.Connection, append: Callable[[bytes], int], arrival: Arrival) -> None:
    record = arrival.record
    place = {"position": append(record.sha256), "province": province_of(record.tps)}
    connection.execute(entries.insert().values(**place, **{name: getattr(record, name) for name in _IN_ENTRY}))
    values = {name: getattr(record, name) for name in _IN_RECORD} | {"results": dict(record.results)}
    given = {"acknowledgement": arrival.acknowledgement, "received_at": arrival.now}
    connection.execute(records.insert().values(**place, **given, **values))
    shown = [{**place, "page": page, "picture": sha256} for page, sha256 in record.pictures.items()]
    connection.execute(pages.insert(), shown)


def _other_chain(connection: sa.Connection, record: Submission) -> bytes | None:
    """The hash of a stored record of the same key with which this one cannot stand in one chain."""
    near = sa.select(entries.c.sequence, entries.c.sha256, entries.c.previous).where(
        entries.c.kid == record.kid,
        entries.c.sequence.between(record.sequence - 1, record.sequence + 1),
    )
    for sequence, sha256, previous in connection.execute(near):
        before_fits = sequence == record.sequence - 1 and sha256 == record.previous
        after_fits = sequence == record.sequence + 1 and previous == record.sha256
        if not (before_fits or after_fits):
            return bytes(sha256)
    return None


def _keep_fork(connection: sa.Connection, record: Submission, against: bytes, now: int) -> None:
    if connection.execute(sa.select(forks.c.sha256).where(forks.c.sha256 == record.sha256)).first():
        return
    connection.execute(
        forks.insert().values(
            sha256=record.sha256,
            cose=record.cose,
            device=record.device,
            sequence=record.sequence,
            against=against,
            received_at=now,
        )
    )


def _check_correction(connection: sa.Connection, record: Submission) -> None:
    """A correction may come before what it corrects; if both are here they must be of one TPS and contest."""
    related = sa.or_(entries.c.sha256 == record.supersedes, entries.c.supersedes == record.sha256)
    query = sa.select(entries.c.sha256, entries.c.position, entries.c.province).where(related)
    for sha256, position, province in connection.execute(query).all():
        subject = sa.select(records.c.mode, records.c.tps, records.c.contest).where(
            records.c.position == position, records.c.province == province
        )
        if tuple(connection.execute(subject).one()) != (record.mode, record.tps, record.contest):
            raise CollectorRefused("collector-supersedes", record=bytes(sha256).hex())


def _stands() -> sa.ColumnElement[bool]:
    later = entries.alias()
    return ~sa.exists().where(later.c.supersedes == entries.c.sha256)
