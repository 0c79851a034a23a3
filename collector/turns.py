"""Threads that want to commit at the same time share one transaction: a disk is waited for once, not once for each.

Whoever gets the turn does the work of everybody who queued before; the others find theirs done. An item that is
refused does not hurt the others of its turn; a database that fails, fails all of them, and nothing of it is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_TURN = 64
"""Items of one turn: nobody waits longer than for two turns of this size."""


@dataclass(slots=True, eq=False)
class _Ticket(Generic[Item, Result]):
    item: Item
    done: bool = False
    outcome: Result | Exception | None = None


class Turns(Generic[Item, Result]):
    """`work` gets the items of a turn and answers one result or exception for each, once they are on disk."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result | Exception]]) -> None:
        self._work = work
        self._queue: list[_Ticket[Item, Result]] = []
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()

    @property
    def waiting(self) -> int:
        """Items that no turn has taken up yet."""
        return len(self._queue)

    def take(self, item: Item) -> Result:
        """The result for `item`, or raises its exception."""
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._queue_lock:
            self._queue.append(ticket)
        with self._turn:
            while not ticket.done:
                self._serve()
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        assert ticket.outcome is not None
        return ticket.outcome

    def _serve(self) -> None:
        with self._queue_lock:
            served, self._queue = self._queue[:MAX_TURN], self._queue[MAX_TURN:]
        try:
            outcomes = self._work([ticket.item for ticket in served])
        except Exception as error:  # noqa: BLE001 - each thread raises it as its own
            outcomes = [error] * len(served)
        except BaseException:
            self._settle(served, [InterruptedError("the thread that had the turn was ended")] * len(served))
            raise
        self._settle(served, outcomes)

    def _settle(self, served: Sequence[_Ticket[Item, Result]], outcomes: Sequence[Result | Exception]) -> None:
        for ticket, outcome in zip(served, outcomes, strict=True):
            ticket.outcome, ticket.done = outcome, True
