"""What came out of a room, and whether it proves what it should: with nothing but the trust folder."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from firmware.errors import Refused
from firmware.ledger.outbox import Outbox
from firmware.signing import receipt_code
from firmware.signing.receipt_picture import read_code
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement, verify_receipt, verify_record
from tests.simulators.room import COPIES, Room

FRAME = ("opening", "closing")
"""Strips around the receipts of a day."""
PATIENCE_SECONDS = 20.0
"""Longest wait for the collector's acknowledgement: the uplink looks once a second."""


class NotProven(Exception):
    """Something that should have come out did not, or does not verify."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a witness, the collector and an auditor hold."""

    record: bytes
    strips: tuple[bytes, ...]
    """PNG of every whole strip of the record that fell out of the printer."""
    acknowledgement: bytes

    @property
    def sha256(self) -> bytes:
        """The record's name."""
        return hashlib.sha256(self.record).digest()


def gather(room: Room) -> Evidence:
    """Takes the record from the kiosk's API, the strips from the printer, the acknowledgement from the outbox."""
    with httpx.Client(base_url=room.url) as http:
        entries: list[Mapping[str, Any]] = http.get("/v1/records").raise_for_status().json()["records"]
        if len(entries) != 1:
            raise NotProven(f"{len(entries)} records")
        record = http.get(f"/v1/records/{entries[0]['sha256']}").raise_for_status().content
    strips = [strip.path.read_bytes() for strip in room.printer.strips if strip.whole and strip.path]
    if len(strips) != COPIES + len(FRAME):
        raise NotProven(f"{len(strips)} strips, not {COPIES} receipts and {' and '.join(FRAME)}")
    return Evidence(record, tuple(strips[1:-1]), _acknowledgement(room, hashlib.sha256(record).digest()))


def _acknowledgement(room: Room, record: bytes) -> bytes:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with Outbox.open(room.config.outbox_folder, readonly=True) as outbox:
            kept = outbox.acknowledgement(record)
        if kept is not None:
            return kept
        time.sleep(0.1)
    raise NotProven("no acknowledgement")


def check(room: Room, evidence: Evidence) -> Iterator[str]:
    """One claim after the other, each as soon as it is proven. Raises NotProven."""
    try:
        yield from _check(room, evidence, TrustRoots.load(room.trust))
    except Refused as refusal:
        raise NotProven(str(refusal)) from refusal


def _check(room: Room, evidence: Evidence, trust: TrustRoots) -> Iterator[str]:
    record = verify_record(evidence.record, trust)
    yield f"the record {evidence.sha256.hex()[:16]} is signed by this kiosk, under this election"
    values = {entry.id: entry.value for entry in record.record.fields}
    if values != dict(room.truth):
        raise NotProven("the record does not say what the paper says")
    yield f"its {len(values)} numbers are those on the paper"
    for strip in evidence.strips:
        receipt = verify_receipt(receipt_code.decode(read_code(strip)), trust)
        if receipt.statement.record != evidence.sha256:
            raise NotProven("a receipt names another record")
        if any(values[name] != value for name, value in receipt.results.items()):
            raise NotProven("a receipt has other numbers than the record")
    yield f"{COPIES} receipts: the code in the picture of each print verifies and names the record"
    verify_acknowledgement(evidence.acknowledgement, trust, evidence.sha256)
    yield "the collector's signed acknowledgement of it is stored"


def leave(evidence: Evidence, room: Room, folder: Path) -> None:
    """Writes record.cose, receipt.txt, receipt.png, ack.cose and trust/ to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.cose").write_bytes(evidence.record)
    (folder / "receipt.png").write_bytes(evidence.strips[0])
    (folder / "receipt.txt").write_text(read_code(evidence.strips[0]) + "\n", encoding="ascii")
    (folder / "ack.cose").write_bytes(evidence.acknowledgement)
    shutil.copytree(room.trust, folder / "trust", dirs_exist_ok=True)
