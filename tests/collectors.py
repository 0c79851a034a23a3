"""What tests of the collector share: an application, how a picture is sent by tus, and what a refusal says."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from firmware.records import SealedRecord
from tests.sealing import pictures_of

TUS = {"Tus-Resumable": "1.0.0"}


def put(client: FlaskClient, sealed: SealedRecord) -> TestResponse:
    return client.put(f"/v1/records/{sealed.sha256.hex()}", data=sealed.cose)


def refusal(response: TestResponse) -> tuple[int, str]:
    assert set(response.json) == {"code", "message"}
    assert response.json["message"]
    return response.status_code, response.json["code"]


def base64_of(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def announcing(picture: str, record: str, length: int) -> dict[str, str]:
    """The headers of a POST."""
    said = f"sha256 {base64_of(picture)},record {base64_of(record)}"
    return TUS | {"Upload-Length": str(length), "Upload-Metadata": said}


def piece(data: bytes, offset: int) -> dict[str, str]:
    """The headers of a PATCH."""
    checksum = f"sha256 {base64_of(hashlib.sha256(data).digest())}"
    kind = {"Content-Type": "application/offset+octet-stream"}
    return TUS | kind | {"Upload-Offset": str(offset), "Upload-Checksum": checksum}


@dataclass(frozen=True)
class Sender:
    """Sends pictures of one record."""

    client: FlaskClient
    record: str

    def announce(self, name: str, length: int) -> TestResponse:
        return self.client.post("/v1/pictures", headers=announcing(name, self.record, length))

    def add(self, name: str, data: bytes, offset: int, **changes: str) -> TestResponse:
        headers = piece(data, offset) | {key.replace("_", "-"): value for key, value in changes.items()}
        return self.client.patch(f"/v1/pictures/{name}", data=data, headers=headers)

    def send(self, name: str, data: bytes, step: int = 700) -> Iterator[TestResponse]:
        """Every answer on the way."""
        yield self.announce(name, len(data))
        for offset in range(0, len(data), step):
            yield self.add(name, data[offset : offset + step], offset)


def deliver(client: FlaskClient, sealed: SealedRecord, number: int) -> None:
    """The record of `draft(number)` with all its pictures."""
    assert put(client, sealed).status_code in (200, 201)
    sender = Sender(client, sealed.sha256.hex())
    for name, data in pictures_of(number).items():
        assert [answer.status_code for answer in sender.send(name, data, len(data))] == [201, 204]
