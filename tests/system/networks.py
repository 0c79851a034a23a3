"""Two real network namespaces and a line between them that is as bad as a test wants: rate, delay, loss, silence.

The kernel's own shaper (netem) is not everywhere. Here each namespace has a TUN device, and a thread of ours carries
the packets between the two: what it delays or drops, no TCP stack on either side knows of. IPv4 and IPv6.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

KIOSK, COLLECTOR, RESOLVER, PORTAL = "10.77.0.1", "10.77.0.2", "10.77.0.53", "10.77.0.66"
KIOSK6, COLLECTOR6 = "fd77::1", "fd77::2"

_TUN = Path("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x1001
_CLONE_NEWNET = 0x40000000
_PACKET_BYTES = 65536
_BUFFER_SECONDS = 6.0
"""What a mobile network keeps before it drops: far too much, as they do."""


def possible() -> bool:
    """Whether this machine and this user can make namespaces."""
    return os.getuid() == 0 and _TUN.exists()


@dataclass
class Quality:
    """What the line is like at the moment; a test changes it while packets are under way."""

    up: bool = True
    bits_per_second: float = 0.0
    """0: no limit."""
    delay_s: float = 0.0
    """One way."""
    loss: float = 0.0
    """Probability of each packet."""
    largest: int = 1500
    """Larger packets vanish without a word."""


SECOND_GENERATION = Quality(bits_per_second=64_000, delay_s=0.4, loss=0.05)
"""2G: 64 kbit/s, 800 ms there and back, 5 % loss."""


class Line:
    """Carries packets between two TUN devices until closed."""

    def __init__(self, ends: tuple[int, int], seed: int = 1) -> None:
        self.quality = Quality()
        self._ends = ends
        self._rng = random.Random(seed)
        self._free = dict.fromkeys(ends, 0.0)
        """When each direction has sent what it was given."""
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and lets go of the devices."""
        self._stop.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)

    def _carry(self) -> None:
        while not self._stop.is_set():
            wait = min(0.05, self._under_way[0][0] - time.monotonic()) if self._under_way else 0.05
            ready, _, _ = select.select(self._ends, [], [], max(0.0, wait))
            for end in ready:
                self._take(end, os.read(end, _PACKET_BYTES))
            while self._under_way and self._under_way[0][0] <= time.monotonic():
                _, _, far, packet = heapq.heappop(self._under_way)
                if self.quality.up:
                    os.write(far, packet)

    def _take(self, end: int, packet: bytes) -> None:
        quality, now = self.quality, time.monotonic()
        if not quality.up or len(packet) > quality.largest or self._rng.random() < quality.loss:
            return
        sent = max(now, self._free[end])
        if quality.bits_per_second:
            sent += len(packet) * 8 / quality.bits_per_second
        if sent - now > _BUFFER_SECONDS:
            return
        self._free[end] = sent
        far = self._ends[0] if end == self._ends[1] else self._ends[1]
        self._count += 1
        heapq.heappush(self._under_way, (sent + quality.delay_s, self._count, far, packet))


@dataclass(frozen=True)
class Networks:
    """Where a kiosk is (`near`), where everybody else is (`far`), and the line between."""

    near: str
    far: str
    line: Line

    def within(self, name: str, work: Callable[[], T]) -> T:
        """Runs `work` in a thread inside that namespace: sockets and threads that it makes belong there."""
        with ThreadPoolExecutor(1, initializer=_enter, initargs=(name,)) as pool:
            return pool.submit(work).result()

    def command(self, *words: str) -> list[str]:
        """A command line that runs inside the kiosk's namespace, with its resolver."""
        return ["ip", "netns", "exec", self.near, *words]

    def another_network(self) -> None:
        """The kiosk sees a route that was not there before, as when a network comes up."""
        _ip("-n", self.near, "route", "replace", "198.51.100.0/24", "dev", "line")
        _ip("-n", self.near, "route", "del", "198.51.100.0/24", "dev", "line")
        time.sleep(1.5)  # until the uplink has seen that it is gone
        _ip("-n", self.near, "route", "replace", "198.51.100.0/24", "dev", "line")


@contextmanager
def networks() -> Iterator[Networks]:
    """Both namespaces, ready for use; gone afterwards."""
    near, far = (f"c1k-{side}-{os.getpid()}" for side in ("near", "far"))
    resolver = Path("/etc/netns") / near / "resolv.conf"
    resolver.parent.mkdir(parents=True, exist_ok=True)
    resolver.write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n", encoding="ascii")
    try:
        ends = (_make(near, KIOSK, KIOSK6), _make(far, COLLECTOR, COLLECTOR6, RESOLVER, PORTAL))
        line = Line(ends)
        try:
            yield Networks(near, far, line)
        finally:
            line.close()
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], check=False)
        resolver.unlink()
        resolver.parent.rmdir()


def _make(name: str, *addresses: str) -> int:
    """A namespace with a TUN device that has these addresses; returns the device's file."""
    _ip("netns", "add", name)
    with ThreadPoolExecutor(1, initializer=_enter, initargs=(name,)) as pool:
        end = pool.submit(_tun).result()
    _ip("-n", name, "link", "set", "lo", "up")
    for address in addresses:
        if ":" in address:
            _ip("-n", name, "address", "add", f"{address}/64", "dev", "line", "nodad")
        else:
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "line")
    _ip("-n", name, "link", "set", "line", "up")
    return end


def _tun() -> int:
    end = os.open(_TUN, os.O_RDWR)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", b"line", _TUN_WITHOUT_HEADER))
    return end


def _enter(name: str) -> None:
    """Puts the calling thread into a namespace."""
    with (Path("/run/netns") / name).open("rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
