"""A ledger with records for tests of the local API, and a station that stands beside it or is away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from firmware.day.day import Stage
from firmware.endpoint.sources import Sources
from firmware.endpoint.station_client import StationAway
from firmware.ledger.store import Ledger
from firmware.panel.view import ContestStage, ContestView, DeliveryView, RecordView
from firmware.records import DeliveryState, Mode, SealedRecord
from firmware.states import State
from tests.sealing import TPS, World, make_world, pictures_of


@dataclass
class FakeStation:
    """Says how it stands, unless it is away."""

    away: bool = False

    def view(self, watching: bool = False) -> Any:
        if self.away:
            raise StationAway
        record = RecordView("ab" * 32, 1, "fingerprint")
        delivery = DeliveryView("kota-contoh", DeliveryState.SENT, 2, None)
        contest = ContestView("ppwp", {}, ContestStage.SEALED, (), record, (delivery,))
        day = SimpleNamespace(stage=Stage.OPEN)
        return SimpleNamespace(
            state=State.IDLE, mode=Mode.DEVELOPMENT, tps=TPS[0], day=day, contest="ppwp", contests=(contest,)
        )


class SealedRoom:
    """A kiosk's folders, with records sealed into its ledger."""

    def __init__(self, folder: Path, records: int) -> None:
        self.folder = folder
        self.world: World = make_world(folder)
        self.station = FakeStation()
        self.sealed: list[SealedRecord] = []
        with Ledger.open(folder / "ledger") as ledger:
            for number in range(1, records + 1):
                self.sealed.append(self.world.seal(number))
                ledger.commit(self.sealed[-1], pictures_of(number))

    @property
    def sources(self) -> Sources:
        station: Any = self.station
        return Sources(station, self.folder / "ledger", self.folder / "trust")

    def name(self, number: int) -> str:
        """SHA-256 of the record of that number."""
        return self.sealed[number - 1].sha256.hex()
