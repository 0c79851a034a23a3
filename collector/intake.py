"""Records by way of a queue: acknowledged when a quorum of its nodes has them on disk, stored by drain.py.

Nothing on this way asks the database, so that one which stops refuses nothing and holds nobody up. Therefore:

- An acknowledgement says what it always says, that the collector holds the record (signing/acknowledgement.py); that is
  true from the quorum's word on. The record's place in the collector's log comes with the drain.
- A record that is sent again is in the queue once, and acknowledged anew: the acknowledgements differ in their time
  and each is true. The database keeps the first one.
- A fork, or a correction of another TPS, is found out by the drain: the kiosk has its acknowledgement, the record is
  kept among the forks or set aside, and the operator is told.
- Until it is drained, a record is answered for with `collector-not-yet` (503, soon again), not as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from collector.receiving import Arrival, Held
from collector.settings import Settings

if TYPE_CHECKING:
    from collector.nats_queue import Backlog, NatsQueue

_log = structlog.get_logger(__name__)


class Waiting(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A message: a record that was verified, the acknowledgement that was made for it, and when it came."""

    cose: bytes
    acknowledgement: bytes
    now: int


_reader = msgspec.msgpack.Decoder(Waiting)
_writer = msgspec.msgpack.Encoder()


class Queue(Protocol):
    """What acceptance needs of a queue; all raise OSError when it does not answer in time."""

    def publish(self, name: str, data: bytes) -> bool:
        """True: taken now; False: it was there."""

    def find(self, name: str) -> bytes | None:
        """The message of this name while it waits."""

    def backlog(self) -> Backlog:
        """How much waits."""


class Intake:
    """Acceptance into a queue. Threads may share it."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def receive(self, arrival: Arrival) -> Held:
        """On the disks of a quorum on return. Raises OSError, after which nobody knows whether it is."""
        data = write(Waiting(arrival.record.cose, arrival.acknowledgement, arrival.now))
        return Held(self._queue.publish(arrival.record.sha256.hex(), data), arrival.acknowledgement)

    def may_wait(self, name: str) -> bool:
        """Whether the record of this name is in the queue; also true when the queue does not answer."""
        try:
            return self._queue.find(name) is not None
        except OSError as error:
            _log.warning("collector.queue", problem=str(error))
            return True

    def backlog(self) -> Backlog | None:
        """How much waits, for the operator; None when the queue does not answer."""
        try:
            return self._queue.backlog()
        except OSError as error:
            _log.warning("collector.queue", problem=str(error))
            return None


def write(waiting: Waiting) -> bytes:
    """A message's bytes."""
    return _writer.encode(waiting)


def read(data: bytes) -> Waiting:
    """What a message says; raises msgspec.MsgspecError."""
    return _reader.decode(data)


@dataclass(frozen=True, slots=True)
class QueueShown:
    """The queue for the operator's page."""

    answers: bool
    messages: int = 0
    since: int = 0
    """When the oldest message came, Unix seconds; 0 when none waits or it cannot be read."""


def queue_shown(intake: Intake) -> QueueShown:
    """How the queue is now."""
    backlog = intake.backlog()
    if backlog is None:
        return QueueShown(answers=False)
    try:
        since = read(backlog.oldest).now if backlog.oldest else 0
    except msgspec.MsgspecError:
        since = 0
    return QueueShown(True, backlog.messages, since)


def open_queue(settings: Settings) -> NatsQueue | None:
    """The queue of the settings; None without one. Raises CollectorRefused."""
    if settings.file.queue is None:
        return None
    from collector.nats_queue import NatsQueue  # nats-py is there where a queue is configured

    said = settings.file.queue
    return NatsQueue(said.servers, said.replicas, settings.queue_tls())
