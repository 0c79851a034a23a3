"""What a station is put together from: where it stands, and everything it works with. Simulators fit in here too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from firmware.capture.camera import Camera
from firmware.forms.layout import FormLayout
from firmware.ledger.store import Ledger
from firmware.panel.panel import Panel, SilentPanel
from firmware.receipts import Document, Receipts
from firmware.records import Confirmation, Delivery, Frame, Mode, Page, RefusedPage, SealedRecord, StoredRecord, Tally


class Sealer(Protocol):
    """The signer, or the client of its socket."""

    def seal(self, draft: Mapping[str, Any]) -> SealedRecord:
        """The record of `draft`; the same draft gives the same record. Raises SignerRefused."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this kiosk stands and what it counts."""

    mode: Mode
    tps: str
    name: str
    layout: FormLayout
    limits: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the station works with."""

    camera: Camera
    recognise: Callable[[Frame], Page | RefusedPage]
    read: Callable[[Sequence[Page]], Tally]
    """All pages of the form -> every field, with doubts and rules."""
    upright: Callable[[Page], bytes]
    """JPEG of the rectified page, for people."""
    draft: Callable[[Confirmation], dict[str, Any]]
    signer: Sealer
    ledger: Ledger
    receipts: Receipts
    document: Callable[[StoredRecord], Document]
    """The receipts of a record."""
    deliveries: Callable[[bytes], Sequence[Delivery]]
    start: Callable[[Callable[[], None]], None]
    """Runs work aside: a thread on the kiosk, at once in tests."""
    layouts: Sequence[FormLayout] = ()
    """Forms that a person is told apart from the right one while bringing a page."""
    panel: Panel = SilentPanel()  # noqa: RUF009 - it holds nothing
    clock: Callable[[], float] = time.monotonic
    """Seconds that only rise."""
