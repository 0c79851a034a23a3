"""The types of a form layout. A layout is data (layouts/*.toml); adding a form adds no code.

Millimetres throughout; the origin is the top left corner of the sheet, x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Rect:
    """An axis-parallel rectangle in millimetres: left, top, width, height."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A corner mark: one or more solid black squares. `name` is TL, TR, BL or BR."""

    name: str
    squares: tuple[Rect, ...]


class IdentityKind(StrEnum):
    """How a page says which page it is."""

    APRILTAG = "apriltag-36h10"
    CODE128 = "code128"


@dataclass(frozen=True, slots=True)
class Identity:
    """The machine-readable page identity: an AprilTag id ("101") or a barcode text ("C1-PPWP-01")."""

    kind: IdentityKind
    value: str
    box: Rect
    """For a tag: the outer edge of its black border."""
    quarter_turns: int = 0
    """How the tag is printed: clockwise quarter turns from its canonical orientation."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """One printed line, horizontal or vertical: what registration holds on to.

    (x0, y0) to (x1, y1) is the centre line. `solid` is False for broken or dotted lines, which registration
    does not rely on.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    solid: bool = True


class CellStyle(StrEnum):
    """How digit boxes are printed."""

    BOXED = "boxed"
    """Every box has its own border."""
    TOUCHING = "touching"
    """Boxes share separators."""


@dataclass(frozen=True, slots=True)
class Bubbles:
    """Bubbles under the digit boxes of a field: `centres[cell][digit]` = (x, y)."""

    centres: tuple[tuple[tuple[float, float], ...], ...]
    diameter: float


@dataclass(frozen=True, slots=True)
class TallyGrid:
    """The grid of tally strokes of a field: rows x columns of cells with five strokes each, and row sums."""

    area: Rect
    rows: int
    columns: int
    sums: Rect
    """The column(s) of row sums at its right."""


@dataclass(frozen=True, slots=True)
class Field:
    """One number on the form."""

    id: str
    page: int
    cells: tuple[Rect, ...]
    """Border centre line of every box, most significant first."""
    style: CellStyle
    guide: bool
    """A dotted seven-segment guide is printed in the boxes."""
    group: str
    """Fields of one group are refined together: paper is never flat."""
    label: Mapping[str, str]
    """Short name for people, by language ("id", "en")."""
    bubbles: Bubbles | None = None
    tally: TallyGrid | None = None
    words: Rect | None = None
    """Where the number is written in words."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A consistency rule of the form: compares sum(left) with sum(right).

    kind:
        "sum"      sum(left) = sum(right), within tolerance
        "equal"    all fields of left are the same
        "at-most"  sum(left) <= sum(right) + tolerance
        "share"    sum(left) < factor * sum(right)
        "reserve"  sum(left) = sum(right) + ceil(factor * sum(right)), within tolerance
        "range"    factor_low <= sum(left) / sum(right) <= factor
        "cap"      each of left <= the limit named by `limit`
    """

    id: str
    """As in FORMS.md section 5: H5, P1, L1 ..."""
    kind: str
    left: tuple[str, ...]
    right: tuple[str, ...] = ()
    tolerance: int = 0
    factor: float = 0.0
    factor_low: float = 0.0
    limit: str = ""
    """Name of a limit of the election definition ("voters" ...) for kind "cap"."""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class PageLayout:
    """One page: everything a reader of pictures needs."""

    number: int
    identity: Identity
    marks: tuple[Mark, ...]
    rulings: tuple[Ruling, ...]
    fields: tuple[Field, ...]
    signatures: tuple[Rect, ...]


@dataclass(frozen=True, slots=True)
class FormLayout:
    """A form: pages, rules, and the hash that records name it by."""

    id: str
    contest: str
    title: Mapping[str, str]
    width: float
    height: float
    pages: tuple[PageLayout, ...]
    rules: tuple[Rule, ...]
    limits: Mapping[str, int]
    """Default limits of the form; the election definition may replace them."""
    sha256: str
    """Of the layout file's bytes."""
    source: bytes = field(default=b"", repr=False, compare=False)
    """The layout file itself: the renderer takes from it what a reader does not need."""

    def page(self, number: int) -> PageLayout:
        """The page with this number; raises KeyError."""
        for page in self.pages:
            if page.number == number:
                return page
        raise KeyError(number)

    @property
    def fields(self) -> dict[str, Field]:
        """All fields by id, in form order."""
        return {entry.id: entry for page in self.pages for entry in page.fields}
