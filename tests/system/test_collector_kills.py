"""The collector is killed at random moments under load, and its database too: what was acknowledged is there, once."""

from __future__ import annotations

import faulthandler
import hashlib
import http.client
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from collector.app import create_app
from collector.pictures import PictureFolder
from collector.store import RecordStore
from firmware.http import LOOPBACK, serve_loopback
from firmware.signing import merkle
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement
from tests.bench.night_load import NAME, PAGES, Load, make_load, picture
from tests.collectors import announcing, piece
from tests.simulators.room import free_port
from tests.system.postgres import programs, running

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("C1KIOSK_KILLS", "100"))
KIOSKS = 400
SENDERS = 4
LONGEST_LIFE = 0.25
"""Seconds after its first answer until a collector is killed, at most."""
PIECE_BYTES = 3000
SEED = 20240214


def serve(data: Path, trust: Path, port: int, database: str) -> None:
    """One life of a collector."""
    faulthandler.enable()
    roots, key = TrustRoots.load(trust), open_collector_key(data / "key", NAME)
    serve_loopback(create_app(RecordStore.open(data, database), roots, key, time.time), port)


class Senders:
    """Threads that hand in every record until it is acknowledged, and keep every acknowledgement they ever got."""

    def __init__(
        self, load: Load, connect: Callable[[], http.client.HTTPConnection], shown: Mapping[str, str] | None = None
    ) -> None:
        self._load = load
        self._records = iter(load.records)
        self._connect = connect
        self._shown = shown or {}
        """Headers that nginx would add."""
        self._lock = threading.Lock()
        self.acknowledged: list[tuple[str, bytes]] = []
        self.refused: list[tuple[int, bytes]] = []
        self.stop = threading.Event()
        self.empty = threading.Event()
        self.pictures: dict[str, bytes] = {}
        """Pictures of which the collector said that all is there."""
        self.broken: list[str] = []
        """Promises about bytes of pictures that were not kept."""
        self._threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        self._threads.append(threading.Thread(target=self._send_pictures))

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while not self.stop.is_set():
            with self._lock:
                record = next(self._records, None)
            if record is None:
                self.empty.set()
                return
            while not self.stop.is_set() and not self._put(*record):
                time.sleep(0.005)

    def _put(self, name: str, cose: bytes) -> bool:
        """Half of what was acknowledged is sent once more, as after an answer that got lost."""
        connection = self._connect()
        with closing(connection), suppress(OSError, http.client.HTTPException):
            for _ in range(random.randint(1, 2)):
                connection.request("PUT", f"/v1/records/{name}", body=cose, headers=self._shown)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status not in (200, 201):
                    self.refused.append((answer.status, body))
                    return False
                with self._lock:
                    self.acknowledged.append((name, body))
            return True
        return False

    def _send_pictures(self) -> None:
        """Those of every record that was acknowledged, piece by piece; what was counted must still be."""
        taken = 0
        while not self.stop.is_set():
            if taken == len(self.acknowledged):
                time.sleep(0.01)
                continue
            record, taken = self.acknowledged[taken][0], taken + 1
            for page in PAGES:
                self._send_picture(record, picture(self._load.stations[record], page))

    def _send_picture(self, record: str, data: bytes) -> None:
        name, counted = hashlib.sha256(data).hexdigest(), 0
        while not self.stop.is_set() and counted < len(data):
            offset = self._ask("POST", "", announcing(name, record, len(data)))
            while offset is not None and offset < len(data):
                if offset < counted:
                    self.broken.append(f"{name}: {offset} after {counted}")
                counted = offset
                cut = data[offset : offset + PIECE_BYTES]
                offset = self._ask("PATCH", f"/{name}", piece(cut, offset), cut)
            counted = counted if offset is None else offset
        if counted == len(data):
            self.pictures[name] = data

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int | None:
        """The offset that the collector answers; None when it does not."""
        connection = self._connect()
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request(method, f"/v1/pictures{path}", body=body, headers={**headers, **self._shown})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status in (201, 204):
                return int(answer.headers["Upload-Offset"])
            if answer.status not in (409, 503):
                self.broken.append(f"{method} {answer.status} {said!r}")
        time.sleep(0.005)
        return None


def lives(data: Path, load: Load, port: int, database: str, between: Callable[[int], None]) -> Senders:
    """KILLS collectors, one after the other, each killed while records come in."""
    spawn = multiprocessing.get_context("forkserver")
    spawn.set_forkserver_preload(["tests.system.test_collector_kills"])
    dice = random.Random(SEED)
    senders = Senders(load, lambda: http.client.HTTPConnection(LOOPBACK, port, timeout=10))
    with senders.running():
        for life in range(KILLS):
            process = spawn.Process(target=serve, args=(data, load.trust, port, database))
            process.start()
            seen = len(senders.acknowledged)
            while len(senders.acknowledged) == seen and not senders.empty.is_set():
                assert process.exitcode is None
                time.sleep(0.002)
            time.sleep(dice.uniform(0, LONGEST_LIFE))
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            between(life)
    return senders


def compare(senders: Senders, load: Load, store: RecordStore, kills: int = KILLS) -> None:
    """Every acknowledgement against the store: nothing lost, nothing doubled, one acknowledgement for each record."""
    trust, bytes_of = TrustRoots.load(load.trust), dict(load.records)
    given = dict(senders.acknowledged)
    assert len(given) == len(set(senders.acknowledged)), "two different acknowledgements of one record"
    entries: dict[int, bytes] = {}
    for name, acknowledgement in given.items():
        sha256 = bytes.fromhex(name)
        verify_acknowledgement(acknowledgement, trust, sha256)
        assert store.record(sha256) == bytes_of[name]
        assert store.acknowledgement(sha256) == acknowledgement
    assert {status for status, _body in senders.refused} <= {503}
    counts = store.counts()
    assert counts["forks"] == 0
    assert len(given) <= counts["records"] <= len(given) + kills * SENDERS
    for name in bytes_of:
        proven = store.prove(bytes.fromhex(name))
        if proven is not None:
            entries[proven.position] = bytes.fromhex(name)
    size, root = store.head()
    assert sorted(entries) == list(range(size)) == list(range(counts["records"]))
    assert merkle.root([entries[position] for position in range(size)]) == root
    assert senders.broken == []
    kept = PictureFolder(store.folder / "pictures")
    for name, data in senders.pictures.items():
        assert kept.read(bytes.fromhex(name)) == data
    assert len(senders.pictures) <= counts["pictures"] <= len(senders.pictures) + 1
    print(f"{len(senders.pictures)} pictures whole, {counts['pictures']} stored")
    print(f"{kills} kills, {len(senders.acknowledged)} acknowledgements of {len(given)} records, {size} stored")


def test_sqlite_under_kills(tmp_path: Path) -> None:
    load, port = make_load(tmp_path, KIOSKS), free_port()
    senders = lives(tmp_path / "data", load, port, "", lambda _life: None)
    with closing(RecordStore.open(tmp_path / "data")) as store:
        compare(senders, load, store)


def test_postgres_and_its_collector_under_kills(tmp_path: Path) -> None:
    """Every fifth time the database goes too, as in a power cut."""
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    load, port = make_load(tmp_path, KIOSKS), free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "cluster", where) as cluster:

            def between(life: int) -> None:
                if life % 5 == 4:
                    cluster.stop("immediate")
                    cluster.start()

            senders = lives(tmp_path / "data", load, port, cluster.url, between)
            with closing(RecordStore.open(tmp_path / "data", cluster.url)) as store:
                compare(senders, load, store)
