"""A kiosk's API on the local network, asked from a laptop. Specification.

TLS 1.3 and nothing older; the kiosk is believed when its certificate ends at the authority given and names the address
that was typed; the laptop shows its own certificate. No proxy is asked, no redirection followed, and no answer is read
beyond the size that its kind can have. What an answer is worth is for pull.py: nothing is believed here.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from firmware.endpoint.answers import Problem
from firmware.errors import Refused
from firmware.ledger.pictures import PICTURE_BYTES_MAX
from firmware.signing.durable import PRIVATE_FILE
from firmware.signing.encoding import MAX_BYTES
from firmware.uplink.tls import client_context

USUAL_PORT = 8443
"""Where a kiosk serves unless its [lan] says otherwise (config.py)."""
PATIENCE_SECONDS = 15.0
"""For connecting and for each read: longer than the kiosk itself waits for a slow client."""
PROBLEM_BYTES_MAX = 64 * 1024
"""Of a refusal: ours are under 1 kB."""

Answer = TypeVar("Answer", bound=msgspec.Struct)


class PullRefused(Refused):
    """What the kiosk gave is not kept."""


class PullStopped(PullRefused):
    """The kiosk cannot be asked any more: going on makes no sense."""


def address_of(host: str) -> str:
    """The https address of `HOST[:PORT]`. Raises ValueError when it is more or less than that."""
    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.netloc != host or parts.username is not None:
        raise ValueError(host)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{name}:{parts.port or USUAL_PORT}"


class LanKiosk:
    """One kiosk. Every method raises PullStopped when the connection fails and PullRefused("pull-kiosk") when the kiosk
    says no, with its own code."""

    def __init__(self, address: str, certificate: Path, key: Path, ca: Path) -> None:
        """PEM files. Raises LayoutRefused("uplink-certificate")."""
        context = client_context(certificate, key, ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        headers = {"accept-encoding": "identity"}
        self._client = httpx.Client(
            base_url=address, verify=context, timeout=PATIENCE_SECONDS, trust_env=False, headers=headers
        )
        self._address = address
        self._answered = False

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    def ask(self, path: str, kind: type[Answer]) -> Answer:
        """The answer, of the shape that the API promises; raises PullRefused("pull-answer") when it is another."""
        data = self.content(path)
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as problem:
            raise PullRefused("pull-answer", path=path, problem=str(problem)) from problem

    def content(self, path: str) -> bytes:
        """Everything but pictures, whole: at most MAX_BYTES, the most a record has."""
        with self._answer(path) as response:
            _accept(response, path, HTTPStatus.OK)
            return _whole(response, path, MAX_BYTES)

    def resume(self, path: str, part: Path, sha256: str) -> None:
        """Goes on receiving the content of this hash into `part`, from where it ends; what came stays when it is cut.

        Should the kiosk not know that content by this name, it sends all, and `part` begins anew.
        """
        have = part.stat().st_size if part.exists() else 0
        wanted = {"range": f"bytes={have}-", "if-range": f'"{sha256}"'} if have else {}
        with self._answer(path, wanted) as response:
            _accept(response, path, HTTPStatus.OK, *([HTTPStatus.PARTIAL_CONTENT] if have else []))
            if response.status_code == HTTPStatus.OK:
                have = 0
            elif not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                raise PullRefused("pull-answer", path=path, problem="content-range")
            _keep(response.iter_raw(), part, have, path)

    @contextmanager
    def _answer(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        try:
            with self._client.stream("GET", path, headers=headers) as response:
                self._answered = True
                yield response
        except httpx.TransportError as problem:
            raise PullStopped(self._why(problem), host=self._address, problem=str(problem)) from problem

    def _why(self, problem: httpx.TransportError) -> str:
        """With TLS 1.3 a client learns only after the handshake, when it reads, that its certificate is not liked."""
        if isinstance(problem, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(problem):
            return "pull-other-kiosk"
        if isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout):
            return "pull-unreachable"
        return "pull-cut" if self._answered else "pull-turned-away"


def _accept(response: httpx.Response, path: str, *wanted: HTTPStatus) -> None:
    if response.status_code in wanted:
        return
    try:
        code = msgspec.json.decode(_whole(response, path, PROBLEM_BYTES_MAX), type=Problem).code
    except msgspec.DecodeError:
        code = "-"
    raise PullRefused("pull-kiosk", path=path, status=response.status_code, told=code)


def _whole(response: httpx.Response, path: str, most: int) -> bytes:
    data = bytearray()
    for piece in response.iter_raw():
        data += piece
        if len(data) > most:
            raise PullRefused("pull-too-large", path=path, most=most)
    return bytes(data)


def _keep(pieces: Iterator[bytes], part: Path, offset: int, path: str) -> None:
    """On disk on return; what came before a cut is in the file, and its hash will tell what it is worth."""
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE), "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        for piece in pieces:
            file.write(piece)
            if file.tell() > PICTURE_BYTES_MAX:
                raise PullRefused("pull-too-large", path=path, most=PICTURE_BYTES_MAX)
        file.flush()
        os.fsync(file.fileno())
