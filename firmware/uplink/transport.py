"""How requests travel: HTTP/1.1 to one collector, over TLS with certificates on both sides (tls.py), through a proxy
where one is configured. Redirects are never followed: a collector does not send any.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

import httpcore

from firmware.uplink.faults import outcome_of
from firmware.uplink.outcome import Answered, Outcome, Unanswered
from firmware.uplink.sockets import CarefulNetwork
from firmware.uplink.wire import Request

CONNECT_SECONDS = 10.0
"""For TLS: three times a slow 2G handshake."""
SILENCE_SECONDS = 30.0
"""Longest silence within an exchange: what is in our send buffer takes half of it at 2G speed."""
BODY_SECONDS = 60.0
"""Longest time in which a request has to be sent: a piece that was cut for a faster network is given up."""
ANSWER_SECONDS = 60.0
"""Longest time in which the body of an answer has to be whole."""
IDLE_SECONDS = 20.0
"""How long a connection is kept for the next request: opening one over 2G takes three seconds."""
ANSWER_BYTES_MAX = 64 * 1024
"""Largest answer read, in bytes: an acknowledgement is under 300; a portal's page is cut off here."""

_SLICE_BYTES = 8 * 1024
"""Between two looks at the clock: a second of 2G."""

_FAULTS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError)


class Transport(Protocol):
    """A way to one collector."""

    def exchange(self, request: Request) -> Answered | Unanswered:
        """Sends the request once and returns what came back; does not raise for what a network can do."""

    def renew(self) -> None:
        """Lets go of connections that were made over the last network."""


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
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a collector: {url!r}")
        if parts.scheme == "https" and tls is None:
            raise ValueError(f"TLS needs certificates: {url!r}")
        self._base = url.rstrip("/") + "/"
        self._headers = {"host": parts.netloc.rpartition("@")[2], "accept-encoding": "identity"}
        self._timeout = {"connect": CONNECT_SECONDS, "read": silence_seconds, "write": silence_seconds}
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            proxy=_proxy(proxy) if proxy else None,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=CarefulNetwork(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    def exchange(self, request: Request) -> Answered | Unanswered:
        """See Transport."""
        way = _Way()
        headers = {**self._headers, **request.headers, "content-length": str(len(request.body))}
        try:
            with self._pool.stream(
                request.method,
                self._base + request.path,
                headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()],
                content=_in_time(request.body, time.monotonic() + BODY_SECONDS),
                extensions={"timeout": self._timeout, "trace": way.trace},
            ) as response:
                return _read(response)
        except _TooSlow:
            return Unanswered(Outcome.BROKEN)
        except _FAULTS as error:
            return Unanswered(outcome_of(error, way.reached))

    def renew(self) -> None:
        """See Transport."""
        self._pool.close()


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


def _proxy(address: str) -> httpcore.Proxy:
    """Name and password travel as a header, not in the address."""
    parts = urlsplit(address)
    named = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return httpcore.Proxy(f"http://{parts.netloc.rpartition('@')[2]}", auth=named)


def _read(response: httpcore.Response) -> Answered | Unanswered:
    """The answer's body as it came, up to ANSWER_BYTES_MAX: what is longer is no acknowledgement anyway."""
    deadline = time.monotonic() + ANSWER_SECONDS
    body = b""
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            break
        if time.monotonic() > deadline:
            return Unanswered(Outcome.TIMEOUT)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answered(response.status, body[:ANSWER_BYTES_MAX], headers)
