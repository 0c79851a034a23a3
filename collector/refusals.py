"""What was refused, counted by code and by who sent it: for the operator. There are as many rows as there are codes
and certificates, whatever is sent."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from collector.database import writing
from collector.tables import refusals

PATH_CHARACTERS = 160
"""Of the address that are kept: those of records and pictures have 80."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often a code was answered to one sender, and what it was last about."""

    code: str
    source: str
    """Who sent it, as in callers.py; empty without a certificate."""
    count: int
    last_at: int
    last_path: str


class Refusals:
    """The counters. A failing database is told to the log: the refusal stands all the same."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def count(self, code: str, source: str, path: str, now: int) -> None:
        """One more."""
        mine = (refusals.c.code == code, refusals.c.source == source)
        last = {"last_at": now, "last_path": path[:PATH_CHARACTERS]}
        try:
            with writing(self._engine) as connection:
                again = refusals.update().where(*mine).values(count=refusals.c.count + 1, **last)
                if connection.execute(again).rowcount == 0:
                    connection.execute(refusals.insert().values(code=code, source=source, count=1, **last))
        except SQLAlchemyError as error:
            _log.error("collector.refusal-not-counted", code=code, problem=str(error))

    def all(self) -> list[RefusalCount]:
        """The most frequent first."""
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            rows = connection.execute(sa.select(refusals).order_by(refusals.c.count.desc(), refusals.c.code))
            return [RefusalCount(*row) for row in rows]
