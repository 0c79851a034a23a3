"""A station with everything true but the paper: pages are made by hand, so that a whole day takes milliseconds.

Ledger, signer, receipts and review are the real ones. A picture is text: `page 2`, `page 2 again`, `wall`, or JSON-like
`page 2 suara_1=9?1` to say how one field is read. Camera and printer do what the test says they do.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from firmware.capture.camera import Camera, CameraFault, Preview
from firmware.day import day as days
from firmware.day.day import Checked, Moment
from firmware.day.pin import Pin, PinFile, make_pin
from firmware.day.strips import DayStrips
from firmware.errors import Refused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.ledger.store import Ledger
from firmware.panel.panel import Panel, SilentPanel
from firmware.panel.view import Answer, SessionView
from firmware.parts import Parts, Place, Race
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.strip import ReceiptLayout
from firmware.receipts import Receipts
from firmware.records import (
    Confirmation,
    Delivery,
    FieldReading,
    FieldStrip,
    Frame,
    Geometry,
    Mode,
    Page,
    PageRefusal,
    Press,
    Reading,
    RefusedPage,
    SealedRecord,
    Tally,
)
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.draft import RecordContext, draft_record
from firmware.signing.head import compare
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.states import State
from firmware.station import Station
from firmware.tally.decide import decide
from firmware.uplink.stick_notes import StickNote
from tests import readings
from tests.strips import PLACE, PPWP_2024, TPS

FORM = "c.hasil-ppwp-2024"
DPR = "c.hasil-dpr-demo"
CONTEST = "ppwp"
PIN = "704912"
STACK = ("page 2", "page 1", "page 3")
COPIES = 2
NOW = datetime(2029, 2, 14, 21, 0, tzinfo=UTC)

MOMENT = Moment(int(NOW.timestamp()), "synchronised")
PIN_FILE = msgspec.json.decode(make_pin(PIN, bytes(16)), type=PinFile)


class PowerCut(BaseException):
    """The process is gone: nothing after this line happens. Not an Exception: nobody may catch it."""


def no_trouble(_step: str) -> None:
    """Nothing happens."""


@dataclass
class PaperPrinter:
    """A printer that does what it is told; `out` is the paper."""

    status_now: PrinterStatus = PrinterStatus.READY
    outcomes: list[PrintOutcome] = field(default_factory=list)
    """What the next prints come to; confirmed when empty."""
    out: list[ReceiptLayout] = field(default_factory=list)
    trouble: Callable[[str], None] = no_trouble

    def status(self) -> PrinterStatus:
        return self.status_now

    def print(self, layout: ReceiptLayout) -> PrintOutcome:
        self.trouble("print")
        outcome = self.outcomes.pop(0) if self.outcomes else PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY)
        if outcome.printed is Printed.CONFIRMED:
            self.out.append(layout)
        self.trouble("printed")
        return outcome

    def clear(self) -> PrinterStatus:
        self.trouble("clear")
        return self.status_now


@dataclass
class Room:
    """What outlives a power cut: the disk, the signer, the paper on the desk and what came out of the printer."""

    folder: Path
    desk: list[str | CameraFault] = field(default_factory=lambda: list(STACK))
    printer: PaperPrinter = field(default_factory=PaperPrinter)
    values: Mapping[str, int] = field(default_factory=lambda: dict(PPWP_2024))
    trouble: Callable[[str], None] = no_trouble
    """Called with the name of every step; may raise PowerCut or Refused."""
    later: list[Callable[[], None]] | None = None
    """Where work waits when it is not to be done at once."""
    deliveries: tuple[Delivery, ...] = ()
    """Of every record."""
    sticks: tuple[StickNote, ...] = ()
    """What is told of USB sticks."""
    forms: tuple[str, ...] = (FORM,)
    """Of the contests of the day."""
    begins_open: bool = True
    """The day is open, with the first contest at hand; else a test opens it."""
    found: list[Checked] = field(default_factory=lambda: [Checked("tps", True, TPS), Checked("printer", True, "ready")])
    """What the kiosk finds about itself."""
    sealed: set[bytes] = field(default_factory=set)
    """SHA-256 of everything the signer ever gave."""
    camera: Camera | None = None
    """In place of the paper on the desk."""
    panel: Panel = field(default_factory=SilentPanel)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.layout: FormLayout = shipped_layouts()[FORM]
        self.key = DevelopmentKey.open(self.folder / "key", lambda: NOW)
        self.signer = Signer(self.folder / "signer", self.key, self._clock)
        self._ledger: Ledger | None = None

    @staticmethod
    def _clock() -> ClockReading:
        return ClockReading(int(NOW.timestamp()), ClockQuality.SYNCHRONISED)

    @property
    def ledger(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    def switch_on(self) -> Station:
        """A new process on the same disk."""
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = Ledger.open(self.folder / "ledger", clock=lambda: NOW)
        self.printer.trouble = self.trouble
        if self.begins_open and self._ledger.load_draft(days.KEY) is None:
            day = days.Day(contest=self.layout.contest).opened((), COPIES, 0, MOMENT)
            days.save(day.with_contest(self.layout.contest), self._ledger)
        return Station.open(self.place, self._parts())

    @property
    def place(self) -> Place:
        """Where the kiosk stands."""
        layouts = (shipped_layouts()[form] for form in self.forms)
        return Place(Mode.DEVELOPMENT, TPS, PLACE, tuple(Race(layout, layout.limits) for layout in layouts))

    def _parts(self) -> Parts:
        ledger: Any = _Troubled(self.ledger, self)
        place = self.place
        return Parts(
            camera=self.camera or self,
            recognise=self._recognise,
            read=self._read,
            upright=lambda page, _layout: page.frame.data,
            draft=self._draft,
            signer=self,
            ledger=ledger,
            receipts=Receipts(ledger, self.printer),
            strips=DayStrips(place, "Pemilu uji", bytes(32), ledger, lambda _kid: None, lambda: None, 576),
            copies=COPIES,
            pin=Pin(PIN_FILE, ledger, self.clock),
            checks=self._examine,
            agree=lambda: compare(self.signer.head(), ledger.record_hashes()),
            now=lambda: MOMENT,
            deliveries=lambda records: [replace(entry, record=name) for name in records for entry in self.deliveries],
            sticks=lambda: self.sticks,
            start=self._start,
            panel=self.panel,
            clock=self.clock,
            layouts=tuple(race.layout for race in place.races),
        )

    def _examine(self) -> tuple[Checked, ...]:
        self.trouble("examine")
        return tuple(self.found)

    def _draft(self, confirmation: Confirmation) -> dict[str, Any]:
        layout = shipped_layouts()[confirmation.form]
        context = RecordContext(Mode.DEVELOPMENT, bytes(32), layout, "c1kiosk test", bytes(32))
        return draft_record(confirmation, context, self.ledger.journal_head())

    def _start(self, work: Callable[[], None]) -> None:
        if self.later is None:
            work()
        else:
            self.later.append(work)

    # --- camera

    def preview(self) -> Preview | CameraFault:
        shot = self.desk[0]
        return shot if isinstance(shot, CameraFault) else Preview(np.full((540, 960, 3), 255, np.uint8), len(self.desk))

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        self.trouble("capture")
        shot = self.desk.pop(0)
        return shot if isinstance(shot, CameraFault) else (frame(shot),)

    def close(self) -> None: ...

    # --- pages

    def _recognise(self, shot: Frame) -> Page | RefusedPage:
        self.trouble("recognise")
        text = shot.data.decode()
        found = re.match(r"(page|dpr|other) ([0-9]+)", text)
        if not found:
            return RefusedPage(shot, PageRefusal.NO_FORM)
        form = {"page": FORM, "dpr": DPR}.get(found[1], "another-form")
        return page_of(shipped_layouts().get(form, self.layout), int(found[2]), shot, form)

    def _read(self, pages: Sequence[Page], race: Race) -> Tally:
        self.trouble("read")
        fields: dict[str, FieldReading] = {}
        for page in pages:
            told = dict(re.findall(r"([a-z_0-9]+)=(\S+)", page.frame.data.decode()))
            for entry in race.layout.page(page.number).fields:
                text = told.get(entry.id, f"{self.values.get(entry.id, 0):X>3}").replace("_", " ")
                fields[entry.id] = readings.field(entry.id, page.number, text)
        reading = Reading(race.layout.id, tuple(sorted(page.number for page in pages)), fields)
        return decide(reading, race.layout, race.limits)

    # --- signer and receipts

    def seal(self, draft: Mapping[str, object]) -> SealedRecord:
        self.trouble("sign")
        sealed = self.signer.seal(draft)
        self.sealed.add(sealed.sha256)
        self.trouble("signed")
        return sealed


class _Troubled:
    """The ledger, with a chance for trouble around every durable step."""

    STEPS = frozenset({"keep_picture", "save_draft", "commit", "ask_print", "move_print"})

    def __init__(self, ledger: Ledger, room: Room) -> None:
        self._ledger = ledger
        self._room = room

    def __getattr__(self, name: str) -> object:
        real = getattr(self._ledger, name)
        if name not in self.STEPS:
            return real

        def step(*args: object, **kwargs: object) -> object:
            self._room.trouble(name)
            result = real(*args, **kwargs)
            self._room.trouble(name + " done")
            return result

        return step


def frame(text: str) -> Frame:
    """A picture that says what it shows."""
    data = text.encode()
    return Frame(data, hashlib.sha256(data).hexdigest(), "camera", {"exposure": 0.01})


def page_of(layout: FormLayout, number: int, shot: Frame, form: str) -> Page:
    """The page, with a picture of text for every field."""
    geometry = Geometry(np.eye(3), ("TL", "TR", "BL", "BR"), 0.1, 0.98)
    fields = layout.page(number).fields if form == layout.id else ()
    return Page(form, number, shot, geometry, (), (), tuple(_strip(entry.id) for entry in fields))


def _strip(name: str) -> FieldStrip:
    picture = np.full((60, 180, 3), 255, np.uint8)
    cv2.putText(picture, name[:12], (4, 38), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (120, 40, 20), 2)
    return FieldStrip(name, picture)


def press(station: Station) -> Answer:
    """A person presses the button."""
    return station.press(Press(NOW, "test"))


def take_all_pages(station: Station) -> SessionView:
    """A press for every page of the stack."""
    for _ in STACK:
        assert press(station) is Answer.ACCEPTED
    return station.view()


def settle(station: Station, values: Mapping[str, int]) -> None:
    """A careful person: agrees where the machine is right, types where it is not."""
    fields = station.view().fields
    right = [entry.id for entry in fields if entry.machine == values[entry.id]]
    assert station.accept(right) is Answer.ACCEPTED
    for entry in fields:
        if entry.id not in right:
            assert station.correct(entry.id, values[entry.id]) is Answer.ACCEPTED


def whole_contest(room: Room) -> Station:
    """From the first press to the receipts."""
    station = room.switch_on()
    take_all_pages(station)
    settle(station, room.values)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    assert station.view().state is State.IDLE
    return station


def refuse_once(step: str, code: str) -> Callable[[str], None]:
    """Trouble at the first time of `step`."""
    waiting = [step]

    def trouble(now: str) -> None:
        if waiting and now == waiting[0]:
            waiting.clear()
            raise Refused(code)

    return trouble


def cut_at(count: int) -> Callable[[str], None]:
    """The power goes at the `count`-th step of any kind, and stays on afterwards."""
    left = [count]

    def trouble(_step: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise PowerCut

    return trouble
