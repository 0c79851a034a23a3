"""Runs one contact: takes its edges from whatever thread sees them and tells what happened, from a thread of its own.

So a station that is slow to answer holds up no edge, and the driver's thread never runs the station.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import structlog

from firmware.panel import contact
from firmware.panel.panel import Hear, Heard

_log = structlog.get_logger(__name__)


def tell(hear: Hear, happening: Heard, source: str) -> None:
    """Tells `hear` from a thread that goes on whatever comes of it: the next press must still be heard."""
    try:
        hear(happening, source)
    except Exception:  # noqa: BLE001 - the end of the line: nobody else could say so
        _log.exception("panel.unheard", source=source, heard=str(happening))


class Watch:
    """A contact on `source`, `closed` or not when the watch begins. Ends with `close`."""

    def __init__(self, source: str, closed: bool, hear: Hear, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._hear = hear
        self._clock = clock
        self._edges: queue.SimpleQueue[tuple[bool, float] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(closed, clock()), name=f"watch-{source}", daemon=True)
        self._thread.start()

    def edge(self, closed: bool, at: float) -> None:
        """The contact closed or opened at `at`, seconds of the clock. Never waits."""
        self._edges.put((closed, at))

    def close(self) -> None:
        """Ends the watch; nothing is told any more when this returns. Not to be called by what hears."""
        self._edges.put(None)
        self._thread.join()

    def _run(self, closed: bool, now: float) -> None:
        known, heard = contact.at_start(closed, now)
        while True:
            for happening in heard:
                tell(self._hear, happening, self._source)
            try:
                edge = self._edges.get(timeout=self._patience(known))
            except queue.Empty:
                known, heard = contact.until(known, self._clock())
                continue
            if edge is None:
                return
            known, heard = contact.edge(known, *edge)

    def _patience(self, known: contact.Contact) -> float | None:
        due = contact.due(known)
        return None if due is None else max(0.0, due - self._clock())
