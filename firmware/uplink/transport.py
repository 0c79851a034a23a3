"""How requests travel: HTTP/1.1 to one collector, over TLS with certificates on both sides (tls.py), through a proxy
where one is configured. Redirects are never followed: a collector does not send any.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from firmware.uplink.faults import outcome_of
from firmware.uplink.outcome import Answered, Outcome, Unanswered
from firmware.uplink.wire import Request

CONNECT_SECONDS = 10.0
"""To reach the collector, and again for TLS: three times a slow 2G handshake."""
SILENCE_SECONDS = 30.0
"""Longest silence within an exchange: what is in our send buffer takes half of it at 2G speed."""
BODY_SECONDS = 60.0
"""Longest time in which a request has to be sent: a piece that was cut for a faster network is given up."""
ANSWER_SECONDS = 60.0
"""Longest time in which the body of an answer has to be whole."""
ANSWER_BYTES_MAX = 64 * 1024
"""Largest answer read, in bytes: an acknowledgement is under 300; a portal's page is cut off here."""

_SLICE_BYTES = 8 * 1024
"""Between two looks at the clock: a second of 2G."""
_SEND_BUFFER_BYTES = 64 * 1024
"""At most this is out of our hands at once (8 s of 2G); enough for 10 Mbit/s at 50 ms."""
_SEGMENT_BYTES = 1220
"""Fits the smallest packets that IPv6 allows (1280): on a way that swallows larger ones without a word, as tunnels of
mobile networks do, nothing would arrive at all."""
_UNHEARD_MS = 20_000
"""After that long without any sign from the other side a connection is dead: a network went away, and the next one
must not wait for the last one's silence."""
_PROBE_AFTER_SECONDS, _PROBE_EVERY_SECONDS, _PROBES = 10, 3, 3

_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES),
]


class Transport(Protocol):
    """A way to one collector."""

    def exchange(self, request: Request) -> Answered | Unanswered:
        """Sends the request once and returns what came back; does not raise for what a network can do."""


class HttpTransport:
    """HTTP or HTTPS to the collector at `url`; `tls` says who we are and whom we believe. Raises ValueError when `url`
    or `proxy` is no address."""

    def __init__(
        self,
        url: str,
        silence_seconds: float = SILENCE_SECONDS,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self._address = httpx.URL(url if url.endswith("/") else f"{url}/")
        if self._address.scheme not in ("http", "https") or not self._address.host:
            raise ValueError(f"not the address of a collector: {url!r}")
        if self._address.scheme == "https" and tls is None:
            raise ValueError(f"TLS needs certificates: {url!r}")
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(verify=tls or False, proxy=proxy, socket_options=_SOCKET_OPTIONS),
            timeout=httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS),
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,  # a proxy has to be asked for, not found in the environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def exchange(self, request: Request) -> Answered | Unanswered:
        """See Transport."""
        way = _Way()
        try:
            with self._client.stream(
                request.method,
                self._address.join(request.path),
                content=_in_time(request.body, time.monotonic() + BODY_SECONDS) if request.body else b"",
                headers={**request.headers, "content-length": str(len(request.body))},
                extensions={"trace": way.trace},
            ) as response:
                return _read(response)
        except _TooSlow:
            return Unanswered(Outcome.BROKEN)
        except httpx.TransportError as error:
            return Unanswered(outcome_of(error, way.reached))


class _TooSlow(Exception):
    """The request was not sent in time."""


class _Way:
    """How far an exchange came."""

    def __init__(self) -> None:
        self.reached = False

    def trace(self, event: str, _details: dict[str, Any]) -> None:
        self.reached = self.reached or event == "connection.connect_tcp.complete" or event.startswith("http11.")


def _in_time(body: bytes, deadline: float) -> Iterator[bytes]:
    for start in range(0, len(body), _SLICE_BYTES):
        if time.monotonic() > deadline:
            raise _TooSlow
        yield body[start : start + _SLICE_BYTES]


def _read(response: httpx.Response) -> Answered | Unanswered:
    """The answer's body as it came, up to ANSWER_BYTES_MAX: what is longer is no acknowledgement anyway."""
    deadline = time.monotonic() + ANSWER_SECONDS
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            break
        if time.monotonic() > deadline:
            return Unanswered(Outcome.TIMEOUT)
    return Answered(response.status_code, body[:ANSWER_BYTES_MAX], dict(response.headers))
