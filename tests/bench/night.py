"""`make bench-night`: the election night at a collector, over TLS, every device with keys and certificates of its own.

capacity   TURNS devices hand in their five records as fast as they are answered, on SQLite, PostgreSQL and PostgreSQL
           behind a queue of three nodes, with 1 and 2 processes; gunicorn's own TLS, a connection for each device.
ways       the same on SQLite with 2 processes: without TLS, with a handshake for every record, and behind nginx.
night      DEVICES devices come with a record and a handshake each, on a curve whose peak is PEAK times its mean,
           NIGHT_SECONDS long; a wait counts from the moment at which the device wanted to send. nginx, 2 processes.

A device has one key and certificate for records and another for TLS. They share this machine's two cores with the
collector, its database, the nodes and whatever else runs, so rates are a floor. What counts is processor time for a
record, by part, from /proc; the national night is computed from it. Figures also go to build/bench/night.json.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from firmware.signing.acknowledgement import acknowledge, open_collector_key
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_record
from tests.bench.collector import NIGHT_HOURS, PEAK
from tests.bench.night_devices import certify, curve, devices, send
from tests.bench.night_load import NAME, RECORDS, Load, make_load
from tests.bench.night_rig import Running, Setting
from tests.bench.verify_night import NIGHT

OUT = Path(__file__).parents[2] / "build" / "bench" / "night.json"
DEVICES, TURNS = 10_000, 300
NIGHT_SECONDS = 100.0
DRAIN_SECONDS = 300.0
DATABASES = ("sqlite", "postgresql", "queue")
CAPACITY = [Setting(database, processes) for database in DATABASES for processes in (1, 2)]
WAYS = [
    Setting("sqlite", 2, "plain"),
    Setting("sqlite", 2, "gunicorn", kept=False),
    Setting("sqlite", 2, "nginx"),
    Setting("sqlite", 2, "nginx", kept=False),
]
NIGHTS = [Setting(database, 2, "nginx", kept=False) for database in DATABASES]


@dataclass
class Figures:
    """Of one run."""

    records: int
    rate: float
    p50_ms: float
    p99_ms: float
    parts: dict[str, float] = field(default_factory=dict)
    """Milliseconds of a core for a record."""
    late_s: float = 0.0
    """From the last acknowledgement until everything was in the database."""

    @property
    def cost_ms(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())


@contextmanager
def prepared(count: int, each: int) -> Iterator[tuple[Path, Load, bytes]]:
    """Records, trust folder and certificates of so many devices."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder, make_load(folder, count, each), certify(folder / "devices", count)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, load: Load, authority: bytes, setting: Setting, times: list[float]) -> Figures:
    """One run with an empty collector."""
    where = Path(tempfile.mkdtemp())
    where.chmod(0o755)
    shutil.copytree(folder / "data", where / "data")  # the key that the trust folder knows
    try:
        with ExitStack() as stack:
            collector = Running(stack, where, load.trust, authority, setting)
            before = collector.spent()
            sent = send(collector, devices(load, folder / "devices", times))
            late = _drained(collector, len(load.records))
            spent = {name: seconds - before[name] for name, seconds in collector.spent().items()}
    finally:
        shutil.rmtree(where)
    count, cuts = len(load.records), statistics.quantiles(sent.waits, n=100)
    parts = {name: seconds / count * 1e3 for name, seconds in spent.items()}
    return Figures(count, count / sent.seconds, cuts[49] * 1e3, cuts[98] * 1e3, parts, late)


def _drained(collector: Running, count: int) -> float:
    began = time.monotonic()
    while collector.stored() < count:
        if time.monotonic() > began + DRAIN_SECONDS:
            raise RuntimeError(f"{collector.stored()} of {count} stored")
        time.sleep(0.2)
    return time.monotonic() - began


def by_part(folder: Path, load: Load) -> dict[str, float]:
    """What verifying a record and signing for it cost, in milliseconds of a core; included in the collector's time."""
    trust, key = TrustRoots.load(load.trust), open_collector_key(folder / "data" / "key", NAME)
    return {
        "verification": _each(lambda: [verify_record(cose, trust) for _name, cose in load.records], len(load.records)),
        "acknowledgement": _each(
            lambda: [acknowledge(bytes.fromhex(name), 0, key) for name, _cose in load.records], len(load.records)
        ),
    }


def _each(work: Callable[[], object], count: int) -> float:
    before = time.process_time()
    work()
    return (time.process_time() - before) / count * 1e3


def tell(name: str, found: Figures, price: float) -> None:
    """One run, and what a million records and the night need of it."""
    parts = " + ".join(f"{part} {cost:.2f}" for part, cost in found.parts.items())
    peak, hours = NIGHT / NIGHT_HOURS / 3600 * PEAK, found.cost_ms / 3.6
    print(f"{name}: {found.rate:.0f} records/s, p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms", end="")
    print(f", in the database {found.late_s:.1f} s after the last" if found.late_s > 1 else "")
    print(f"    a record: {parts} = {found.cost_ms:.2f} ms of a core", flush=True)
    money = f" x {price:g} = {hours * price:.2f}" if price else " x the price of a core hour"
    print(f"    a million: {hours:.2f} core hours{money}; the country's peak ({peak:.0f}/s): ", end="")
    print(", ".join(f"{part} {peak * cost / 1e3:.1f}" for part, cost in found.parts.items()), end="")
    print(f", together {peak * found.cost_ms / 1e3:.1f} cores", flush=True)


@click.command()
@click.option("--devices", "count", default=DEVICES, show_default=True, help="Devices of the night.")
@click.option("--seconds", default=NIGHT_SECONDS, show_default=True, help="Length of the night.")
@click.option("--turns", default=TURNS, show_default=True, help="Devices of every other run.")
@click.option("--price", default=0.0, help="Of a core hour, in any currency.")
def main(count: int, seconds: float, turns: int, price: float) -> None:
    """Measure all of it and write build/bench/night.json."""
    figures: dict[str, dict[str, object]] = {}

    def run(title: str, settings: list[Setting], number: int, each: int, times: list[float]) -> None:
        with prepared(number, each) as (folder, load, authority):
            if title == "capacity":
                figures["parts"] = dict(by_part(folder, load))
                print(", ".join(f"{name} {cost:.2f} ms" for name, cost in by_part(folder, load).items()))
            for setting in settings:
                found = measure(folder, load, authority, setting, times)
                figures[f"{title}: {setting.name}"] = asdict(found)
                tell(f"{title}: {setting.name}", found, price)
                OUT.parent.mkdir(parents=True, exist_ok=True)
                OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

    run("capacity", CAPACITY, turns, RECORDS, [0.0] * turns)
    run("ways", WAYS, turns, RECORDS, [0.0] * turns)
    run("night", NIGHTS, count, 1, curve(count, seconds, PEAK))


if __name__ == "__main__":
    main()
