"""The station's side of the signer's socket, see service.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from firmware.errors import SignerRefused, VerificationRefused
from firmware.http import unix_client
from firmware.records import SealedRecord
from firmware.signing.cose import parse
from firmware.signing.encoding import decode, encode
from firmware.signing.head import Head
from firmware.signing.keys import Protection

TIMEOUT_S = 20.0
"""A seal takes milliseconds from a file, a second from a slow TPM; an SD card may stall for several."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SigningDevice:
    """What the signer says of its key; certificates are DER."""

    certificate: bytes
    authority: bytes
    protection: Protection


class SignerClient:
    """Asks the signer. Every call may be repeated: the same draft gives the same record."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = socket_path
        self._timeout_s = timeout_s

    def seal(self, draft: Mapping[str, Any]) -> SealedRecord:
        """The sealed record of `draft`. Raises SignerRefused, `signer-unreachable` when nobody answers."""
        answer = self._ask("POST", "/v1/seal", encode(dict(draft)))
        cose, receipt = _take(answer, "cose", bytes), _take(answer, "receipt", bytes)
        payload = decode(parse(cose).payload)
        return SealedRecord(cose, receipt, hashlib.sha256(cose).digest(), payload["sequence"], payload)

    def device(self) -> SigningDevice:
        """The signer's certificates and how its key is kept. Raises SignerRefused."""
        answer = self._ask("GET", "/v1/device")
        certificate, authority = _take(answer, "certificate", bytes), _take(answer, "authority", bytes)
        return SigningDevice(certificate, authority, Protection(_take(answer, "protection", str)))

    def head(self) -> Head:
        """What the signer's log ends with, to be compared with the ledger (head.py). Raises SignerRefused."""
        answer = self._ask("GET", "/v1/head")
        size, journal = _take(answer, "size", int), _take(answer, "journal", bytes)
        return Head(size, _take(answer, "root", bytes), _take(answer, "last", bytes), journal)

    def report(self, draft: Mapping[str, Any]) -> bytes:
        """The signed report of a self-test, COSE; `selftest_report.check_draft` says what may stand in it."""
        return _take(self._ask("POST", "/v1/self-test", encode(dict(draft))), "report", bytes)

    def checkpoint(self) -> bytes:
        """The signed note of the signer's log; `checkpoint.verify` proves it. Raises SignerRefused."""
        response = self._send("GET", "/v1/checkpoint", None)
        if response.status_code != httpx.codes.OK:
            self._answer(response)
        return response.content

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        return self._answer(self._send(method, path, body))

    def _send(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        try:
            with unix_client(self._path, self._timeout_s) as client:
                return client.request(method, path, content=body)
        except httpx.HTTPError as error:
            raise SignerRefused("signer-unreachable", problem=type(error).__name__) from error

    def _answer(self, response: httpx.Response) -> Any:
        """The decoded answer; raises SignerRefused when it is a refusal."""
        try:
            answer = decode(response.content)
        except VerificationRefused as error:
            raise SignerRefused("signer-unreachable", problem=type(error).__name__) from error
        if response.status_code != httpx.codes.OK:
            raise SignerRefused(_take(answer, "code", str), **_take(answer, "details", dict))
        return answer


def _take(answer: Any, name: str, kind: type[T]) -> T:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise SignerRefused("signer-unreachable", problem=name)
    return value
