"""Records through a real cluster of three NATS nodes, while its leader, the database and the workers are killed.

gunicorn with two processes publishes over TLS, two workers drain into a real PostgreSQL; every record is handed in
twice, by different senders, at about the same time. Nothing may be refused, lost or doubled: every acknowledgement is
compared with the store.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import nats
import pytest
import sqlalchemy as sa
from nats.js.api import StorageType

from collector import aside
from collector.nats_queue import STREAM, SUBJECTS, NatsQueue, QueueUnavailable
from collector.settings import Settings
from collector.store import RecordStore
from collector.tables import entries, records
from firmware.signing import merkle
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement
from tests.bench.collector import UnixConnection
from tests.bench.night_load import NAME, Load, make_load
from tests.system.gunicorn import Papers, start, write_settings
from tests.system.nats_cluster import Cluster, cluster, program, wait_for
from tests.system.postgres import Postgres, programs, running

pytestmark = pytest.mark.system

MEASURE = os.environ.get("C1KIOSK_MEASURE") == "1"
KIOSKS = 2400 if MEASURE else 120
OUTAGE_SECONDS = 600.0 if MEASURE else 4.0
"""How long the database is stopped."""
WORKER_KILLS = 60 if MEASURE else 6
LEADER_KILLS = 6 if MEASURE else 1
WORKERS = 2
SENDERS = 8
DRAINED_SECONDS = 120.0
SEED = 20240214


@dataclass
class Given:
    """Everything that the senders were ever answered."""

    acknowledged: list[tuple[str, bytes]] = field(default_factory=list)
    refused: list[tuple[str, int, bytes]] = field(default_factory=list)
    slowest: float = 0.0


class Rig:
    """Queue, database, gunicorn and workers; each part may be killed."""

    def __init__(self, folder: Path, load: Load, nodes: Cluster, database: Postgres) -> None:
        self.folder, self.load, self.nodes, self.database = folder, load, nodes, database
        papers = Papers.make(folder / "papers", "QUEUE-0000")
        self.socket = str(folder / "http")
        self.settings = write_settings(
            papers,
            folder / "data",
            load.trust,
            NAME,
            address=f"unix:{self.socket}",
            tls=False,
            workers=2,
            database=database.url,
        )
        with self.settings.open("a", encoding="utf-8") as file:
            file.write(nodes.toml)
        self.certificate = quote(papers.path("forwarder.pem").read_text())
        opened = Settings.load(self.settings)
        self.queue = NatsQueue(nodes.settings.servers, tls=opened.queue_tls())
        self.workers: list[subprocess.Popen[bytes]] = []
        self.http: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        wait_for(self.queue)
        for _ in range(WORKERS):
            self.workers.append(self._worker())
        self.http = start(self.settings, self.folder / "gunicorn.log")
        until = time.monotonic() + 60
        while not Path(self.socket).exists():
            assert time.monotonic() < until
            time.sleep(0.05)

    def _worker(self) -> subprocess.Popen[bytes]:
        with (self.folder / "drain.log").open("ab") as log:
            command = [sys.executable, "-m", "collector.drain"]
            environment = os.environ | {"C1KIOSK_COLLECTOR": str(self.settings)}
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill_worker(self, number: int) -> None:
        self.workers[number].kill()
        self.workers[number].wait()
        self.workers[number] = self._worker()

    def end(self) -> None:
        for process in (*self.workers, *([self.http] if self.http else [])):
            process.terminate()
            process.wait()
        self.queue.close()

    @contextmanager
    def sending(self, sent: list[tuple[str, bytes]], seconds: float = 0.0) -> Iterator[Given]:
        """Hands in every record twice while the body runs, spread over `seconds`."""
        given, lock = Given(), threading.Lock()
        began, pace = time.monotonic(), seconds / len(sent)
        doubled = iter([(at, record) for at, record in enumerate(sent) for _ in range(2)])

        def send() -> None:
            connection = UnixConnection(self.socket)
            while True:
                with lock:
                    entry = next(doubled, None)
                if entry is None:
                    return connection.close()
                at, (name, cose) = entry
                time.sleep(max(0.0, began + at * pace - time.monotonic()))
                asked = time.monotonic()
                connection.request("PUT", f"/v1/records/{name}", cose, {"X-Client-Certificate": self.certificate})
                answer = connection.getresponse()
                said = answer.read()
                with lock:
                    given.slowest = max(given.slowest, time.monotonic() - asked)
                    if answer.status in (200, 201):
                        given.acknowledged.append((name, said))
                    else:
                        given.refused.append((name, answer.status, said))

        threads = [threading.Thread(target=send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        yield given
        for thread in threads:
            thread.join()

    def drained(self) -> float:
        """Seconds until nothing waits any more."""
        began = time.monotonic()
        while self.queue.backlog().messages:
            assert time.monotonic() < began + DRAINED_SECONDS, self.queue.backlog()
            time.sleep(0.1)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    where = programs()
    if where is None or program() is None:
        pytest.skip("PostgreSQL or nats-server is not installed")
    folder = tmp_path_factory.mktemp("queue")
    with ExitStack() as stack:
        outside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outside.chmod(0o755)
        nodes = stack.enter_context(cluster(folder / "nodes"))
        database = stack.enter_context(running(outside / "cluster", where))
        rig = Rig(folder, make_load(folder, KIOSKS), nodes, database)
        stack.callback(rig.end)
        rig.begin()
        yield rig


@pytest.fixture(scope="module")
def parts(rig: Rig) -> Iterator[list[tuple[str, bytes]]]:
    """A third of the records for each test."""
    size = len(rig.load.records) // 3
    return iter([rig.load.records[at : at + size] for at in (0, size, 2 * size)])


def compare(rig: Rig, given: Given, sent: list[tuple[str, bytes]]) -> None:
    """Nothing refused, nothing lost, nothing doubled, and every acknowledgement is true."""
    assert given.refused == []
    assert len(given.acknowledged) == 2 * len(sent)
    trust = TrustRoots.load(rig.load.trust)
    answers: dict[str, set[bytes]] = {}
    for name, acknowledgement in given.acknowledged:
        verify_acknowledgement(acknowledgement, trust, bytes.fromhex(name))
        answers.setdefault(name, set()).add(acknowledgement)
    with closing(RecordStore.open(rig.folder / "data", rig.database.url, migrating=False)) as store:
        entered, stored = held(store)
        for name, cose in sent:
            assert stored[name][0] == cose
            assert stored[name][1] in answers[name]
        counts, (size, root) = store.counts(), store.head()
        assert counts["records"] == size == len(entered) == len(stored)
        assert merkle.root(entered) == root
        assert (counts["forks"], aside.kept_by_code(store.reading)) == (0, [])


def held(store: RecordStore) -> tuple[list[bytes], dict[str, tuple[bytes, bytes]]]:
    """The hashes in the order of the log, and what is stored for each."""
    columns = (entries.c.position, entries.c.sha256, records.c.cose, records.c.acknowledgement)
    query = sa.select(*columns).join(records, records.c.position == entries.c.position).order_by(entries.c.position)
    with store.reading.connect() as connection:
        rows = connection.execute(query).all()
    assert [row.position for row in rows] == list(range(len(rows)))
    stored = {bytes(row.sha256).hex(): (bytes(row.cose), bytes(row.acknowledgement)) for row in rows}
    return [bytes(row.sha256) for row in rows], stored


def run(rig: Rig, sent: list[tuple[str, bytes]], seconds: float, trouble: Callable[[], None], what: str) -> None:
    with rig.sending(sent, seconds) as given:
        trouble()
    waited = rig.drained()
    compare(rig, given, sent)
    print(
        f"{what}: {len(given.acknowledged)} acknowledgements of {len(sent)} records, the slowest after "
        f"{given.slowest:.1f} s; the queue was empty {waited:.1f} s after the last"
    )


def test_the_database_is_stopped_under_load(rig: Rig, parts: Iterator[list[tuple[str, bytes]]]) -> None:
    def trouble() -> None:
        time.sleep(1)
        rig.database.stop("immediate")
        time.sleep(OUTAGE_SECONDS)
        rig.database.start()

    run(rig, next(parts), OUTAGE_SECONDS + 3, trouble, f"database stopped for {OUTAGE_SECONDS:.0f} s")


def test_workers_are_killed_under_load(rig: Rig, parts: Iterator[list[tuple[str, bytes]]]) -> None:
    dice = random.Random(SEED)

    def trouble() -> None:
        for kill in range(WORKER_KILLS):
            time.sleep(dice.uniform(0, 1.0))
            rig.kill_worker(kill % WORKERS)

    run(rig, next(parts), WORKER_KILLS * 0.5, trouble, f"{WORKER_KILLS} workers killed")


def test_the_leader_is_killed_under_load(rig: Rig, parts: Iterator[list[tuple[str, bytes]]]) -> None:
    """With SIGKILL, as a power cut does; and one more that only stops to answer."""

    def trouble() -> None:
        for _ in range(LEADER_KILLS):
            time.sleep(1)
            leader = rig.nodes.leader()
            rig.nodes.kill(leader)
            time.sleep(6)
            rig.nodes.start(leader)
            time.sleep(3)
        leader = rig.nodes.leader()
        rig.nodes.send(leader, signal.SIGSTOP)
        time.sleep(3)
        rig.nodes.send(leader, signal.SIGCONT)

    run(rig, next(parts), 11.0 * LEADER_KILLS, trouble, f"{LEADER_KILLS} leaders killed")


def test_a_stream_that_keeps_less_than_is_promised(tmp_path: Path) -> None:
    """Somebody made it by hand, in memory: nothing is acknowledged on its word. Without TLS, as on one machine."""
    if program() is None:
        pytest.skip("nats-server is not installed")

    async def make(servers: list[str]) -> None:
        client = await nats.connect(servers)
        await client.jetstream(timeout=30).add_stream(
            name=STREAM, subjects=[SUBJECTS + "*"], storage=StorageType.MEMORY, num_replicas=3
        )
        await client.close()

    with cluster(tmp_path / "nodes", tls=False) as nodes:
        ours = NatsQueue(nodes.settings.servers)
        time.sleep(5)  # until they have found each other
        with ThreadPoolExecutor() as pool:  # a browser of another test may have its loop in this thread
            pool.submit(asyncio.run, make(list(nodes.settings.servers))).result()
        with pytest.raises(QueueUnavailable, match="made otherwise: retention, storage"):
            ours.publish("0" * 64, b"x")
        ours.close()


def test_a_stranger_asks_the_nodes(rig: Rig) -> None:
    """Whoever shows no certificate of the queue's authority is not heard."""
    context = ssl.create_default_context(cafile=rig.nodes.settings.ca)
    stranger = NatsQueue(rig.nodes.settings.servers, tls=context)
    with pytest.raises(QueueUnavailable):
        stranger.find("0" * 64)
    stranger.close()
