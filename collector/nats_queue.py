"""The queue between acceptance and the database: a NATS JetStream stream on several nodes.

What `publish` returned for is on disk on a majority of REPLICAS nodes, provided that they run with collector/nats.conf
(`sync_interval: always`; JetStream's own default syncs every two minutes, and a client cannot see which it is). The
stream drops nothing by itself: a message goes when a worker says that it is committed (work queue), and a full stream
takes nothing more. A stream that was made otherwise is not used.

A message's subject and Nats-Msg-Id are the hash of its record: the cluster takes it once within DUPLICATE_SECONDS, and
it can be found by its name while it waits. What is forgotten there after a restart is known to the database.

nats-py is asyncio, the collector is threads: one thread of each process runs the loop, begun with the first use (after
gunicorn has forked), and everything has a deadline. Whatever goes wrong is QueueUnavailable; nobody knows then whether
the message is in the stream, and it may be sent again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import nats
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

STREAM, CONSUMER = "C1KIOSK_RECORDS", "database"
SUBJECTS = "c1kiosk.records."
REPLICAS = 3
"""Copies of every message; two of them have it before anything is acknowledged."""
DUPLICATE_SECONDS = 24 * 3600.0
"""How long a hash is remembered: a night of sending the same again, with a margin."""
ACK_WAIT_SECONDS = 20.0
"""After which a message that a dead worker had taken is given to another one: ten times what a slow commit takes."""
MOST_TAKEN = 20_000
"""Messages that all workers together have taken and not yet committed."""
MESSAGE_BYTES = 1_200_000
"""Largest message: a record of 1 MiB with its acknowledgement (max_payload in nats.conf is above it)."""
ATTEMPT_SECONDS = 2.0
"""How long one request waits: an election of a leader makes some of them wait in vain."""
PUBLISH_SECONDS = 20.0
"""How long a kiosk waits at most: longer than an election after a node was lost, shorter than its patience of 30 s."""
ASK_SECONDS = 4.0
"""Of questions that a page or a repetition waits for."""
_PAUSE_SECONDS = 0.2
_FULL = (
    10023,
    10047,
    10077,
    10122,
)  # JetStream's codes: no resources, no storage, maximum bytes: waiting does not help

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


class QueueUnavailable(OSError):
    """The cluster has not said, in time, that it has the message; or it cannot be asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """One that a worker has taken."""

    name: str
    data: bytes
    token: Any = None
    """What the queue knows it by."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be committed."""

    messages: int
    taken: int
    """Of these, in the hands of workers."""
    size: int
    """In bytes."""
    oldest: bytes | None
    """The message that has waited longest."""


class NatsQueue:
    """The stream on the cluster at `servers`. Threads may share it."""

    def __init__(self, servers: Sequence[str], replicas: int = REPLICAS, tls: ssl.SSLContext | None = None) -> None:
        self._servers = list(servers)
        self._replicas = replicas
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._pull: JetStreamContext.PullSubscription | None = None
        self._connecting: asyncio.Lock | None = None

    def publish(self, name: str, data: bytes) -> bool:
        """True when the quorum has taken the message now, False when it had it before. Raises QueueUnavailable."""

        async def attempt(stream: JetStreamContext) -> bool:
            headers = {"Nats-Msg-Id": name}
            answer = await stream.publish(SUBJECTS + name, data, ATTEMPT_SECONDS, STREAM, headers)
            return not answer.duplicate

        return self._run(lambda: self._until(attempt, PUBLISH_SECONDS), PUBLISH_SECONDS)

    def find(self, name: str) -> bytes | None:
        """The message of this name while it waits; None when it does not. Raises QueueUnavailable."""

        async def attempt(stream: JetStreamContext) -> bytes | None:
            try:
                return (await stream.get_last_msg(STREAM, SUBJECTS + name)).data
            except NotFoundError:
                return None

        return self._run(lambda: self._until(attempt, ASK_SECONDS), ASK_SECONDS)

    def backlog(self) -> Backlog:
        """How much waits. Raises QueueUnavailable."""

        async def attempt(stream: JetStreamContext) -> Backlog:
            state = (await stream.stream_info(STREAM)).state
            taken = (await stream.consumer_info(STREAM, CONSUMER)).num_ack_pending or 0
            try:
                oldest = (await stream.get_msg(STREAM, state.first_seq)).data if state.messages else None
            except NotFoundError:
                oldest = None  # committed meanwhile
            return Backlog(state.messages, taken, state.bytes, oldest)

        return self._run(lambda: self._until(attempt, ASK_SECONDS), ASK_SECONDS)

    def take(self, most: int, seconds: float) -> list[Message]:
        """Up to so many messages, after `seconds` at the latest; they come again after ACK_WAIT_SECONDS unless they are
        `done`. Raises QueueUnavailable."""

        async def attempt(stream: JetStreamContext) -> list[Message]:
            if self._pull is None:
                self._pull = await stream.pull_subscribe_bind(CONSUMER, STREAM)
            try:
                taken = await self._pull.fetch(most, seconds)
            except TimeoutError:
                return []
            return [Message(entry.subject.removeprefix(SUBJECTS), entry.data, entry) for entry in taken]

        return self._run(lambda: self._until(attempt, ASK_SECONDS + seconds), ASK_SECONDS + seconds)

    def done(self, messages: Sequence[Message]) -> None:
        """These are committed and leave the stream. What is lost of this on the way only comes once more. Raises
        QueueUnavailable."""

        async def tell(_stream: JetStreamContext) -> None:
            for message in messages:
                await message.token.ack()

        self._run(lambda: self._until(tell, ASK_SECONDS), ASK_SECONDS)

    def close(self) -> None:
        """Lets go of the cluster; what is taken and not done comes again."""
        if self._loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(ASK_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)

    # --- on the loop's thread --------------------------------------------------------------------------------------

    async def _until(self, attempt: Callable[[JetStreamContext], Awaitable[_Result]], seconds: float) -> _Result:
        """Tries until it succeeds or the time is over."""
        until = time.monotonic() + seconds
        while True:
            try:
                return await attempt(await self._connected())
            except (NatsError, TimeoutError, OSError) as error:
                full = isinstance(error, APIError) and error.err_code in _FULL
                if isinstance(error, QueueUnavailable) or full or time.monotonic() + _PAUSE_SECONDS > until:
                    raise QueueUnavailable(f"{type(error).__name__}: {error}") from error
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _connected(self) -> JetStreamContext:
        """The stream, made when there is none, on a connection that nats-py keeps up from then on."""
        if self._stream is not None:
            return self._stream
        self._connecting = self._connecting or asyncio.Lock()
        async with self._connecting:
            if self._stream is None:
                if self._client is None:
                    self._client = await self._connect()
                stream = self._client.jetstream(timeout=ATTEMPT_SECONDS)
                await self._prepare(stream)
                self._stream = stream
        return self._stream

    async def _end(self) -> None:
        if self._client is not None:
            await self._client.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self) -> Client:
        async def tell(error: Exception) -> None:
            _log.warning("collector.queue", problem=f"{type(error).__name__}: {error}")

        return await nats.connect(
            self._servers,
            tls=self._tls,
            name="c1kiosk-collector",
            error_cb=tell,
            connect_timeout=int(ATTEMPT_SECONDS),
            max_reconnect_attempts=-1,  # for ever
            reconnect_time_wait=1,  # second, for the same node: another one is tried at once
            ping_interval=3,  # seconds: a node that lost its power says nothing
            max_outstanding_pings=2,
        )

    async def _prepare(self, stream: JetStreamContext) -> None:
        """Makes stream and consumer where they are missing, and looks whether they keep what this file promises."""
        wanted = StreamConfig(
            name=STREAM,
            subjects=[SUBJECTS + "*"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            discard=DiscardPolicy.NEW,
            duplicate_window=DUPLICATE_SECONDS,
            max_msg_size=MESSAGE_BYTES,
        )
        try:
            found = (await stream.stream_info(STREAM)).config
        except NotFoundError:
            found = (await stream.add_stream(wanted)).config
        names = ("retention", "storage", "num_replicas", "discard", "duplicate_window", "max_age", "max_msg_size")
        differing = [name for name in names if (getattr(found, name) or None) != (getattr(wanted, name) or None)]
        if differing:
            raise QueueUnavailable(f"the stream {STREAM} was made otherwise: {', '.join(differing)}")
        await stream.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=CONSUMER,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_SECONDS,
                max_deliver=-1,
                max_ack_pending=MOST_TAKEN,
            ),
        )

    def _run(self, work: Callable[[], Coroutine[Any, Any, _Result]], seconds: float) -> _Result:
        future = asyncio.run_coroutine_threadsafe(work(), self._running())
        try:
            return future.result(seconds + 2 * ATTEMPT_SECONDS)
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise QueueUnavailable("no answer within the deadline") from error

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="queue", daemon=True).start()
        return self._loop
