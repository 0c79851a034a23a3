"""What the station tells its screen: one immutable picture of the day, as JSON over the station's socket.

Notices are keys of messages/, which the screen fills in in its own language; labels and the sentences of failed rules
come in every language.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from firmware.day.day import Checked, Moment, Stage
from firmware.records import DeliveryState, Doubt, Mode, Reason, Settled
from firmware.states import State

SHOWN_BYTES = 100_000
"""Bytes in the smallest step in which progress is shown: 0.1 MB, half a minute at 2G."""


class Answer(StrEnum):
    """What the station says to a press or a command; sentences under `screen.answer-<value>`."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    NOT_NOW = "not-now"
    """Not a thing to do in this state."""
    UNSETTLED = "unsettled"
    """Numbers are open; nothing is sealed."""
    UNCHANGED = "unchanged"
    """The correction says what the sealed record says."""
    NOT_READY = "not-ready"
    """Something is missing without which no day can be opened."""
    PIN_WRONG = "pin-wrong"
    PIN_LOCKED = "pin-locked"
    """Too many wrong tries: this one was not judged."""
    REFUSED = "refused"
    """Not a number of this form, not a contest of this day, or not a role that seals."""
    FAULT = "fault"
    """The kiosk needs help first; the screen says which."""


class _View(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the types below."""


class Notice(_View, frozen=True):
    """The outcome of the last thing that happened: a key of messages/ and what fills its sentence in."""

    key: str
    values: dict[str, str | int | float] = {}
    good: bool = False


class PageView(_View, frozen=True):
    """One slot."""

    number: int
    picture: str | None
    """SHA-256 of the picture in the slot."""


class FieldView(_View, frozen=True):
    """One number: what the machine read and what a person made of it."""

    id: str
    page: int
    label: dict[str, str]
    boxes: int
    text: str
    """The cells as the machine read them."""
    machine: int | None
    confidence: float
    asked: bool
    """The machine asks a person."""
    doubts: tuple[Doubt, ...]
    settled: Settled | None
    """None: open."""
    value: int | None
    """The person's value once settled, before that the machine's."""


class CheckView(_View, frozen=True):
    """One failed rule, judged on the values as they stand."""

    rule: str
    fields: tuple[str, ...]
    warning: bool
    sentence: dict[str, str]
    """By language: what does not fit, with its numbers."""


class Paper(StrEnum):
    """What is printed at this point of the day."""

    OPENING = "opening"
    RECORD = "record"
    CLOSING = "closing"


class PrintView(_View, frozen=True):
    """The strips of what was printed last."""

    paper: Paper
    copies: int
    printed: int
    """Strips that are certainly out."""
    doubtful: tuple[int, ...]
    """Strips of which a person must say whether they came out whole."""
    problem: str | None
    """Key of messages/ when the printer needs a person."""


class DeliveryView(_View, frozen=True):
    """How far the record is on its way to one collector."""

    collector: str
    state: DeliveryState
    attempts: int
    problem: str | None
    detail: str = ""
    """Fills the sentence of the problem in."""
    pictures_left: int = 0
    """Pictures of the record that the collector does not have yet."""
    bytes_left: int = 0
    """Of these pictures, rounded up to SHOWN_BYTES, so that a screen is not drawn anew for every piece."""


class RecordView(_View, frozen=True):
    """The sealed record."""

    sha256: str
    sequence: int
    fingerprint: str
    """As it stands on the receipts, for comparing by eye."""


class LiveView(_View, frozen=True):
    """What lies under the camera now, and one thing to do about it."""

    key: str
    """Of messages/: an instruction, or what is wrong with the camera."""
    values: dict[str, int] = {}
    number: int = 0
    """Of the picture; a new picture has a new number. 0: there is none."""
    width: int = 0
    height: int = 0
    """Pixels of the picture."""
    page: int | None = None
    outline: tuple[tuple[float, float], ...] = ()
    """The sheet's four corners as parts of width and height; empty when there is no sheet."""
    good: bool = False
    """The button will take this page."""


class ContestStage(StrEnum):
    """How far a contest is."""

    WAITING = "waiting"
    """No page yet."""
    BEGUN = "begun"
    SEALED = "sealed"
    CORRECTING = "correcting"
    """Sealed, and a correction is begun."""


class ContestView(_View, frozen=True):
    """One contest of the day."""

    id: str
    title: dict[str, str]
    stage: ContestStage
    pages: tuple[PageView, ...]
    record: RecordView | None
    """The record that stands."""
    deliveries: tuple[DeliveryView, ...] = ()
    """Of that record, one for each collector."""


class DayView(_View, frozen=True):
    """The day."""

    number: int
    """0: no day was ever opened here."""
    stage: Stage
    copies: int
    """Receipts of each record."""
    checks: tuple[Checked, ...] | None
    """What the kiosk found about itself before the day; None while it looks."""
    may_open: bool
    opened_at: Moment | None
    closed_at: Moment | None


class SessionView(_View, frozen=True):
    """Everything a screen shows."""

    version: str
    """Changes whenever anything else here does, but `live` and `pin_wait`."""
    state: State
    mode: Mode
    tps: str
    place: str
    day: DayView
    contests: tuple[ContestView, ...]
    """Of the day, in the order of the election definition."""
    contest: str
    """The one at hand, empty when none is."""
    correcting: Reason | None
    """The contest at hand is sealed, and is being corrected for this reason."""
    pending: int | None
    """A second picture of this page waits for a person's choice."""
    notice: Notice | None
    fields: tuple[FieldView, ...]
    """Of the contest at hand in form order; empty until all pages are read."""
    failed: tuple[CheckView, ...]
    can_undo: bool
    prints: PrintView | None
    """What is on paper of the record at hand, or of the opening or closing of the day."""
    sticks: tuple[Notice, ...] = ()
    """What becomes of the USB sticks that are plugged in, and of those that were pulled out too early."""
    live: LiveView | None = None
    """None while no page can be brought."""
    pin_wait: int = 0
    """Seconds until the next PIN is judged."""

    @property
    def at_hand(self) -> ContestView | None:
        """The contest at hand."""
        return next((entry for entry in self.contests if entry.id == self.contest), None)

    @property
    def pages(self) -> tuple[PageView, ...]:
        """The slots of the contest at hand."""
        return self.at_hand.pages if self.at_hand else ()

    @property
    def record(self) -> RecordView | None:
        """The record of the contest at hand, once that is sealed and as long as it is not being corrected."""
        sealed = self.at_hand and self.at_hand.stage is ContestStage.SEALED
        return self.at_hand.record if self.at_hand and sealed else None


class Number(_View, frozen=True):
    """What a person typed for a field; None: nothing is written there."""

    value: int | None


class Entry(_View, frozen=True):
    """The ketua's PIN, with what goes with it. Never logged: its repr says nothing."""

    pin: str
    role: str = ""
    """Who seals."""
    witnesses: int = 0
    """Who get a receipt, told when the day is opened."""

    def __repr__(self) -> str:
        return "Entry(...)"
