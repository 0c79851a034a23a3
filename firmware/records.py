"""The value types of the flow, in the order in which they come to be.

    Press -> Frame -> Page -> Reading -> Tally -> Confirmation -> Record -> (on disk) -> Receipt
                                                                                   \\----> Delivery

Each stage takes the type before it and returns the next one. All are immutable. What a machine read, what a
person confirmed and what is computed are different types and are never written over one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""A grey picture, shape (height, width), 0 = black, 255 = white."""

Matrix = NDArray[np.float64]

CELL_PIXELS = 48
"""Side in pixels of a rectified cell picture: the model's framing, see CELL_MARGIN."""

CELL_MARGIN = 0.15
"""Part of the cell's side that is shown outside its border on every side, because ink crosses borders."""

TALLY_PIXELS_PER_MM = 4.0
"""Resolution of a rectified tally grid: a stroke of a ball pen is two pixels wide."""

TALLY_MARGIN_MM = 3.0
"""Surroundings shown around a tally grid and its row sums: registration is off by less than one."""

BUBBLE_PIXELS = 24
"""Side in pixels of a rectified bubble picture; the printed circle fills 2/3 of it."""

LABELS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "X", "-", "blank", "unclear")
"""What a cell can show. 'unclear' is a reading too: overwritten, doubled, cut or foreign ink."""

DIGITS = LABELS[:10]
PADDING = ("X", "-", "blank")


class Mode(StrEnum):
    """The world a record belongs to; never mixed."""

    REAL = "real"
    TRAINING = "training"
    DEVELOPMENT = "development"


# --- Press, Frame -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Press:
    """A person asked for a picture."""

    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes of one picture, as the camera or file gave them; they are never re-encoded."""

    data: bytes = field(repr=False)
    sha256: str
    """Lower-case hexadecimal SHA-256 of `data`."""
    name: str
    """File name or camera name: for people, never trusted."""
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    """Capture facts: sensor metadata, exposure, driver."""


# --- Page ---------------------------------------------------------------------------------------------------


class PageRefusal(StrEnum):
    """Why a picture is not a page. The sentence for people lives in messages/ under `page.<value>`."""

    NOT_A_PICTURE = "not-a-picture"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    TOO_SMALL = "too-small"
    NO_FORM = "no-form"
    """No page identity and no printed structure of a known form is visible."""
    OTHER_FORM = "other-form"
    """A known form, but not the one asked for, or not the form of the other pages."""
    NOT_REGISTERED = "not-registered"
    """The form is there, but its marks or lines do not prove where the cells are."""
    CUT = "cut"
    """The form is there, but the picture ends before all of its numbers are seen."""
    COVERED = "covered"
    """The form is there, but a fold or a hand hides some of its numbers."""
    GLARE = "glare"
    """The form is there, but the reflection of a lamp hides some of its numbers."""
    TOO_DARK = "too-dark"
    TOO_FAR = "too-far"
    """The form, or something printed, is too small in the picture for its numbers to be read."""
    BLURRED = "blurred"
    TWO_FORMS = "two-forms"
    SAME_PICTURE = "same-picture"
    """The same bytes were given before."""
    PAGE_TWICE = "page-twice"
    """Another picture of the same page was given and the two do not read the same."""
    PAGE_AGAIN = "page-again"
    """Another picture of the same page was given; it reads the same and is not used."""
    SEALED = "sealed"
    """The contest of this page is sealed; a correction begins on the screen."""
    FILE_MISSING = "file-missing"
    """There is no such file, or it cannot be opened."""
    TOO_MANY = "too-many"
    """More pictures than the pages of one TPS can be; this one was not looked at."""


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """A picture that is not used, with the reason."""

    frame: Frame
    reason: PageRefusal
    details: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the page is in the picture, and how well that is proven."""

    homography: Matrix
    """3x3, maps page millimetres (origin top left of the sheet) to pixels of the upright-decoded picture."""
    marks: tuple[str, ...]
    """Names of the corner marks that were found."""
    residual_mm: float
    """Median distance between printed lines as predicted and as found, in millimetres on the paper."""
    support: float
    """Part of the layout's printed lines that was found where it was predicted, 0..1."""


@dataclass(frozen=True, slots=True)
class CellImage:
    """One digit box, rectified to CELL_PIXELS with CELL_MARGIN around it."""

    field: str
    index: int
    """0 is the leftmost, most significant box."""
    gray: Gray
    sharpness: float
    """1 = as sharp as the page's printing allows, 0 = no edge left."""


@dataclass(frozen=True, slots=True)
class BubbleColumn:
    """The ten bubbles 0-9 under one digit box; `gray` has shape (10, BUBBLE_PIXELS, BUBBLE_PIXELS)."""

    field: str
    index: int
    gray: Gray


@dataclass(frozen=True, slots=True)
class TallyPicture:
    """The grid of tally strokes of one field with its column of row sums, rectified to TALLY_PIXELS_PER_MM.

    TALLY_MARGIN_MM is shown around both.
    """

    field: str
    gray: Gray


@dataclass(frozen=True, slots=True)
class FieldStrip:
    """The rectified colour picture of all boxes of one field, for people. Shape (h, w, 3), BGR."""

    field: str
    bgr: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Page:
    """A picture that is proven to show page `number` of `form`, with its cells."""

    form: str
    number: int
    frame: Frame
    geometry: Geometry
    cells: tuple[CellImage, ...]
    bubbles: tuple[BubbleColumn, ...]
    strips: tuple[FieldStrip, ...]
    tallies: tuple[TallyPicture, ...] = ()


# --- Reading ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellReading:
    """Calibrated probabilities of LABELS for one cell."""

    probabilities: tuple[float, ...]
    """In the order of LABELS; sums to 1."""

    @property
    def label(self) -> str:
        """The most probable label."""
        return LABELS[int(np.argmax(self.probabilities))]

    @property
    def confidence(self) -> float:
        """The probability of `label`."""
        return float(max(self.probabilities))


@dataclass(frozen=True, slots=True)
class BubbleReading:
    """What one bubble column says: how much ink each of the ten circles holds, 0..1."""

    fill: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class StrokeReading:
    """What the tally grid of one field says: probabilities of 0..5 strokes for every cell, row by row."""

    rows: tuple[tuple[tuple[float, ...], ...], ...]
    """`rows[row][column][strokes]`; six probabilities that sum to 1."""


@dataclass(frozen=True, slots=True)
class FieldReading:
    """What the machine saw of one field, channel by channel; nothing is decided yet."""

    field: str
    page: int
    cells: tuple[CellReading, ...]
    bubbles: tuple[BubbleReading, ...] = ()
    """Empty where the form has none; else one per cell."""
    sharpness: float = 1.0
    """The lowest of its cells."""
    strokes: StrokeReading | None = None
    """None where the form has no tally grid for this field."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All fields of the pages of one contest, as read by the machine."""

    form: str
    pages: tuple[int, ...]
    fields: Mapping[str, FieldReading]


# --- Tally --------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """Whether the kiosk is sure enough not to ask."""

    READ = "read"
    REVIEW = "review"


class Doubt(StrEnum):
    """Why a person is asked about a field; sentences under `doubt.<value>` in messages/."""

    UNSURE = "unsure"
    """A cell or the number is not certain enough."""
    GRAMMAR = "grammar"
    """The cells do not form a number (H12)."""
    EMPTY = "empty"
    """All cells blank: zero or not filled."""
    BUBBLES = "bubbles"
    """Bubbles and digits do not say the same (H11)."""
    STROKES = "strokes"
    """Tally strokes and digits do not say the same (H10)."""
    RULE = "rule"
    """A rule that this field is part of fails, or a limit is broken."""
    BLUR = "blur"
    PAGES = "pages"
    """Pages are missing, doubled or do not belong together."""


@dataclass(frozen=True, slots=True)
class FieldTally:
    """What the machine makes of one field, after grammar, channels and rules."""

    field: str
    page: int
    value: int | None
    """None when the cells do not support a number. Only ever a value that the picture shows."""
    text: str
    """The cells as read, joined: "128", "X28", "--5"; a blank cell is a space, unclear is "?"."""
    confidence: float
    """Probability that `value` is what is written, 0..1."""
    status: Status
    doubts: tuple[Doubt, ...]
    cells: tuple[CellReading, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of FORMS.md section 5, judged on the values at hand."""

    rule: str
    """H5, P1, L1 ..."""
    ok: bool | None
    """None: cannot be judged, a value is missing."""
    fields: tuple[str, ...]
    warning: bool
    """True: worth a look, never an alarm (P5)."""
    left: int | None
    right: int | None
    message: str
    """Key in messages/; its parameters are `left`, `right` and `fields`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """As read (machine): every field of the form with its status, and every rule."""

    form: str
    pages: tuple[int, ...]
    missing: tuple[int, ...]
    fields: Mapping[str, FieldTally]
    checks: tuple[Check, ...]


# --- Confirmation -------------------------------------------------------------------------------------------


class Settled(StrEnum):
    """How the final value of a field came to be."""

    CONFIRMED = "machine-and-confirmed"
    """The machine read it, a person said it is right."""
    CORRECTED = "corrected"
    """The machine read something else."""
    TYPED = "typed"
    """The machine read nothing."""


@dataclass(frozen=True, slots=True)
class ConfirmedField:
    """One field after review; the machine's reading stays beside the person's."""

    field: str
    page: int
    value: int | None
    """None: a person says that nothing is written there."""
    settled: Settled
    machine: FieldTally


class Reason(StrEnum):
    """Why a sealed record is corrected; sentences under `reason.<value>` in messages/."""

    MISTYPED = "mistyped"
    """A person typed or agreed to a wrong number."""
    FORM_CORRECTED = "form-corrected"
    """The paper form itself was corrected."""
    WRONG_PAGE = "wrong-page"
    """A wrong or bad picture was sealed."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """As confirmed (person): every field settled; the only thing that can be sealed."""

    form: str
    contest: str
    tps: str
    """13 digits."""
    role: str
    """Who confirmed: "ketua" or "anggota"."""
    pages: tuple[Page, ...]
    fields: Mapping[str, ConfirmedField]
    checks: tuple[Check, ...]
    """The rules judged again on the confirmed values."""
    supersedes: bytes | None = None
    """Hash of the record that this one corrects."""
    reason: str = ""
    """A Reason; empty exactly when nothing is superseded."""


# --- Record, Receipt, Delivery ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """Signed, not yet on disk. Only the signer makes these."""

    cose: bytes = field(repr=False)
    """COSE_Sign1 of the record."""
    receipt: bytes = field(repr=False)
    """COSE_Sign1 of the receipt statement, the content of the QR code."""
    sha256: bytes
    """SHA-256 of `cose`: the record's name everywhere."""
    sequence: int
    payload: Mapping[str, Any]
    """The decoded record, for layout; the signed truth is `cose`."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Committed to disk. Only the ledger makes these; only these are printed and forwarded."""

    sealed: SealedRecord
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which strip of a document this is. A document is a stored record, or the opening or closing of a day."""

    code: str | None
    """Text of the QR code; None on a strip without one."""
    copy: int
    copies: int
    reprint: bool


class DeliveryState(StrEnum):
    """How far a record has come on its way to one collector."""

    WAITING = "waiting"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of one record's forwarding; `acknowledgement` is the verified COSE of the collector."""

    record: bytes
    collector: str
    state: DeliveryState
    attempts: int
    acknowledgement: bytes | None
    problem: str | None
    """Code of the last problem; sentence under `delivery.<code>` in messages/."""
    detail: str = ""
    """The code with which the collector refused, for its operator; fills the sentence in."""
    pictures_left: int = 0
    """Pictures of the record that this collector does not have yet."""
    bytes_left: int = 0
    """What of them it does not have yet, in bytes."""
