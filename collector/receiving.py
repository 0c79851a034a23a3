"""What becomes of verified records that are stored together, in one transaction of a writer.

A key signs one chain. A record that does not fit into it (a second one with the same number, or one whose neighbours
are others than it says) is proof that the key is in two places: it is kept as evidence among the forks and refused.
The database is asked once about all of them and written to four times, however many they are; what the first of them
changes for the next is known without asking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from collector.contradictions import note_contradictions
from collector.provinces import province_of
from collector.submission import CollectorRefused, Submission
from collector.tables import entries, forks, pages, records
from collector.tree import GrowingLog

_IN_ENTRY = ("sha256", "kid", "sequence", "previous", "supersedes")
_IN_RECORD = ("cose", "device", "mode", "election", "tps", "contest", "form", "failed")

Subject = tuple[str, str, str]
"""Mode, TPS and contest."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified record, the acknowledgement that it gets once it is stored, and when it came (Unix seconds)."""

    record: Submission
    acknowledgement: bytes
    now: int


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is stored, and the acknowledgement that was stored with it."""

    new: bool
    acknowledgement: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a record are: with the province as a constant PostgreSQL opens one part, not 39."""

    position: int
    province: str

    def select(self, *columns: sa.Column[Any]) -> sa.Select[Any]:
        """Columns of a divided table, for this record."""
        table = columns[0].table
        return sa.select(*columns).where(table.c.position == self.position, table.c.province == self.province)


@dataclass(frozen=True, slots=True)
class _Known:
    """An entry that matters to the arrivals: stored before (`arrival` is None), or one of them."""

    place: Place
    sha256: bytes
    previous: bytes
    arrival: Arrival | None = None


class _Turn:
    """The arrivals of one transaction, and the entries around them."""

    def __init__(self, connection: sa.Connection, arrived: Sequence[Submission]) -> None:
        self._connection = connection
        self._log = GrowingLog(connection)
        self._by_hash: dict[bytes, _Known] = {}
        self._by_number: dict[tuple[bytes, int], _Known] = {}
        self._corrections: dict[bytes, list[_Known]] = {}
        self._added: list[tuple[Place, Arrival]] = []
        for row in connection.execute(_around(arrived)) if arrived else ():
            entry = _Known(Place(row.position, row.province), bytes(row.sha256), bytes(row.previous))
            self._know(entry, bytes(row.kid), row.sequence, row.supersedes)

    def receive(self, arrival: Arrival) -> Held:
        """One of them; raises CollectorRefused."""
        record = arrival.record
        known = self._by_hash.get(record.sha256)
        if known is not None:
            return Held(False, self._acknowledgement(known))
        against = self._other_chain(record)
        if against is not None:
            _keep_fork(self._connection, record, against, arrival.now)
            raise CollectorRefused(
                "collector-fork", device=record.device, sequence=record.sequence, record=against.hex()
            )
        self._check_correction(record)
        place = Place(self._log.append(record.sha256), province_of(record.tps))
        self._added.append((place, arrival))
        entry = _Known(place, record.sha256, record.previous, arrival)
        self._know(entry, record.kid, record.sequence, record.supersedes)
        return Held(True, arrival.acknowledgement)

    def write(self) -> None:
        """Puts what was added into the transaction."""
        if not self._added:
            return
        rows = [_rows(place, arrival) for place, arrival in self._added]
        self._connection.execute(entries.insert(), [entry for entry, _record, _pages in rows])
        self._connection.execute(records.insert(), [record for _entry, record, _pages in rows])
        self._connection.execute(pages.insert(), [page for _entry, _record, shown in rows for page in shown])
        self._log.write()

    def _know(self, entry: _Known, kid: bytes, sequence: int, supersedes: bytes | None) -> None:
        self._by_hash[entry.sha256] = entry
        self._by_number[kid, sequence] = entry
        if supersedes is not None:
            self._corrections.setdefault(bytes(supersedes), []).append(entry)

    def _acknowledgement(self, known: _Known) -> bytes:
        if known.arrival is not None:
            return known.arrival.acknowledgement
        return bytes(self._connection.execute(known.place.select(records.c.acknowledgement)).scalar_one())

    def _other_chain(self, record: Submission) -> bytes | None:
        """The hash of another record of the same key with which this one cannot stand in one chain."""
        before, same, after = (self._by_number.get((record.kid, record.sequence + step)) for step in (-1, 0, 1))
        if before is not None and before.sha256 != record.previous:
            return before.sha256
        if same is not None:
            return same.sha256
        if after is not None and after.previous != record.sha256:
            return after.sha256
        return None

    def _check_correction(self, record: Submission) -> None:
        """A correction may come before what it corrects; if both are here they must be of one TPS and contest."""
        corrected = self._by_hash.get(record.supersedes) if record.supersedes is not None else None
        related = [*([corrected] if corrected else ()), *self._corrections.get(record.sha256, ())]
        for entry in related:
            if self._subject(entry) != _subject_of(record):
                raise CollectorRefused("collector-supersedes", record=entry.sha256.hex())

    def _subject(self, known: _Known) -> Subject:
        if known.arrival is not None:
            return _subject_of(known.arrival.record)
        query = known.place.select(records.c.mode, records.c.tps, records.c.contest)
        mode, tps, contest = self._connection.execute(query).one()
        return mode, tps, contest


def receive_all(connection: sa.Connection, arrivals: Sequence[Arrival]) -> list[Held | Exception]:
    """What becomes of each; committed by the caller. Refusals are `collector-fork` and `collector-supersedes`."""
    turn = _Turn(connection, [arrival.record for arrival in arrivals])
    outcomes: list[Held | Exception] = []
    for arrival in arrivals:
        try:
            outcomes.append(turn.receive(arrival))
        except CollectorRefused as refusal:
            outcomes.append(refusal)
    turn.write()
    stored = [arrival for arrival, held in zip(arrivals, outcomes, strict=True) if isinstance(held, Held) and held.new]
    if stored:
        note_contradictions(connection, {arrival.record.kid for arrival in stored}, stored[0].now)
    return outcomes


def place_of(connection: sa.Connection, sha256: bytes) -> Place | None:
    """Where a record is; None for an unknown one."""
    query = sa.select(entries.c.position, entries.c.province).where(entries.c.sha256 == sha256)
    row = connection.execute(query).first()
    return None if row is None else Place(row.position, row.province)


def _around(arrived: Iterable[Submission]) -> sa.Select[Any]:
    """The entries that an arrival may be, follow, precede, correct or be corrected by."""
    hashes = [record.sha256 for record in arrived]
    corrected = [record.supersedes for record in arrived if record.supersedes is not None]
    numbers = [record.sequence for record in arrived]
    chains = sa.and_(
        entries.c.kid.in_({record.kid for record in arrived}),
        entries.c.sequence.between(min(numbers) - 1, max(numbers) + 1),
    )
    here = entries.c.sha256.in_([*hashes, *corrected])
    return sa.select(entries).where(sa.or_(here, chains, entries.c.supersedes.in_(hashes)))


def _rows(place: Place, arrival: Arrival) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Of entries, of records and of pages."""
    record = arrival.record
    where = {"position": place.position, "province": place.province}
    values = {name: getattr(record, name) for name in _IN_RECORD} | {"results": dict(record.results)}
    return (
        where | {name: getattr(record, name) for name in _IN_ENTRY},
        where | values | {"acknowledgement": arrival.acknowledgement, "received_at": arrival.now},
        [where | {"page": page, "picture": name} for page, name in record.pictures.items()],
    )


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


def _subject_of(record: Submission) -> Subject:
    return record.mode, record.tps, record.contest
