"""What the collector holds: every version of every record, what was acknowledged, and every fork it was shown.

SQLAlchemy Core; SQLite by default, with WAL and synchronous=FULL, so that what `add` returned is on disk. Nothing is
changed or removed: a correction is one more record that names the one it supersedes.

A key signs one chain. A record that does not fit into it (a second one with the same number, or one whose
neighbours are others than it says) is proof that the key is in two places: it is kept as evidence among the forks and
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import event

from firmware.errors import Refused

BUSY_SECONDS = 10.0
"""How long one thread waits for another one's commit."""


class CollectorRefused(Refused):
    """The collector does not take this record."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A verified record and what the store has to know of it."""

    sha256: bytes
    cose: bytes
    kid: bytes
    """Names the key that signed: a chain belongs to a key."""
    device: str
    """The serial in the device certificate, for people."""
    sequence: int
    previous: bytes
    mode: str
    election: bytes
    tps: str
    contest: str
    form: str
    supersedes: bytes | None


_meta = sa.MetaData()

_records = sa.Table(
    "records",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
    sa.Column("kid", sa.LargeBinary(8), nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("previous", sa.LargeBinary(32), nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("election", sa.LargeBinary(32), nullable=False),
    sa.Column("tps", sa.String(13), nullable=False),
    sa.Column("contest", sa.String(64), nullable=False),
    sa.Column("form", sa.String(64), nullable=False),
    sa.Column("supersedes", sa.LargeBinary(32)),
    sa.Column("received_at", sa.Integer, nullable=False),
    sa.UniqueConstraint("kid", "sequence"),
    sa.Index("records_by_tps", "tps", "contest"),
    sa.Index("records_by_supersedes", "supersedes"),
)

_acknowledgements = sa.Table(
    "acknowledgements",
    _meta,
    sa.Column("record", sa.LargeBinary(32), sa.ForeignKey("records.sha256"), primary_key=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
)

_forks = sa.Table(
    "forks",
    _meta,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("against", sa.LargeBinary(32), nullable=False),
    sa.Column("received_at", sa.Integer, nullable=False),
)


class RecordStore:
    """The open store. Threads may share it. Times are Unix seconds. A failing database raises SQLAlchemyError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")
        _meta.create_all(engine)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The store in `<folder>/collector.sqlite`, made when there is none."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.absolute() / "collector.sqlite"
        engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return cls(engine)

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()

    def add(self, record: Submission, now: int) -> bool:
        """Stores a record once, durable on return; False when it was there. Raises CollectorRefused: `collector-fork`
        (the record is kept as evidence), `collector-supersedes` (it corrects a record of another TPS or contest)."""
        with self._engine.begin() as connection:
            if connection.execute(sa.select(_records.c.id).where(_records.c.sha256 == record.sha256)).first():
                return False
            against = _other_chain(connection, record)
            if against is None:
                _check_correction(connection, record)
                connection.execute(_records.insert().values(**_columns(record), received_at=now))
                return True
            _keep_fork(connection, record, against, now)
        raise CollectorRefused("collector-fork", device=record.device, sequence=record.sequence, record=against.hex())

    def acknowledgement(self, sha256: bytes) -> bytes | None:
        """The acknowledgement that was kept for a record."""
        return self._one(sa.select(_acknowledgements.c.cose).where(_acknowledgements.c.record == sha256))

    def keep_acknowledgement(self, sha256: bytes, cose: bytes) -> bytes:
        """Keeps the acknowledgement of a stored record and returns the one to be given out: the first that was kept."""
        with self._engine.begin() as connection:
            query = sa.select(_acknowledgements.c.cose).where(_acknowledgements.c.record == sha256)
            kept = connection.execute(query).scalar()
            if kept is not None:
                return bytes(kept)
            connection.execute(_acknowledgements.insert().values(record=sha256, cose=cose))
        return cose

    def record(self, sha256: bytes) -> bytes | None:
        """The COSE bytes of a record, superseded or not."""
        return self._one(sa.select(_records.c.cose).where(_records.c.sha256 == sha256))

    def standing(self, tps: str, contest: str) -> tuple[bytes, ...]:
        """The hashes of the records of a TPS and contest that no other one supersedes, oldest first. More than one
        stand when more than one device reported."""
        query = sa.select(_records.c.sha256).where(_records.c.tps == tps, _records.c.contest == contest, _stands())
        with self._reading.connect() as connection:
            return tuple(bytes(row.sha256) for row in connection.execute(query.order_by(_records.c.id)))

    def counts(self) -> dict[str, int]:
        """How much is here, by name."""
        count = sa.func.count
        queries = {
            "records": sa.select(count()).select_from(_records),
            "standing": sa.select(count()).select_from(_records).where(_stands()),
            "devices": sa.select(count(sa.distinct(_records.c.device))),
            "forks": sa.select(count()).select_from(_forks),
        }
        with self._reading.connect() as connection:
            return {name: connection.execute(query).scalar_one() for name, query in queries.items()}

    def _one(self, query: sa.Select[Any]) -> bytes | None:
        with self._reading.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else bytes(found)


def _durable(connection: Any, _record: object) -> None:
    """Every connection: we begin transactions ourselves, and a commit is on disk when it returns."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _columns(record: Submission) -> Mapping[str, Any]:
    return {name: getattr(record, name) for name in Submission.__slots__}


def _other_chain(connection: sa.Connection, record: Submission) -> bytes | None:
    """The hash of a stored record of the same key with which this one cannot stand in one chain."""
    near = sa.select(_records.c.sequence, _records.c.sha256, _records.c.previous).where(
        _records.c.kid == record.kid,
        _records.c.sequence.between(record.sequence - 1, record.sequence + 1),
    )
    for sequence, sha256, previous in connection.execute(near):
        before_fits = sequence == record.sequence - 1 and sha256 == record.previous
        after_fits = sequence == record.sequence + 1 and previous == record.sha256
        if not (before_fits or after_fits):
            return bytes(sha256)
    return None


def _keep_fork(connection: sa.Connection, record: Submission, against: bytes, now: int) -> None:
    if connection.execute(sa.select(_forks.c.sha256).where(_forks.c.sha256 == record.sha256)).first():
        return
    connection.execute(
        _forks.insert().values(
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
    related = sa.or_(_records.c.sha256 == record.supersedes, _records.c.supersedes == record.sha256)
    query = sa.select(_records.c.sha256, _records.c.mode, _records.c.tps, _records.c.contest).where(related)
    for sha256, *subject in connection.execute(query):
        if subject != [record.mode, record.tps, record.contest]:
            raise CollectorRefused("collector-supersedes", record=bytes(sha256).hex())


def _stands() -> sa.ColumnElement[bool]:
    later = _records.alias()
    return ~sa.exists().where(later.c.supersedes == _records.c.sha256)
