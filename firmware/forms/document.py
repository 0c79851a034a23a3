"""The shape of a layout file (layouts/*.toml). Unknown keys refuse; millimetres, origin top left, y down.

    id = "c.hasil-ppwp-2024"            # contest = "ppwp", page_mm = [600, 900], title = { id = ..., en = ... }
    limits = { voters = 306 }           # default limits, named by rules of kind "cap"

    [[page]]                            # pages in order, numbered from 1
    identity = { kind = "apriltag-36h10", value = "101", box = [x, y, w, h], quarter_turns = 2 }
    use = [{ stamp = "frame" }, { stamp = "pair", move = [0, 152], set = { n = "2" } }]

    [stamp.frame]                       # what several pages, or places of a page, share; holds what a page holds:
    marks = { TL = [[x, y, w, h], ...], TR = ..., BL = ..., BR = ... }
    signatures = [[x, y, w, h], ...]

    [[page.lines]]                      # printed lines of one kind; every printed line stands in the file once
    width = 0.53                        # ink = 0.1 (0 black .. 1 white); dash = [on, off] for broken and dotted lines
    h = [[y, x0, x1], ...]              # horizontal;  v = [[x, y0, y1], ...] vertical;  boxes = [[x, y, w, h], ...]

    [[page.cells]]                      # a group of digit boxes: rows x columns of fields
    group = "pengguna"                  # refined together by the reader
    style = "boxed"                     # or "touching"
    size = [18, 18]                     # of one box, between the centre lines of its border
    border = 1.06                       # width of the border of every box; 0: its border is drawn by `lines`
    columns = [{ name = "l", x = [307.5, 330.5, 353.5], label = ["laki-laki", "men"] }, ...]
    rows = [{ name = "pengguna_dpt", y = 429.44, label = ["Pengguna DPT", "Voters, DPT"] }, ...]
    # A field's id is "<row>_<column>", or "<row>" where the column has no name; labels are Indonesian and English.
    # A row may have words = [x, y, w, h] and tally = { area = [...], rows = 5, columns = 12, sums = [...] }.
    # bubbles = { first = [dx, dy], pitch = 10.5, diameter = 8 } and guide = [dx, dy, w, h] count from a box's corner.

    [[page.texts]] [[page.fills]] [[page.circles]] [[page.emblems]]    # drawing only, see the classes below

    [[rule]]                            # see layout.Rule
    id = "H2"
    kind = "sum"
    each = { b = ["dpt", "dptb"] }      # one rule for every value, put in for {b}
    left = ["pengguna_{b}_l", "pengguna_{b}_p"]
    right = ["pengguna_{b}_j"]

`{name}` in an id, label or text of a stamp is replaced from `set`. What a reader need not trust is marked so: lines
paler than READABLE_INK or broken become rulings that are not solid, and so do the inner lines of tally grids. The
border of a boxed cell is printed on its rectangle and is no ruling.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Span = tuple[float, float, float]
Both = tuple[str, str]
"""Indonesian, English."""
Ink = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
"""0 = black, 1 = white."""
Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Name = Annotated[str, msgspec.Meta(min_length=1)]

BLACK: Ink = 0.1
"""Printed black is never quite black; the official blank's is a rich black of this lightness."""
READABLE_INK: Ink = 0.5
"""Lines paler than this are lost in a photograph."""


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of the file that refuses unknown keys."""


class Lines(Strict, frozen=True, kw_only=True):
    """Printed lines of one kind: `h` = (y, x0, x1), `v` = (x, y0, y1), `boxes` = four lines each."""

    width: Positive
    ink: Ink = BLACK
    dash: tuple[Positive, Positive] | None = None
    """Millimetres printed and left out, for broken and dotted lines."""
    h: tuple[Span, ...] = ()
    v: tuple[Span, ...] = ()
    boxes: tuple[Box, ...] = ()


class BubbleShape(Strict, frozen=True, kw_only=True):
    """Ten bubbles under a box; `first` is the centre of the 0 from the box's corner, `pitch` goes down."""

    first: Point
    pitch: Positive
    diameter: Positive
    width: Positive = 0.35


class TallyShape(Strict, frozen=True, kw_only=True):
    """A grid for tally strokes (inner lines only; its frame is drawn by `lines`) and the columns of row sums."""

    area: Box
    rows: Annotated[int, msgspec.Meta(ge=1)]
    columns: Annotated[int, msgspec.Meta(ge=1)]
    sums: Box
    sum_columns: Annotated[int, msgspec.Meta(ge=1)] = 2
    width: Positive = 0.53
    ink: Ink = 0.79


class Column(Strict, frozen=True, kw_only=True):
    """Left edges of the boxes of one number."""

    x: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]
    name: str = ""
    label: Both = ("", "")


class Row(Strict, frozen=True, kw_only=True):
    """Top edge of the boxes of one row, and what else belongs to its field."""

    name: Name
    y: float
    label: Both
    words: Box | None = None
    tally: TallyShape | None = None


class Cells(Strict, frozen=True, kw_only=True):
    """A group of digit boxes, rows x columns of fields."""

    group: Name
    style: Literal["boxed", "touching"]
    size: tuple[Positive, Positive]
    border: Annotated[float, msgspec.Meta(ge=0.0)]
    columns: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1)]
    rows: Annotated[tuple[Row, ...], msgspec.Meta(min_length=1)]
    bubbles: BubbleShape | None = None
    guide: Box | None = None
    """Outer edge of the dotted seven-segment guide, from the box's corner."""


class Text(Strict, frozen=True, kw_only=True):
    """One line of text: `at` is the point on its baseline that `align` names."""

    at: Point
    text: str
    size: Positive
    """Height of the font in millimetres."""
    bold: bool = False
    italic: bool = False
    align: Literal["left", "centre", "right"] = "left"
    fit: Positive | None = None
    """Width in millimetres that the text is stretched or squeezed to."""
    ink: Ink = BLACK
    turn: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise around `at`."""


class Fill(Strict, frozen=True, kw_only=True):
    """A filled rectangle; `colour` (red, green, blue) instead of `ink` for forms with a colour of their own."""

    box: Box
    ink: Ink = BLACK
    colour: tuple[Ink, Ink, Ink] | None = None


class Circle(Strict, frozen=True, kw_only=True):
    """A circle around `at`, outlined, or filled where `filled`."""

    at: Point
    diameter: Positive
    width: Positive = 0.35
    filled: bool = False
    ink: Ink = BLACK


class Arrow(Strict, frozen=True, kw_only=True):
    """A filled arrow head that points right."""

    tip: Point
    length: Positive
    ink: Ink = BLACK


class Emblem(Strict, frozen=True, kw_only=True):
    """An invented emblem (a ballot box in a ring) filling `box`, repeated by `pitch` over `area` for a watermark."""

    box: Box
    ink: Ink = BLACK
    pitch: Point | None = None
    area: Box | None = None


class Part(Strict, frozen=True, kw_only=True):
    """What a stamp or a page holds."""

    marks: dict[Literal["TL", "TR", "BL", "BR"], tuple[Box, ...]] = {}
    signatures: tuple[Box, ...] = ()
    lines: tuple[Lines, ...] = ()
    cells: tuple[Cells, ...] = ()
    texts: tuple[Text, ...] = ()
    fills: tuple[Fill, ...] = ()
    circles: tuple[Circle, ...] = ()
    emblems: tuple[Emblem, ...] = ()
    arrows: tuple[Arrow, ...] = ()


class IdentityEntry(Strict, frozen=True, kw_only=True):
    """The page's machine-readable name; `quarter_turns` are clockwise from how OpenCV draws the tag."""

    kind: Literal["apriltag-36h10", "code128"]
    value: Name
    box: Box
    quarter_turns: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0


class Use(Strict, frozen=True, kw_only=True):
    """A stamp put on a page, moved by `move`, its `{names}` replaced from `set`."""

    stamp: Name
    move: Point = (0.0, 0.0)
    set: dict[str, str] = {}


class PageEntry(Part, frozen=True, kw_only=True):
    """One page."""

    identity: IdentityEntry
    use: tuple[Use, ...] = ()


class RuleEntry(Strict, frozen=True, kw_only=True):
    """A rule; `each` has at most one name, and repeats the rule for each of its values."""

    id: Name
    kind: Literal["sum", "equal", "at-most", "share", "reserve", "range", "cap"]
    left: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    right: tuple[Name, ...] = ()
    each: dict[str, tuple[str, ...]] = {}
    tolerance: Annotated[int, msgspec.Meta(ge=0)] = 0
    factor: float = 0.0
    factor_low: float = 0.0
    limit: str = ""
    warning: bool = False


class Document(Strict, frozen=True, kw_only=True):
    """A whole layout file."""

    id: Name
    contest: Name
    title: dict[Literal["id", "en"], str]
    page_mm: tuple[Positive, Positive]
    limits: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    page: Annotated[tuple[PageEntry, ...], msgspec.Meta(min_length=1)]
    stamp: dict[str, Part] = {}
    rule: tuple[RuleEntry, ...] = ()
