"""A kiosk's signer, a collector's key and a trust folder that knows both, for tests of what comes after sealing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from firmware.forms.loader import shipped_layouts
from firmware.records import SealedRecord
from firmware.signing import cose
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.key_file import FileKey
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.signing.trust import TrustRoots, write_trust

START = bytes(32)
LAYOUT = shipped_layouts()["c.hasil-ppwp-2024"]
TPS = tuple(f"31710100010{number:02d}" for number in range(1, 41))
COLLECTOR = "kota-contoh"
SEALED_AT = 1_866_000_000
SECONDS_APART = 900
"""Between records, so that the signer does not find them too often."""

ELECTION = json.dumps(
    {
        "version": 1,
        "name": "Pemilu contoh",
        "mode": "development",
        "contests": [{"id": LAYOUT.contest, "form": LAYOUT.id, "candidates": []}],
        "polling_stations": [{"code": code, "place": "Contoh", "voters": 280} for code in TPS],
        "collectors": [],
    }
).encode()


def picture(number: int, size: int = 2_000) -> bytes:
    """Bytes that stand for one picture; another number gives other bytes."""
    return hashlib.sha256(f"picture {number}".encode()).digest() * (size // 32)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pictures_of(number: int) -> dict[str, bytes]:
    """The pictures of the pages of `draft(number)`, by hash."""
    shown = (picture(100 * number + page.number) for page in LAYOUT.pages)
    return {sha256_hex(data): data for data in shown}


def draft(number: int, **changes: Any) -> dict[str, Any]:
    """A draft whose every number is `number`, of the TPS of that place."""
    return {
        "mode": "development",
        "election": hashlib.sha256(ELECTION).digest(),
        "tps": TPS[number],
        "contest": LAYOUT.contest,
        "form": LAYOUT.id,
        "layout": bytes.fromhex(LAYOUT.sha256),
        "pages": [_page(index, name) for index, name in enumerate(pictures_of(number), start=1)],
        "fields": [_field(entry.id, entry.page, number) for entry in LAYOUT.fields.values()],
        "failed": [],
        "confirmed_by": "ketua",
        "software": "test",
        "model": bytes(32),
        "journal": bytes(32),
        "supersedes": None,
        "reason": "",
    } | changes


def _page(number: int, sha256: str) -> dict[str, Any]:
    name = bytes.fromhex(sha256)
    return {"page": number, "sha256": name, "facts": {}, "marks": [], "residual_um": 0, "support_ppm": 0}


def _field(name: str, page: int, value: int) -> dict[str, Any]:
    machine = {"value": value, "text": str(value), "confidence_ppm": 999_000}
    return {"id": name, "page": page, "value": value, "settled": "machine-and-confirmed", "machine": machine}


@dataclass(frozen=True)
class World:
    """One kiosk and one collector that believe each other."""

    signer: Signer
    device_key: DevelopmentKey
    collector_key: FileKey
    trust_folder: Path

    @property
    def trust(self) -> TrustRoots:
        return TrustRoots.load(self.trust_folder)

    def seal(self, number: int, **changes: Any) -> SealedRecord:
        return self.signer.seal(draft(number, **changes))

    def forge(self, like: SealedRecord, **changes: Any) -> SealedRecord:
        """A record that the signer would never sign, signed with its key: what a stolen key can do."""
        payload: Mapping[str, Any] = {**like.payload, **changes}
        message = cose.sign(payload, cose.MessageType.RECORD, self.device_key)
        sha256 = hashlib.sha256(message).digest()
        return replace(like, cose=message, sha256=sha256, sequence=payload["sequence"], payload=payload)


def make_world(folder: Path) -> World:
    """A new one in `folder`: `signer/`, `collector/key/` and `trust/`."""
    device_key = DevelopmentKey.open(folder / "key")
    collector_key = open_collector_key(folder / "collector" / "key", COLLECTOR)
    chain = folder / "signer" / "chain"

    def clock() -> ClockReading:
        return ClockReading(SEALED_AT + SECONDS_APART * len(list(chain.glob("0*"))), ClockQuality.FREE_RUNNING)

    signer = Signer(folder / "signer", device_key, clock)
    write_trust(
        folder / "trust",
        election=ELECTION,
        layouts=[LAYOUT],
        authorities=[device_key.authority],
        devices=[device_key.certificate],
        collectors=[collector_key.certificate],
    )
    return World(signer, device_key, collector_key, folder / "trust")


class _LooseKey:
    """A key that no trust folder knows: the ledger believes its signer and does not ask."""

    certificate = b"certificate of nobody"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


_LOOSE_KEY = _LooseKey()


def seal(sequence: int, previous: bytes = START, pictures: tuple[bytes, ...] = (), **changes: Any) -> SealedRecord:
    """Any record that a test of the ledger needs: one page for each picture and one field on each page."""
    pages = [{"page": n, "sha256": hashlib.sha256(data).digest()} for n, data in enumerate(pictures, start=1)]
    fields = [{"id": f"suara_{page['page']}", "page": page["page"], "value": sequence} for page in pages]
    payload = {"sequence": sequence, "previous": previous, "pages": pages, "fields": fields} | changes
    message = cose.sign(payload, cose.MessageType.RECORD, _LOOSE_KEY)
    return SealedRecord(message, b"receipt", hashlib.sha256(message).digest(), sequence, payload)
