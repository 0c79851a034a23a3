"""Records of a night for the collector: many kiosks, each with a chain of its own, and a trust folder of them.

Every kiosk reports RECORDS polling stations' presidential results, signed as the signer signs, with pictures that are
named and need not be sent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from collector.provinces import PROVINCES
from firmware.signing import merkle
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.cose import MessageType, sign
from firmware.signing.key_file import FileKey
from firmware.signing.trust import write_trust
from tests import sealing
from tests.bench.verify_night import device
from tests.vectors import parts

RECORDS = 5
"""Of each kiosk: as many as there are contests in a polling station."""
NAME = "bench"
PAGES = (1, 2, 3)
PICTURE_BYTES = 8 * 1024
"""Small, so that many of them come and go between two kills."""
_PROVINCES = tuple(PROVINCES)


@dataclass(frozen=True)
class Load:
    """What is handed in, in the order of a kiosk's chain."""

    trust: Path
    records: list[tuple[str, bytes]]
    """Name (hexadecimal) and COSE bytes."""
    stations: dict[str, str]
    """The TPS of each record, by its name."""


def make_load(folder: Path, kiosks: int, each: int = RECORDS) -> Load:
    """The trust folder and the collector's key in `folder`, and the records of so many kiosks, `each` of them."""
    keys = [device(number) for number in range(kiosks)]
    stations = [_station(number) for number in range(1, kiosks * each + 1)]
    election = json.loads(sealing.ELECTION)
    election["polling_stations"] = [{"code": code, "place": "Contoh", "voters": 280} for code in stations]
    text = json.dumps(election).encode()
    write_trust(
        folder / "trust",
        election=text,
        layouts=[sealing.LAYOUT],
        authorities=[parts.der(parts.ISSUING)],
        devices=[key.certificate for key in keys],
        collectors=[open_collector_key(folder / "data" / "key", NAME).certificate],
    )
    made = [_chain(key, stations[index::kiosks], hashlib.sha256(text).digest()) for index, key in enumerate(keys)]
    stations_of = {
        name: tps
        for index, chain in enumerate(made)
        for (name, _), tps in zip(chain, stations[index::kiosks], strict=True)
    }
    return Load(folder / "trust", [chain[turn] for turn in range(each) for chain in made], stations_of)


def _station(number: int) -> str:
    """In one province after the other."""
    return f"{_PROVINCES[number % len(_PROVINCES)]}71{number // 1000:06d}{number % 1000:03d}"


def picture(tps: str, page: int) -> bytes:
    """The picture that a record of this TPS names on this page."""
    return hashlib.sha256(f"{tps} {page}".encode()).digest() * (PICTURE_BYTES // 32)


def _chain(key: FileKey, stations: list[str], election: bytes) -> list[tuple[str, bytes]]:
    entries: list[bytes] = []
    made = []
    for sequence, tps in enumerate(stations, start=1):
        pages = [_page(number, picture(tps, number)) for number in PAGES]
        payload = sealing.draft(sequence, tps=tps, election=election, pages=pages) | {
            "sequence": sequence,
            "previous": entries[-1] if entries else sealing.START,
            "log": {"size": len(entries), "root": merkle.root(entries)},
            "time": {"unix": sealing.SEALED_AT, "clock": "synchronised"},
        }
        cose = sign(payload, MessageType.RECORD, key)
        entries.append(hashlib.sha256(cose).digest())
        made.append((entries[-1].hex(), cose))
    return made


def _page(number: int, content: bytes) -> dict[str, object]:
    name = hashlib.sha256(content).digest()
    return {"page": number, "sha256": name, "facts": {}, "marks": [], "residual_um": 0, "support_ppm": 0}
