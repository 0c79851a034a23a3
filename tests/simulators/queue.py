"""A queue as the cluster's behaves: takes a name once, gives what is not done again, and goes away."""

from __future__ import annotations

from collections.abc import Sequence

from collector.nats_queue import Backlog, Message, QueueUnavailable


class SimulatedQueue:
    """In memory. `away`: it does not answer. `lossy`: it takes a message, and nobody hears of it."""

    def __init__(self) -> None:
        self.away = False
        self.lossy = False
        self.waiting: dict[str, bytes] = {}
        self.remembered: set[str] = set()

    def publish(self, name: str, data: bytes) -> bool:
        self._answer()
        new = name not in self.remembered
        if new:
            self.remembered.add(name)
            self.waiting[name] = data
        if self.lossy:
            raise QueueUnavailable("no answer within the deadline")
        return new

    def find(self, name: str) -> bytes | None:
        self._answer()
        return self.waiting.get(name)

    def backlog(self) -> Backlog:
        self._answer()
        size = sum(map(len, self.waiting.values()))
        return Backlog(len(self.waiting), 0, size, next(iter(self.waiting.values()), None))

    def take(self, most: int, seconds: float) -> Sequence[Message]:
        self._answer()
        return [Message(name, data) for name, data in list(self.waiting.items())[:most]]

    def done(self, messages: Sequence[Message]) -> None:
        self._answer()
        for message in messages:
            self.waiting.pop(message.name, None)

    def _answer(self) -> None:
        if self.away:
            raise QueueUnavailable("no servers available")
