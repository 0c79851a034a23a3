"""Our own reader, as `c1kiosk digits` uses it."""

from __future__ import annotations

from firmware.digit_model.classifier import DigitModel
from firmware.records import Gray
from tests.peers.boxes import ROOT
from tests.peers.engine import Answer


class C1Kiosk:
    """The shipped digit model on one thread."""

    name = "c1kiosk"

    def __init__(self) -> None:
        self._model = DigitModel.load(ROOT / "models")
        self.version = self._model.sha256[:16]

    def read(self, cell: Gray) -> Answer:
        """The label; nothing for a cell that the model calls unclear."""
        (reading,) = self._model.read([cell])
        return Answer("" if reading.label == "unclear" else reading.label, reading.confidence)
