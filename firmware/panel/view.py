"""What the station tells its screen: one immutable picture of the session, as JSON over the station's socket.

Notices are keys of messages/, which the screen fills in in its own language; labels and the sentences of failed rules
come in every language.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from firmware.records import DeliveryState, Doubt, Mode, Settled


class State(StrEnum):
    """Where the session stands. The order is the sentence of the kiosk."""

    IDLE = "idle"
    """Waits for a page."""
    CAPTURING = "capturing"
    READING = "reading"
    REVIEWING = "reviewing"
    """Waits for a person to settle every field."""
    SEALING = "sealing"
    """Signs, then commits to disk."""
    PRINTING = "printing"
    DONE = "done"
    """On disk; forwarding goes on aside."""
    FAULT = "fault"
    """Something that a person has to see; `retry` is the way out."""


WORKING = frozenset({State.CAPTURING, State.READING, State.SEALING, State.PRINTING})
"""States in which the station works: whatever is asked of it is answered `busy`, never queued."""


class Answer(StrEnum):
    """What the station says to a press or a command; sentences under `screen.answer-<value>`."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    NOT_NOW = "not-now"
    """Not a thing to do in this state."""
    UNSETTLED = "unsettled"
    """Numbers are open; nothing is sealed."""
    REFUSED = "refused"
    """Not a number of this form, or not a role that seals."""


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


class PrintView(_View, frozen=True):
    """The receipts of the sealed record."""

    copies: int
    printed: int
    problem: str | None
    """Key of messages/ when the printer needs a person."""


class DeliveryView(_View, frozen=True):
    """How far the record is on its way to one collector."""

    collector: str
    state: DeliveryState
    attempts: int
    problem: str | None


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


class SessionView(_View, frozen=True):
    """Everything a screen shows."""

    version: str
    """Changes whenever anything else here does, but `live`."""
    state: State
    mode: Mode
    tps: str
    place: str
    contest: str
    title: dict[str, str]
    pages: tuple[PageView, ...]
    pending: int | None
    """A second picture of this page waits for a person's choice."""
    notice: Notice | None
    fields: tuple[FieldView, ...]
    """In form order; empty until all pages are read."""
    failed: tuple[CheckView, ...]
    can_undo: bool
    record: RecordView | None
    prints: PrintView | None
    deliveries: tuple[DeliveryView, ...]
    live: LiveView | None = None
    """None while no page can be brought."""


class Command(_View, frozen=True):
    """What the screen asks the station to do with a field: `value` None says that nothing is written there."""

    value: int | None
