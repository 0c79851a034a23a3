"""What systemd hears of the uplink: ready when the outbox is open, alive while every loop turns. The user of sdnotify.

One loop that hangs must not hide behind another that does not: WATCHDOG is told only when each loop has turned since
it was told last. Without systemd nobody is told anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from sdnotify import SystemdNotifier


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
