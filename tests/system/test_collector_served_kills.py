"""gunicorn is killed at random moments under load: a worker, the master alone, all of it; on SQLite and PostgreSQL.

A master that is killed leaves its workers behind for a moment, which go on answering while the next master starts its
own: both write to the same database and the same folder.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from collector.store import RecordStore
from tests.bench.collector import UnixConnection
from tests.bench.night_load import NAME, Load, make_load
from tests.system.gunicorn import START_SECONDS, Papers, start, write_settings
from tests.system.postgres import programs, running
from tests.system.test_collector_kills import KIOSKS, SEED, Senders, compare

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("C1KIOSK_KILLS", "6"))
PROCESSES = 2
LONGEST_PAUSE = 0.5
"""Seconds after an answer until the next kill, at most."""


class Served:
    """gunicorn on a Unix socket."""

    def __init__(self, folder: Path, load: Load, database: str) -> None:
        self.load = load
        self.papers = Papers.make(folder / "papers", "KILLS-0000")
        self.socket, self._log = str(folder / "http"), folder / "gunicorn.log"
        self._settings = write_settings(
            self.papers,
            folder / "data",
            load.trust,
            NAME,
            address=f"unix:{self.socket}",
            tls=False,
            workers=PROCESSES,
            database=database,
        )
        self.process = start(self._settings, self._log)

    def senders(self) -> Senders:
        certificate = quote(self.papers.path("forwarder.pem").read_text(encoding="ascii"))
        return Senders(self.load, lambda: UnixConnection(self.socket), {"X-Client-Certificate": certificate})

    def kill_worker(self, dice: random.Random) -> None:
        """The master makes another one."""
        workers = self._workers()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(dice.choice(workers), signal.SIGKILL)

    def kill_master(self, *, all_of_it: bool) -> None:
        """And start the next, whatever is left of this one."""
        if all_of_it:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        self.process = start(self._settings, self._log)

    def _workers(self) -> list[int]:
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextmanager
def served(folder: Path, load: Load, database: str) -> Iterator[Served]:
    gunicorn = Served(folder, load, database)
    try:
        yield gunicorn
    finally:
        gunicorn.stop()


def kill_again_and_again(gunicorn: Served) -> Senders:
    """KILLS times, in turn a worker, the master, everything; each after an answer to a record that came since."""
    dice, senders = random.Random(SEED), gunicorn.senders()
    with senders.running():
        for kill in range(KILLS):
            seen, until = len(senders.acknowledged), time.monotonic() + START_SECONDS
            while len(senders.acknowledged) == seen and not senders.empty.is_set():
                assert time.monotonic() < until
                time.sleep(0.002)
            time.sleep(dice.uniform(0, LONGEST_PAUSE))
            if kill % 3 == 0:
                gunicorn.kill_worker(dice)
            else:
                gunicorn.kill_master(all_of_it=kill % 3 == 2)
    return senders


def test_gunicorn_on_sqlite_under_kills(tmp_path: Path) -> None:
    load = make_load(tmp_path, KIOSKS)
    with served(tmp_path, load, "") as gunicorn:
        senders = kill_again_and_again(gunicorn)
    with closing(RecordStore.open(tmp_path / "data")) as store:
        compare(senders, load, store, KILLS)


def test_gunicorn_on_postgres_under_kills(tmp_path: Path) -> None:
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    load = make_load(tmp_path, KIOSKS)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "cluster", where) as cluster:
            with served(tmp_path, load, cluster.url) as gunicorn:
                senders = kill_again_and_again(gunicorn)
            with closing(RecordStore.open(tmp_path / "data", cluster.url)) as store:
                compare(senders, load, store, KILLS)
