"""What systemd hears of the kiosk's processes: that they are ready, and that they do their work. The user of sdnotify.

WATCHDOG is never told because a process merely lives. A service asks itself over its own socket, as its clients do, and
tells systemd only when it got its answer (`beating`); the uplink tells it when every one of its loops has turned since
it was told last (`Heartbeat`), so that one that hangs does not hide behind another. A process that no longer does its
work is killed by systemd and started again. Without systemd nobody is told anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import structlog
from sdnotify import SystemdNotifier

BEATS_IN_TIME = 3
"""Self-checks within the time that systemd waits: one that is late, or fails once, is not yet the end."""
AT_START_SECONDS = 0.2
"""Between two self-checks until the first one is answered: readiness is told as soon as it is there."""

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Shared by the threads `names`; `tell` sends a line to systemd."""

    def __init__(self, names: Collection[str], tell: Callable[[str], object] | None = None) -> None:
        self._names = frozenset(names)
        self._tell = tell or SystemdNotifier().notify
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._turned: set[str] = set()

    def ready(self, name: str) -> None:
        """The outbox of that loop is open; READY is told once all are."""
        with self._lock:
            if name not in self._open:
                self._open.add(name)
                if self._open == self._names:
                    self._tell("READY=1")

    def beat(self, name: str) -> None:
        """That loop has turned, or one of its attempts has ended."""
        with self._lock:
            self._turned.add(name)
            if self._turned == self._names:
                self._turned.clear()
                self._tell("WATCHDOG=1")


@contextmanager
def beating(answered: Callable[[], None], tell: Callable[[str], object] | None = None) -> Iterator[None]:
    """As long as the context lasts, `answered` is called again and again in a thread of its own. It returns when the
    service has answered itself, and raises otherwise: then nothing is told, and systemd's patience runs out."""
    if "NOTIFY_SOCKET" not in os.environ and tell is None:
        yield
        return
    stop = threading.Event()
    told = tell or SystemdNotifier().notify
    thread = threading.Thread(target=_beat, args=(answered, told, stop), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _beat(answered: Callable[[], None], tell: Callable[[str], object], stop: threading.Event) -> None:
    ready, pause = False, AT_START_SECONDS
    while not stop.wait(pause):
        try:
            answered()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the service did not answer
            if ready:
                _log.warning("heartbeat.missed", problem=repr(problem))
            continue
        if not ready:
            tell("READY=1")
            ready, pause = True, beat_seconds()
        tell("WATCHDOG=1")


def beat_seconds() -> float:
    """From one self-check to the next, by what systemd asks of this unit (sd_watchdog_enabled(3)); 10 s without it."""
    return int(os.environ.get("WATCHDOG_USEC", "30000000")) / 1e6 / BEATS_IN_TIME
