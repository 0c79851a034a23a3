"""`make bench-collector`: records a second that a collector verifies and stores, and how long each of them waits.

gunicorn with 1 and 2 processes, on SQLite and (where Debian's is installed) PostgreSQL, as it is and with tables that
are not divided by province, as behind nginx: plain HTTP on a Unix socket with the client's certificate in the header.
SENDERS connections hand in the records of KIOSKS kiosks as fast as they are answered. Rates depend on what else the
machine does; processor time of the collector (and of its database) hardly does, so the night is computed from that:
NIGHT records in NIGHT_HOURS, PEAK times the mean at its worst. The figures also go to build/bench/collector.json.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.bench.night_load import NAME, Load, make_load
from tests.bench.undivided import make_undivided
from tests.bench.verify_night import NIGHT
from tests.system.gunicorn import Papers, start, write_settings
from tests.system.postgres import programs, running

KIOSKS = 200
SENDERS = 16
NIGHT_HOURS, PEAK = 6, 4
START_SECONDS = 60.0
OUT = Path(__file__).parents[2] / "build" / "bench" / "collector.json"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    records: int
    rate: float
    """Records a second, by the clock."""
    p50_ms: float
    p99_ms: float
    collector_ms: float
    """Processor time of the collector for a record."""
    database_ms: float
    """Of a database of its own."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("collector", timeout=START_SECONDS)
        self._path = path

    def connect(self) -> None:
        """To the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(START_SECONDS)
        self.sock.connect(self._path)


def processor_seconds(leader: int) -> float:
    """User and system time of a process, its children and its session, from /proc; ended ones are not counted."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        parent, family = int(fields[1]), int(fields[3])
        if leader in (int(entry.parent.name), parent, family):
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def hand_in(path: str, certificate: str, load: Load) -> tuple[float, list[float]]:
    """Seconds for all records, and for each."""
    waiting, taken, lock = iter(load.records), list[float](), threading.Lock()

    def send() -> None:
        connection = UnixConnection(path)
        while True:
            with lock:
                record = next(waiting, None)
            if record is None:
                return connection.close()
            begin = time.perf_counter()
            connection.request("PUT", f"/v1/records/{record[0]}", record[1], {"X-Client-Certificate": certificate})
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - begin)
            if answer.status != 201:
                raise RuntimeError(f"{answer.status}")

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin, taken


@contextmanager
def collector(folder: Path, load: Load, workers: int, database: str) -> Iterator[tuple[str, int, str]]:
    """A running collector: its socket, its process and the certificate of a forwarder."""
    papers = Papers.make(folder / "papers", "BENCH-0000")
    path = str(folder / "http")
    settings = write_settings(
        papers, folder / "data", load.trust, NAME, address=f"unix:{path}", tls=False, workers=workers, database=database
    )
    process = start(settings, folder / "gunicorn.log")
    try:
        _wait_for(path, process)
        yield path, process.pid, quote(papers.path("forwarder.pem").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_for(path: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            connection = UnixConnection(path)
            connection.request("GET", "/v1/status")
            return connection.getresponse().close()
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the collector did not start")


def measure(folder: Path, kiosks: int, workers: int, where: Path | None, divided: bool = True) -> Figures:
    """One run in an empty folder; `where` are the programs of PostgreSQL."""
    load = make_load(folder, kiosks)
    with ExitStack() as stack:
        url, leader = "", 0
        if where:
            cluster = stack.enter_context(running(folder / "cluster", where))
            url, leader = cluster.url, cluster.pid
            if not divided:
                make_undivided(folder, url)
        path, pid, certificate = stack.enter_context(collector(folder, load, workers, url))
        before, base = processor_seconds(pid), processor_seconds(leader) if leader else 0.0
        seconds, taken = hand_in(path, certificate, load)
        spent = processor_seconds(pid) - before
        database = processor_seconds(leader) - base if leader else 0.0
    count = len(load.records)
    cuts = statistics.quantiles(taken, n=100)
    return Figures(count, count / seconds, cuts[49] * 1e3, cuts[98] * 1e3, spent / count * 1e3, database / count * 1e3)


def tell(name: str, found: Figures) -> None:
    """One line, and what the night needs."""
    cost = found.collector_ms + found.database_ms
    peak = NIGHT / NIGHT_HOURS / 3600 * PEAK
    print(
        f"{name:<22}{found.rate:7.0f} records/s   p50 {found.p50_ms:6.0f} ms   p99 {found.p99_ms:6.0f} ms   "
        f"{found.collector_ms:.2f} + {found.database_ms:.2f} ms of a core each   "
        f"a million: {cost / 3.6:.1f} core hours   the night's peak ({peak:.0f}/s): {peak * cost / 1e3:.1f} cores"
    )


def main() -> None:
    """Prints all figures and writes them."""
    kiosks = int(sys.argv[1]) if len(sys.argv) > 1 else KIOSKS
    where, figures = programs(), dict[str, dict[str, float]]()
    for database in ("sqlite", "postgresql", "undivided") if where else ("sqlite",):
        for workers in (1, 2):
            folder = Path(tempfile.mkdtemp())
            folder.chmod(0o755)
            try:
                postgres = None if database == "sqlite" else where
                found = measure(folder, kiosks, workers, postgres, divided=database != "undivided")
            finally:
                shutil.rmtree(folder)
            name = f"{database}, {workers} process{'es' if workers > 1 else ''}"
            tell(name, found)
            figures[name] = {field: getattr(found, field) for field in Figures.__dataclass_fields__}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
