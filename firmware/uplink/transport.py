"""How a record travels: HTTP, `PUT /v1/records/{sha256}` with the COSE bytes as the body."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

import httpx

from firmware.uplink.outcome import Answered, Outcome, Unanswered

CONNECT_SECONDS = 10.0
"""To find and reach the collector: three times a slow 2G handshake with TLS."""
SILENCE_SECONDS = 30.0
"""Longest silence within an exchange: a 2 kB record takes under 5 s at 2G speed."""
ANSWER_SECONDS = 60.0
"""Longest time in which the body of an answer has to be whole."""
ANSWER_BYTES_MAX = 64 * 1024
"""Largest answer read, in bytes: an acknowledgement is under 300; a portal's page is cut off here."""

CONTENT_TYPE = "application/cose"


class Transport(Protocol):
    """A way to one collector."""

    def put_record(self, sha256: bytes, cose: bytes) -> Answered | Unanswered:
        """Offers the record once and returns what came back; does not raise for what a network can do."""


class HttpTransport:
    """HTTP or HTTPS to the collector at `url`. Redirects are never followed: the collector does not send any."""

    def __init__(self, url: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        address = httpx.URL(url)
        if address.scheme not in ("http", "https") or not address.host:
            raise ValueError(f"not the address of a collector: {url!r}")
        self._client = httpx.Client(
            base_url=address,
            timeout=httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS),
            headers={"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE, "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,  # a proxy has to be asked for, not found in the environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def put_record(self, sha256: bytes, cose: bytes) -> Answered | Unanswered:
        """See Transport."""
        try:
            with self._client.stream("PUT", f"v1/records/{sha256.hex()}", content=cose) as response:
                return _read(response)
        except httpx.ConnectTimeout:
            return Unanswered(Outcome.NO_NETWORK)
        except httpx.TimeoutException:
            return Unanswered(Outcome.TIMEOUT)
        except httpx.TransportError:
            return Unanswered(Outcome.NO_NETWORK)


def _read(response: httpx.Response) -> Answered | Unanswered:
    """The answer's body as it came, up to ANSWER_BYTES_MAX: what is longer is no acknowledgement anyway."""
    deadline = time.monotonic() + ANSWER_SECONDS
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            return Answered(response.status_code, body[:ANSWER_BYTES_MAX])
        if time.monotonic() > deadline:
            return Unanswered(Outcome.TIMEOUT)
    return Answered(response.status_code, body)
