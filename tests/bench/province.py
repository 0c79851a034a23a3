"""`python -m tests.bench.province [TPS]`: a province's night in a collector: bytes of its tables, and what pages take.

The tables get a record of 3.8 kB with three pictures for each TPS, all of them counted, on SQLite and (where Debian's
is installed) PostgreSQL: signed once and stored under made-up hashes, because nothing here verifies them again. Bytes
are those of tables and indexes together, divided by the records; NIGHT records take as many times more. Pages are asked
for in one process without a network; the figures are compared with the page of a village.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

from collector.app import create_app
from collector.database import writing
from collector.live import Live
from collector.receiving import Arrival, receive_all
from collector.store import RecordStore
from collector.submission import Submission, submission_of
from collector.tables import pictures
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.trust import TrustRoots, write_trust
from tests import sealing
from tests.bench.verify_night import NIGHT
from tests.sealing import World, make_world
from tests.system.postgres import programs, running

STATIONS = 15_000
"""Of a province of middling size: 38 have 823,236 between them."""
TURN = 500
"""Records of one transaction here."""
REPEATS = 5
OUT = Path(__file__).parents[2] / "build" / "bench" / "province.json"
_NOW = 1_866_000_600
_SIZES = """
SELECT t.relname, sum(pg_total_relation_size(p.oid)) FROM pg_class t
JOIN LATERAL (SELECT relid AS oid FROM pg_partition_tree(t.oid) UNION SELECT t.oid) p ON true
WHERE t.relkind IN ('r', 'p') AND t.relnamespace = 'public'::regnamespace GROUP BY t.relname
"""


def codes(number_of: int) -> list[str]:
    """25 TPS a village, 20 villages a district, 10 districts a regency, in one province."""
    parts = ((number // 5000, number // 500 % 10, number // 25 % 20, number % 25 + 1) for number in range(number_of))
    return ["32{:02d}{:02d}{:04d}{:03d}".format(*each) for each in parts]


def fill(store: RecordStore, world: World, trust: TrustRoots, stations: list[str]) -> float:
    """Every TPS reports, with its pictures; processor seconds of this process."""
    sealed = world.seal(1)
    like = submission_of(sealed.sha256.hex(), sealed.cose, trust)
    print(f"a record of {len(like.cose)} bytes with {len(like.pictures)} pictures")
    given = acknowledge(like.sha256, _NOW, world.collector_key)
    made = list(_records(like, stations))
    begin = time.process_time()
    for first in range(0, len(made), TURN):
        with writing(store.engine) as connection:
            receive_all(connection, [Arrival(record, given, _NOW) for record in made[first : first + TURN]])
    spent = time.process_time() - begin
    with writing(store.engine) as connection:
        names = [name for record in made for name in record.pictures.values()]
        rows = [{"number": at, "sha256": name, "bytes": 1, "received_at": _NOW} for at, name in enumerate(names)]
        connection.execute(pictures.insert(), rows)
    return spent


def _records(like: Submission, stations: list[str]) -> Iterator[Submission]:
    for tps in stations:
        name = hashlib.sha256(tps.encode()).digest()
        shown = {page: hashlib.sha256(name + bytes([page])).digest() for page in like.pictures}
        yield replace(like, sha256=name, kid=name[:8], sequence=1, tps=tps, pictures=shown)


def sizes(store: RecordStore) -> dict[str, float]:
    """Bytes a record, by table; SQLite has one file."""
    with store.reading.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM entries")).scalar_one()
        if store.engine.dialect.name == "sqlite":
            pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
            return {"file": pages * connection.execute(sa.text("PRAGMA page_size")).scalar_one() / count}
        found = {str(name): int(size) / count for name, size in connection.execute(sa.text(_SIZES))}
    return {name: size for name, size in found.items() if size >= 1}


def timed(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """The fastest of REPEATS, in milliseconds of this process, without what comes before each."""
    taken = []
    for _ in range(REPEATS):
        before()
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken) * 1e3


def memory(store: RecordStore, trust: TrustRoots) -> float:
    """Bytes a record that every process holds for its pages."""
    tracemalloc.start()
    with Live(store.reading, trust.election.election, lambda: _NOW).night() as night:
        held = tracemalloc.get_traced_memory()[0] / len(night.stations(""))
    tracemalloc.stop()
    return held


def page_times(client: FlaskClient, store: RecordStore, more: Callable[[], object]) -> dict[str, float]:
    """Milliseconds; `more` stores one more record."""
    dialect = store.engine.dialect.name
    begin = time.process_time()
    assert client.get("/rekap/ppwp/").status_code == 200
    found = {"first page of a process": (time.process_time() - begin) * 1e3}
    for name, path in {
        "village": "/rekap/ppwp/3200000000",
        "district": "/rekap/ppwp/320000",
        "regency": "/rekap/ppwp/3200",
        "province": "/rekap/ppwp/32",
        "CSV": "/unduh/ppwp.csv",
        "NIST": "/unduh/ppwp.nist.json",
    }.items():
        found[name] = timed(lambda path=path: client.get(path).data)  # type: ignore[misc]
    found["province, one record later"] = timed(lambda: client.get("/rekap/ppwp/32"), before=more)
    found["NIST, bytes a TPS"] = len(client.get("/unduh/ppwp.nist.json").data) / STATIONS
    begin = time.perf_counter()
    with store.reading.connect() as connection:
        view = "c1_v1.regions" if dialect == "postgresql" else "c1_v1_regions"
        connection.execute(sa.text(f"SELECT * FROM {view}")).all()  # a constant of this file
    found["view regions, by the clock"] = (time.perf_counter() - begin) * 1e3
    return found


def measure(folder: Path, stations: list[str], url: str) -> dict[str, dict[str, float]]:
    """One database."""
    world = make_world(folder)
    election = json.loads(sealing.ELECTION)
    election["polling_stations"] = [{"code": code, "place": "Contoh", "voters": 280} for code in stations]
    write_trust(
        folder / "province",
        election=json.dumps(election).encode(),
        layouts=[sealing.LAYOUT],
        authorities=[world.device_key.authority],
        devices=[world.device_key.certificate],
        collectors=[world.collector_key.certificate],
    )
    store = RecordStore.open(folder / "collector", url)
    spent = fill(store, world, world.trust, stations)
    trust = TrustRoots.load(folder / "province")
    clock = count(_NOW, 2)
    client = create_app(store, trust, world.collector_key, lambda: next(clock)).test_client()
    size = {**sizes(store), "(in memory)": memory(store, trust)}
    taken = {"stored, a record": spent * 1e3 / len(stations)}
    taken |= page_times(client, store, lambda: one_more(store, world, next(clock)))
    store.close()
    return {"bytes a record": size, "milliseconds": taken}


def one_more(store: RecordStore, world: World, number: int) -> None:
    """A second kiosk reports the first TPS."""
    sealed = world.seal(1)
    like = submission_of(sealed.sha256.hex(), sealed.cose, world.trust)
    store.receive(Arrival(replace(like, tps=codes(1)[0], kid=number.to_bytes(8), sequence=1), b"given", number))


def main() -> None:
    """Prints all figures and writes them."""
    stations = codes(int(sys.argv[1]) if len(sys.argv) > 1 else STATIONS)
    where, figures = programs(), {}
    for database in ("sqlite", "postgresql") if where else ("sqlite",):
        folder = Path(tempfile.mkdtemp())
        folder.chmod(0o755)
        try:
            with ExitStack() as stack:
                url = (
                    stack.enter_context(running(folder / "cluster", where)).url
                    if database != "sqlite" and where
                    else ""
                )
                figures[database] = found = measure(folder, stations, url)
        finally:
            shutil.rmtree(folder)
        total = sum(size for name, size in found["bytes a record"].items() if name != "(in memory)")
        print(f"{database}: {total:.0f} bytes a record, {total * NIGHT / 1e9:.1f} GB for {NIGHT:,} records")
        village = found["milliseconds"]["village"]
        for name, value in [*found["bytes a record"].items(), *found["milliseconds"].items()]:
            ratio = (
                f"   {value / village:6.1f} x a village's page"
                if name in ("district", "regency", "province", "province, one record later")
                else ""
            )
            print(f"  {name:<32}{value:10.1f}{ratio}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
