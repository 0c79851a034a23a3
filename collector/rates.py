"""How much one address may bring: who uploads receipt codes shows no certificate.

Each address has a bucket that fills up again; one picture is read at a time in each process, for that takes a second of
a processor. Counters are in memory, of one process, and bounded; behind many processes an address may bring as many
times more. Whoever has many addresses is slowed down by the picture at a time alone, and by nginx's own limits.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from collector.submission import CollectorRefused

BURST = 30
"""Codes at once: a village's phones share an address of their network."""
REFILL_SECONDS = 2.0
"""For one code more."""
ADDRESSES = 10_000
"""That are remembered; the one that was silent longest is forgotten, and begins anew."""
WAIT_SECONDS = 15.0
"""For the picture before."""


class Rates:
    """The buckets of one process. Threads may share it; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock, self._picture = threading.Lock(), threading.Lock()
        self._spent: OrderedDict[str, float] = OrderedDict()
        """Until when each bucket is not full: seconds of the clock."""

    def take(self, address: str) -> None:
        """One code of this address; raises CollectorRefused("receipt-rate")."""
        with self._lock:
            now = self._clock()
            full_at = max(now, self._spent.pop(address, now)) + REFILL_SECONDS
            allowed = full_at - now <= BURST * REFILL_SECONDS
            self._spent[address] = full_at if allowed else full_at - REFILL_SECONDS
            if len(self._spent) > ADDRESSES:
                self._spent.popitem(last=False)
        if not allowed:
            raise CollectorRefused("receipt-rate", seconds=int(REFILL_SECONDS))

    @contextmanager
    def picture(self) -> Iterator[None]:
        """One picture at a time; raises CollectorRefused("receipt-busy")."""
        if not self._picture.acquire(timeout=WAIT_SECONDS):
            raise CollectorRefused("receipt-busy")
        try:
            yield
        finally:
            self._picture.release()
