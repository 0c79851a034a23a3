"""Readings and a small two-page form made by hand: what the tests of the tally read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from firmware.forms.layout import CellStyle, Field, FormLayout, Identity, IdentityKind, Mark, PageLayout, Rect, Rule
from firmware.records import BUBBLE_PIXELS, LABELS, BubbleColumn, BubbleReading, CellReading, FieldReading, Reading

SURE = 0.9999
SYMBOLS = {" ": "blank", "?": "unclear"}


def cell(label: str, p: float = SURE, second: str | None = None) -> CellReading:
    """`label` with probability p; the rest on `second`, or spread over all others."""
    rest = (1.0 - p) / (len(LABELS) - 1)
    values = np.full(len(LABELS), 0.0 if second else rest)
    if second:
        values[LABELS.index(second)] = 1.0 - p
    values[LABELS.index(label)] = p
    return CellReading(tuple(float(v) for v in values))


def cells(text: str, p: float = SURE) -> tuple[CellReading, ...]:
    """One cell a character, "X28", "- 5", "1?3"."""
    return tuple(cell(SYMBOLS.get(character, character), p) for character in text)


def filled(text: str) -> tuple[BubbleReading, ...]:
    """One bubble column a character: a digit is filled, a space is none."""
    return tuple(BubbleReading(tuple(float(str(digit) == character) for digit in range(10))) for character in text)


def field(name: str, page: int, text: str, p: float = SURE, bubbles: str = "", sharpness: float = 1.0) -> FieldReading:
    return FieldReading(name, page, cells(text, p), filled(bubbles), sharpness)


def form_field(name: str, page: int, at: float) -> Field:
    boxes = tuple(Rect(100 + 10 * i, at, 8, 8) for i in range(3))
    return Field(name, page, boxes, CellStyle.BOXED, False, "g", {"id": name.title(), "en": name.title()})


def form_page(number: int, fields: Sequence[str]) -> PageLayout:
    identity = Identity(IdentityKind.APRILTAG, str(100 + number), Rect(180, 5, 10, 10))
    marks = tuple(Mark(name, (Rect(5, 5, 4, 4),)) for name in ("TL", "TR", "BL", "BR"))
    return PageLayout(
        number, identity, marks, (), tuple(form_field(n, number, 40 + 20 * i) for i, n in enumerate(fields)), ()
    )


RULES = (
    Rule("P1", "equal", ("total", "voters")),
    Rule("H5", "sum", ("one", "two"), ("valid",)),
    Rule("H6", "sum", ("valid", "invalid"), ("total",)),
    Rule("L1", "cap", ("total", "voters"), limit="voters"),
    Rule("L2", "at-most", ("one",), ("valid",)),
    Rule("P5", "reserve", ("ballots",), ("voters",), tolerance=2, factor=0.02, warning=True),
)
FORM = FormLayout(
    "small",
    "ppwp",
    {"id": "Kecil", "en": "Small"},
    210,
    297,
    (form_page(1, ("voters", "ballots")), form_page(2, ("one", "two", "valid", "invalid", "total"))),
    RULES,
    {"voters": 306},
    "0" * 64,
)
GOOD = {"voters": "153", "ballots": "157", "one": "X20", "two": "128", "valid": "148", "invalid": "XX5", "total": "153"}


def reading(texts: Mapping[str, str] = GOOD, pages: tuple[int, ...] = (1, 2), **replaced: FieldReading) -> Reading:
    """The small form filled with `texts`, all cells sure; `replaced` puts a hand-made field in."""
    fields = {
        name: replaced.get(name, field(name, entry.page, texts[name]))
        for name, entry in FORM.fields.items()
        if entry.page in pages
    }
    return Reading(FORM.id, pages, fields)


def column(fill: Mapping[int, float], paper: int = 230, ink: int = 40, print_ink: float = 0.15) -> BubbleColumn:
    """Ten painted bubbles: a ring, a printed digit's worth of ink, and `fill` as the inked part of the circle."""
    rows, columns = np.mgrid[:BUBBLE_PIXELS, :BUBBLE_PIXELS] - (BUBBLE_PIXELS - 1) / 2
    distance = np.hypot(rows, columns)
    patches = np.full((10, BUBBLE_PIXELS, BUBBLE_PIXELS), paper, np.uint8)
    for digit in range(10):
        patches[digit][np.abs(distance - BUBBLE_PIXELS / 3) < 0.7] = ink
        inside = distance <= BUBBLE_PIXELS / 3
        lowest = np.quantile(rows[inside], max(fill.get(digit, 0.0), print_ink))
        patches[digit][inside & (rows <= lowest)] = ink
    return BubbleColumn("one", 0, patches)
