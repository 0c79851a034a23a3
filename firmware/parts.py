"""What a station is put together from: where it stands, and everything it works with. Simulators fit in here too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from firmware.capture.camera import Camera
from firmware.day.day import Checked, Day, Moment
from firmware.day.pin import Pin
from firmware.forms.layout import FormLayout
from firmware.ledger.store import Ledger
from firmware.panel.panel import Panel, SilentPanel
from firmware.receipts import Document, Receipts
from firmware.records import Confirmation, Delivery, Frame, Mode, Page, RefusedPage, SealedRecord, StoredRecord, Tally
from firmware.uplink.stick_notes import StickNote


class Sealer(Protocol):
    """The signer, or the client of its socket."""

    def seal(self, draft: Mapping[str, Any]) -> SealedRecord:
        """The record of `draft`; the same draft gives the same record. Raises SignerRefused."""


class Strips(Protocol):
    """What is printed."""

    def record(self, stored: StoredRecord, copies: int) -> Document:
        """The receipts of a record."""

    def opening(self, day: Day) -> Document:
        """The strip that says what the kiosk was when the day began."""

    def closing(self, day: Day) -> Document:
        """The strip with everything that was sealed, and the root of the log."""


@dataclass(frozen=True, slots=True)
class Race:
    """One contest of the day, with its form."""

    layout: FormLayout
    limits: Mapping[str, int]

    @property
    def id(self) -> str:
        """The contest."""
        return self.layout.contest


@dataclass(frozen=True, slots=True)
class Place:
    """Where this kiosk stands and what it counts."""

    mode: Mode
    tps: str
    name: str
    races: tuple[Race, ...]
    """In the order of the election definition, each with a form of its own."""

    def of_form(self, form: str) -> Race | None:
        """The contest of this form, None when it is none of today's."""
        return next((race for race in self.races if race.layout.id == form), None)

    def race(self, contest: str) -> Race | None:
        """The contest of this name."""
        return next((race for race in self.races if race.id == contest), None)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the station works with."""

    camera: Camera
    recognise: Callable[[Frame], Page | RefusedPage]
    read: Callable[[Sequence[Page], Race], Tally]
    """All pages of the form -> every field, with doubts and rules."""
    upright: Callable[[Page, FormLayout], bytes]
    """JPEG of the rectified page, for people."""
    draft: Callable[[Confirmation], dict[str, Any]]
    signer: Sealer
    ledger: Ledger
    receipts: Receipts
    strips: Strips
    copies: int
    """Receipts of a record, unless the day was opened with more witnesses."""
    pin: Pin
    checks: Callable[[], Sequence[Checked]]
    """What the kiosk finds about itself before a day; takes seconds."""
    agree: Callable[[], None]
    """Raises SignerRefused when signer and ledger do not hold the same records: one of them was put back."""
    now: Callable[[], Moment]
    """The wall clock, and how good it is."""
    deliveries: Callable[[Sequence[bytes]], Sequence[Delivery]]
    """How far these records have come, to every collector."""
    start: Callable[[Callable[[], None]], None]
    """Runs work aside: a thread on the kiosk, at once in tests."""
    sticks: Callable[[], Sequence[StickNote]] = tuple
    """What the stick's unit tells of every USB stick."""
    layouts: Sequence[FormLayout] = ()
    """Forms that a person is told apart from the right one while bringing a page."""
    panel: Panel = SilentPanel()  # noqa: RUF009 - it holds nothing
    clock: Callable[[], float] = time.monotonic
    """Seconds that only rise."""
