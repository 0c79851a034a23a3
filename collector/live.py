"""The recapitulation kept up to date: each process reads what was stored since it last looked.

Records and pictures are numbered without gaps in the order of commits (database.py), so nothing is overlooked; what a
process holds can always be read again from the database.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from collector.night import Night, Report
from collector.tables import entries, pages, pictures, records
from firmware.config import Election

FRESH_SECONDS = 1.0
"""A page shows what was stored this long ago at the latest: many readers cost one look."""


class Live:
    """The night as it is now."""

    def __init__(self, reading: sa.Engine, election: Election, clock: Callable[[], float]) -> None:
        self._reading = reading
        self._clock = clock
        self._night = Night(
            [station.code for station in election.polling_stations], [contest.id for contest in election.contests]
        )
        self._records = self._pictures = 0
        """How many of each were taken."""
        self._looked_at = float("-inf")
        self._lock = threading.Lock()

    @contextmanager
    def night(self) -> Iterator[Night]:
        """The night, for one thread at a time. Raises SQLAlchemyError."""
        with self._lock:
            now = self._clock()
            if not 0 <= now - self._looked_at < FRESH_SECONDS:
                self._look()
                self._looked_at = now
            yield self._night

    def _look(self) -> None:
        with self._reading.connect() as connection:
            shown = _pages_from(connection, self._records)
            query = _query.where(entries.c.position >= self._records, records.c.position >= self._records)
            reports = [_report(row, shown[row.position]) for row in connection.execute(query)]
            new = sa.select(pictures.c.sha256).where(pictures.c.number >= self._pictures)
            arrived = [bytes(row.sha256) for row in connection.execute(new)]
        reports = [report for report in reports if report.pictures]  # what came between the two queries is for later
        self._night.take(reports, arrived)
        self._records += len(reports)
        self._pictures += len(arrived)


_COLUMNS = ("device", "tps", "contest", "results", "failed", "received_at")
_query = (
    sa.select(entries.c.position, entries.c.sha256, entries.c.supersedes, *(records.c[name] for name in _COLUMNS))
    .join(records, entries.c.position == records.c.position)
    .order_by(entries.c.position)
)


def _pages_from(connection: sa.Connection, position: int) -> dict[int, dict[int, bytes]]:
    found: defaultdict[int, dict[int, bytes]] = defaultdict(dict)
    for row in connection.execute(sa.select(pages).where(pages.c.position >= position)):
        found[row.position][row.page] = bytes(row.picture)
    return found


def _report(row: sa.Row[tuple[object, ...]], shown: dict[int, bytes]) -> Report:
    return Report(
        sha256=bytes(row.sha256),
        device=row.device,
        tps=row.tps,
        contest=row.contest,
        supersedes=None if row.supersedes is None else bytes(row.supersedes),
        results=row.results,
        failed=row.failed,
        pictures=shown,
        received_at=row.received_at,
    )
