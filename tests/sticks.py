"""A kiosk with an evening's records and the files that its stick's steps read, for tests of offline transfer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.config import KioskConfig, load_config
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.records import SealedRecord
from firmware.uplink.stick import Parcel
from firmware.uplink.stick_parcel import parcel_of
from tests import sealing
from tests.sealing import TPS, World, make_world


@dataclass(frozen=True)
class EveningKiosk:
    """Ledger, outbox, trust and kiosk.toml in one folder."""

    folder: Path
    world: World

    @property
    def toml(self) -> Path:
        return self.folder / "kiosk.toml"

    @property
    def config(self) -> KioskConfig:
        return load_config(self.toml)

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(self.folder / "state" / "ledger")

    def parcel(self) -> Parcel:
        """The bundle as it would be written now."""
        found = parcel_of(self.config, Ledger.open(self.config.ledger_folder, readonly=True))
        assert found
        return found

    def seal(self, number: int, size: int = 2_000) -> SealedRecord:
        """One more record, of the TPS of that place, in signer and ledger; its pictures have `size` bytes."""
        pictures = pictures_of(number, size)
        pages = [
            {"page": page, "sha256": bytes.fromhex(name), "facts": {}, "marks": [], "residual_um": 0, "support_ppm": 0}
            for page, name in enumerate(pictures, start=1)
        ]
        with self.ledger as ledger:
            ledger.append_event({"event": "record.stored", "number": number})
            sealed = self.world.seal(number, journal=ledger.journal_head(), pages=pages)
            ledger.commit(sealed, pictures)
        return sealed


def pictures_of(number: int, size: int) -> Mapping[str, bytes]:
    """The pictures of a record by hash."""
    shown = (sealing.picture(100 * number + page.number, size) for page in sealing.LAYOUT.pages)
    return {sealing.sha256_hex(data): data for data in shown}


def make_kiosk(folder: Path, records: int, size: int = 2_000) -> EveningKiosk:
    """A kiosk of its own, with that many records."""
    world = make_world(folder)
    Outbox.open(folder / "state" / "outbox").close()
    top = {"tps": TPS[1], "election": "trust/election.json", "state": "state", "run": "run"}
    tables = {
        "camera": {"driver": "picamera2"},
        "printer": {"driver": "escpos-serial", "device": "/dev/ttyUSB0"},
        "key": {"driver": "development-file"},
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in top.items()]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{entry} = {json.dumps(value)}" for entry, value in table.items())]
    (folder / "kiosk.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "run" / "stick").mkdir(parents=True)
    kiosk = EveningKiosk(folder, world)
    for number in range(1, records + 1):
        kiosk.seal(number, size)
    return kiosk
