"""A worker that brings records from the queue into the database. Any number of them may run, on any machines.

    C1KIOSK_COLLECTOR=/etc/c1kiosk/collector.toml python -m collector.drain

What is taken together is verified again, and so are the acknowledgements (a queue is no authority), committed in one
transaction, and only then done for the queue. A worker that is killed in between, or a message that comes twice,
changes nothing: a record is stored once by its hash. While the database is away the worker waits with what it has;
nothing is set aside for that.

A message that is no record, or none that can be stored, must not hold up the others: it is kept as it came, with the
code of what is wrong (aside.py), and leaves the queue. The operator sees how many there are; `--again` tries them once
more, after a trust folder or a program was put right. Forks are evidence and stay among the forks.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import click
import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from collector.aside import Aside, forget, keep, kept
from collector.database import open_engine, writing
from collector.intake import open_queue, read
from collector.logs import log_to_stderr
from collector.migrate import migrate
from collector.nats_queue import Message
from collector.receiving import Arrival, receive_all
from collector.settings import ENVIRONMENT, Settings
from collector.submission import submission_of
from firmware.errors import Refused
from firmware.messages import both
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement

BATCH = 256
"""Messages of one transaction: a quarter of a second of verification, a megabyte of records."""
WAIT_SECONDS = 1.0
"""How long a worker waits for the first message: as long as its end may take."""
PAUSE_SECONDS = 1.0
"""Between two attempts while database or queue are away."""

_log = structlog.get_logger(__name__)


class Source(Protocol):
    """What a worker needs of a queue; both raise OSError when it does not answer in time."""

    def take(self, most: int, seconds: float) -> Sequence[Message]:
        """Messages that are mine for a while."""

    def done(self, messages: Sequence[Message]) -> None:
        """They are committed."""


class Worker:
    """One worker. `clock` gives Unix seconds, `pause` waits and is cut short when the worker has to end."""

    def __init__(
        self,
        source: Source,
        engine: sa.Engine,
        trust: TrustRoots,
        clock: Callable[[], float],
        pause: Callable[[float], object],
    ) -> None:
        self._source = source
        self._engine = engine
        self._trust = trust
        self._clock = clock
        self._pause = pause

    def run(self, stop: threading.Event) -> None:
        """Drains until `stop` is set; what is then in hand comes again to another worker."""
        while not stop.is_set():
            try:
                self.round(stop)
            except OSError as error:
                _log.warning("drain.queue", problem=str(error))
                self._pause(PAUSE_SECONDS)

    def round(self, stop: threading.Event) -> int:
        """Takes what there is and commits it; how many that were. Raises OSError when the queue is away."""
        taken = self._source.take(BATCH, WAIT_SECONDS)
        if not taken:
            return 0
        arrivals, aside = self._sorted([(message.name, message.data) for message in taken])
        if not self._store(arrivals, aside, stop):
            return 0
        self._source.done(taken)
        _log.info("drain.committed", records=len(arrivals), set_aside=len(aside))
        return len(taken)

    def again(self) -> tuple[int, int]:
        """Tries once more what was set aside: how many were tried, how many are still there."""
        before = kept(self._engine)
        arrivals, _aside = self._sorted(before)
        for arrival, message in arrivals:
            with writing(self._engine) as connection:
                (outcome,) = receive_all(connection, [arrival])
                if not isinstance(outcome, Exception):
                    forget(connection, message)
        return len(before), len(kept(self._engine))

    def _sorted(self, messages: Sequence[tuple[str, bytes]]) -> tuple[list[tuple[Arrival, bytes]], list[Aside]]:
        """Verified records with their messages, and what is none."""
        arrivals, aside = [], []
        for name, message in messages:
            try:
                waiting = read(message)
                record = submission_of(name, waiting.cose, self._trust)
                verify_acknowledgement(waiting.acknowledgement, self._trust, record.sha256)
                arrivals.append((Arrival(record, waiting.acknowledgement, waiting.now), message))
            except Refused as refusal:
                aside.append(Aside(name, message, refusal.code))
            except msgspec.MsgspecError:
                aside.append(Aside(name, message, "collector-queue-message"))
            except Exception:  # noqa: BLE001 - it is about this message, and the others must not wait for it
                _log.exception("drain.unexpected", record=name)
                aside.append(Aside(name, message, "collector-queue-unexpected"))
        return arrivals, aside

    def _store(self, arrivals: Sequence[tuple[Arrival, bytes]], aside: Sequence[Aside], stop: threading.Event) -> bool:
        """On disk when True; False when the worker has to end before the database is back."""
        while True:
            try:
                self._commit(arrivals, aside)
                return True
            except SQLAlchemyError as error:
                if not _away(error):
                    return self._one_by_one(arrivals, aside, error, stop)
                _log.warning("drain.database", problem=str(error))
            if stop.is_set():
                return False
            self._pause(PAUSE_SECONDS)

    def _one_by_one(
        self,
        arrivals: Sequence[tuple[Arrival, bytes]],
        aside: Sequence[Aside],
        error: SQLAlchemyError,
        stop: threading.Event,
    ) -> bool:
        """The database takes part of this, and not all of it."""
        if len(arrivals) + len(aside) == 1:
            if aside:
                raise error  # not even that can be written: not a message's fault
            arrival, message = arrivals[0]
            _log.error("drain.refused-by-database", record=arrival.record.sha256.hex(), problem=str(error))
            return self._store([], [Aside(arrival.record.sha256.hex(), message, "collector-queue-database")], stop)
        return all(
            [*(self._store([one], [], stop) for one in arrivals), *(self._store([], [one], stop) for one in aside)]
        )

    def _commit(self, arrivals: Sequence[tuple[Arrival, bytes]], aside: Sequence[Aside]) -> None:
        with writing(self._engine) as connection:
            outcomes = receive_all(connection, [arrival for arrival, _message in arrivals])
            refused = [
                Aside(arrival.record.sha256.hex(), message, outcome.code)
                for (arrival, message), outcome in zip(arrivals, outcomes, strict=True)
                if isinstance(outcome, Refused) and outcome.code != "collector-fork"
            ]
            for entry in (*aside, *refused):
                keep(connection, entry, int(self._clock()))


def _away(error: SQLAlchemyError) -> bool:
    """The database is not there, or gave up what it did: nothing that a record could be to blame for."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError) or not isinstance(error, DBAPIError)


@click.command()
@click.option("--again", is_flag=True, help="Try what was set aside once more, say how much is left, and end.")
def main(again: bool) -> None:
    """Bring records from the queue into the database."""
    log_to_stderr()
    try:
        settings = Settings.load(Path(os.environ[ENVIRONMENT]))
        queue = open_queue(settings)
        trust = TrustRoots.load(settings.path(settings.file.trust))
    except KeyError:
        raise SystemExit(f"{ENVIRONMENT} has to name collector.toml") from None
    except Refused as refusal:
        raise SystemExit(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}") from refusal
    if queue is None:
        raise SystemExit("collector.toml has no [queue]")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(settings.path(settings.file.data), settings.file.database)
    worker = Worker(queue, engine, trust, time.time, stop.wait)
    try:
        if again:
            tried, left = worker.again()
            return click.echo(f"tried {tried}, still set aside {left}")
        _migrated(engine, stop)
        worker.run(stop)
    finally:
        queue.close()
        engine.dispose()


def _migrated(engine: sa.Engine, stop: threading.Event) -> None:
    """The tables are made, as soon as there is a database."""
    while not stop.is_set():
        try:
            migrate(engine)
            return
        except OperationalError as error:
            _log.warning("drain.database", problem=str(error))
            stop.wait(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
