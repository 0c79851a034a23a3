"""The devices of the bench of the night: who they are on TLS, when they come, and the processes that play them."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware.signing.certificates import Issuer, issue, subject
from tests.bench.night_load import Load
from tests.bench.night_rig import Running

SENDERS, THREADS = 2, 24
"""Processes that play all devices, and threads of each."""
LEAD_SECONDS = 1.0
"""Until all of them run."""


@dataclass(frozen=True)
class Device:
    """Who sends, what, and when."""

    shown: Path
    """Its certificate for TLS and the key of that."""
    at: float
    """Seconds after the beginning."""
    records: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Sent:
    """What came of it."""

    seconds: float
    waits: list[float]
    """Of each record, from the moment at which its device wanted to send it."""


def certify(folder: Path, count: int) -> bytes:
    """A key and a certificate for TLS for each device, in files; the authority, PEM."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    own = Issuer(subject("devices-ca", "Bench"), key)
    root = issue(own.name, key.public_key(), own, datetime.now(UTC), authority=True)
    authority = Issuer(own.name, key, root)
    for number in range(count):
        serial, mine = f"BENCH-{number:04d}", ec.generate_private_key(ec.SECP256R1())
        made = issue(subject(serial, "Bench", serial), mine.public_key(), authority, datetime.now(UTC))
        secret = mine.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{number}.pem").write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return root.public_bytes(Encoding.PEM)


def curve(count: int, seconds: float, peak: float) -> list[float]:
    """When each comes: a bell whose height is `peak` times the mean."""
    bell = statistics.NormalDist(0.5, 1 / (peak * 2.5066282746))
    low, high = bell.cdf(0.0), bell.cdf(1.0)
    return [seconds * bell.inv_cdf(low + (high - low) * (place + 0.5) / count) for place in range(count)]


def devices(load: Load, folder: Path, times: Sequence[float]) -> list[Device]:
    """All of them, in the order in which they come; each with its chain."""
    count = len(times)
    chains = [tuple(load.records[number::count]) for number in range(count)]
    return [Device(folder / f"{number}.pem", at, chains[number]) for number, at in enumerate(times)]


def send(collector: Running, all_devices: Sequence[Device]) -> Sent:
    """Plays them in SENDERS processes. Raises RuntimeError when a record is not taken."""
    fork = multiprocessing.get_context("fork")
    told: multiprocessing.Queue[tuple[float, list[float], str]] = fork.Queue()
    begin = time.monotonic() + LEAD_SECONDS
    processes = [
        fork.Process(target=_play, args=(collector, all_devices[number::SENDERS], begin, told))
        for number in range(SENDERS)
    ]
    for process in processes:
        process.start()
    answers = [told.get() for _ in processes]
    for process in processes:
        process.join()
    for _end, _waits, problem in answers:
        if problem:
            raise RuntimeError(problem)
    return Sent(max(end for end, _w, _p in answers) - begin, [wait for _e, waits, _p in answers for wait in waits])


def _play(
    collector: Running,
    mine: Sequence[Device],
    begin: float,
    told: multiprocessing.Queue[tuple[float, list[float], str]],
) -> None:
    waiting, lock = iter(mine), threading.Lock()
    waits, problems = list[float](), list[str]()

    def run() -> None:
        while not problems:
            with lock:
                device = next(waiting, None)
            if device is None:
                return
            try:
                waits.extend(_hand_in(collector, device, begin))
            except Exception as problem:  # noqa: BLE001 - told to the process that asked
                problems.append(f"{type(problem).__name__}: {problem}")

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.put((time.monotonic(), waits, "; ".join(problems)))


def _hand_in(collector: Running, device: Device, begin: float) -> list[float]:
    """With a handshake for the device, or for each record."""
    wanted = begin + device.at
    time.sleep(max(0.0, wanted - time.monotonic()))
    paced, waits = device.at > 0, list[float]()
    connection = collector.connection(device.shown)
    for name, cose in device.records:
        asked = wanted if paced else time.monotonic()
        connection.request("PUT", f"/v1/records/{name}", cose, collector.headers)
        answer = connection.getresponse()
        said = answer.read()
        waits.append(time.monotonic() - asked)
        if answer.status != 201:
            raise RuntimeError(f"{answer.status} {said!r}")
        if not collector.setting.kept:
            connection.close()
            connection = collector.connection(device.shown)
    connection.close()
    return waits
