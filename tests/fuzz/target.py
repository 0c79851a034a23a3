"""The signer as it is asked over HTTP, and the judge of its answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import cbor2
from cryptography import x509
from pycddl import Schema

import firmware.signing
from firmware.signing.cose import MessageType, open_verified, parse
from firmware.signing.encoding import decode
from firmware.signing.keys import open_device
from firmware.signing.service import create_app
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from tests.vectors import parts

RECORDS = 50
"""After so many the signer begins anew: it takes a thousand in its life, and slows down on the way."""
SECONDS_APART = 900
"""Between records, so that they are not found too often."""

_CDDL = (Path(firmware.signing.__file__).parent / "record.cddl").read_text(encoding="utf-8")
SCHEMA = Schema("start = record\n" + _CDDL)
"""An independent judge of what was signed."""


class Target:
    """A signer in memory. `ask` fails when the signer crashes, or signs what it must not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._device = open_device(x509.load_der_x509_certificate(parts.DEVICE.certificate))
        self.answers: Counter[str] = Counter()
        """How often each code was answered; "sealed" is a record."""
        self._begin()

    def ask(self, body: bytes) -> None:
        """One seal request."""
        response = self._client.post("/v1/seal", data=body)
        answer = decode(response.data)
        if response.status_code == 200:
            self._judge(body, answer)
            self.answers["sealed"] += 1
            return
        assert 400 <= response.status_code < 500, (response.status_code, answer, body)
        assert set(answer) == {"code", "details"}
        self.answers[answer["code"]] += 1

    def close(self) -> None:
        """Opens the memory once more: everything in it must verify."""
        self._signer.close()
        Signer(Path(self._state.name), parts.DEVICE, self._clock).close()
        self._state.cleanup()

    def _judge(self, body: bytes, answer: dict[str, bytes]) -> None:
        """What was signed is exactly what was asked for, and is a record in the eyes of another implementation."""
        record = open_verified(parse(answer["cose"]), MessageType.RECORD, self._device.public_key)
        open_verified(parse(answer["receipt"]), MessageType.RECEIPT, self._device.public_key)
        SCHEMA.validate_cbor(parse(answer["cose"]).payload)
        draft = cbor2.loads(body)
        added = set(record) - set(draft)
        assert added == {"sequence", "previous", "log", "time"}, added
        assert {name: record[name] for name in draft} == draft
        self._now += SECONDS_APART
        if record["sequence"] >= RECORDS:
            self.close()
            self._begin()

    def _begin(self) -> None:
        self._now = parts.SEALED_AT
        self._state = TemporaryDirectory(dir=self._folder)
        self._signer = Signer(Path(self._state.name), parts.DEVICE, self._clock)
        self._client = create_app(self._signer, parts.DEVICE).test_client()

    def _clock(self) -> ClockReading:
        return ClockReading(self._now, ClockQuality.SYNCHRONISED)
