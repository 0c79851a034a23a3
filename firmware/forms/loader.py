"""Loads form layouts: TOML bytes -> FormLayout, strictly. The shape of the file is told in document.py.

A layout that could be misread refuses with LayoutRefused (code `layout-invalid`, details `file` and `problem`; the
problem names the key): unknown keys, doubled ids, overlapping boxes, lines printed twice, rules about unknown fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from firmware.errors import LayoutRefused
from firmware.forms.checks import problems
from firmware.forms.document import READABLE_INK, Document, Lines, PageEntry, RuleEntry, TallyShape
from firmware.forms.layout import (
    Bubbles,
    CellStyle,
    Field,
    FormLayout,
    Identity,
    IdentityKind,
    Mark,
    PageLayout,
    Rect,
    Rule,
    Ruling,
    TallyGrid,
)
from firmware.forms.placing import Placed, PlacedField, bubble_centre, fill_in, placed_fields, placed_parts

LAYOUTS = Path(__file__).parent / "layouts"


def decode(data: bytes, name: str = "layout") -> Document:
    """The layout file as written; raises LayoutRefused. `name` is the file's name, for people."""
    try:
        return msgspec.toml.decode(data, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LayoutRefused("layout-invalid", file=name, problem=str(error)) from error


def load_layout(data: bytes, name: str = "layout") -> FormLayout:
    """The layout in `data` (bytes of a TOML file called `name`); raises LayoutRefused."""
    document = decode(data, name)
    try:
        layout = _form(document, data)
    except LayoutRefused as refusal:
        raise LayoutRefused(refusal.code, **{**refusal.details, "file": name}) from refusal
    for problem in problems(layout):
        raise LayoutRefused("layout-invalid", file=name, problem=problem)
    return layout


@cache
def shipped_layouts() -> Mapping[str, FormLayout]:
    """The layouts that come with the kiosk, by form id; raises LayoutRefused."""
    found = {path.stem: load_layout(path.read_bytes(), path.name) for path in sorted(LAYOUTS.glob("*.toml"))}
    for stem, layout in found.items():
        if stem != layout.id:
            raise LayoutRefused("layout-invalid", file=f"{stem}.toml", problem=f"holds the form {layout.id!r}")
    return MappingProxyType(found)


def _form(document: Document, data: bytes) -> FormLayout:
    pages = tuple(_page(document, entry, number) for number, entry in enumerate(document.page, 1))
    return FormLayout(
        id=document.id,
        contest=document.contest,
        title={str(language): text for language, text in document.title.items()},
        width=document.page_mm[0],
        height=document.page_mm[1],
        pages=pages,
        rules=tuple(rule for entry in document.rule for rule in _rules(entry)),
        limits=dict(document.limits),
        sha256=hashlib.sha256(data).hexdigest(),
        source=data,
    )


def _page(document: Document, entry: PageEntry, number: int) -> PageLayout:
    parts = placed_parts(document, entry)
    for placed in parts:
        for text in placed.part.texts:
            placed.text(text.text)  # refuses now what could not be drawn later
    identity = entry.identity
    return PageLayout(
        number=number,
        identity=Identity(IdentityKind(identity.kind), identity.value, Rect(*identity.box), identity.quarter_turns),
        marks=tuple(
            Mark(name, tuple(map(placed.rect, squares)))
            for placed in parts
            for name, squares in placed.part.marks.items()
        ),
        rulings=tuple(ruling for placed in parts for ruling in _rulings(placed)),
        fields=tuple(_field(number, placed, found) for placed in parts for found in placed_fields(placed)),
        signatures=tuple(placed.rect(box) for placed in parts for box in placed.part.signatures),
    )


def _rulings(placed: Placed) -> Iterator[Ruling]:
    for lines in placed.part.lines:
        yield from lines_of(placed, lines)
    for group in placed.part.cells:
        for row in group.rows:
            if row.tally:
                yield from lines_of(placed, tally_lines(row.tally))


def lines_of(placed: Placed, lines: Lines) -> Iterator[Ruling]:
    """Every line of `lines` at its place."""
    solid = lines.dash is None and lines.ink <= READABLE_INK
    ends = [(x0, y, x1, y) for y, x0, x1 in lines.h] + [(x, y0, x, y1) for x, y0, y1 in lines.v]
    for x, y, w, h in lines.boxes:
        ends += [(x, y, x + w, y), (x, y + h, x + w, y + h), (x, y, x, y + h), (x + w, y, x + w, y + h)]
    for x0, y0, x1, y1 in ends:
        yield Ruling(*placed.point((x0, y0)), *placed.point((x1, y1)), lines.width, solid)


def tally_lines(shape: TallyShape) -> Lines:
    """The inner lines of a tally grid and of its row sums; the frame around them is not among them."""
    x, y, w, h = shape.area
    sums_x, _, sums_w, _ = shape.sums
    heights = [round(y + h * row / shape.rows, 3) for row in range(1, shape.rows)]
    lefts = [x + w * column / shape.columns for column in range(1, shape.columns)]
    sum_lefts = [sums_x + sums_w * column / shape.sum_columns for column in range(shape.sum_columns + 1)]
    return Lines(
        width=shape.width,
        ink=shape.ink,
        h=tuple((at, left, right) for at in heights for left, right in ((x, x + w), (sums_x, sums_x + sums_w))),
        v=tuple((round(left, 3), y, y + h) for left in lefts + sum_lefts),
    )


def _field(number: int, placed: Placed, found: PlacedField) -> Field:
    group, row = found.group, found.row
    labels = (
        fill_in(", ".join(filter(None, pair)), placed.values or {})
        for pair in zip(row.label, found.column.label, strict=True)
    )
    tally = row.tally
    return Field(
        id=found.id,
        page=number,
        cells=found.boxes,
        style=CellStyle(group.style),
        guide=group.guide is not None,
        group=placed.text(group.group),
        label=dict(zip(("id", "en"), labels, strict=True)),
        bubbles=_bubbles(found),
        tally=TallyGrid(placed.rect(tally.area), tally.rows, tally.columns, placed.rect(tally.sums)) if tally else None,
        words=placed.rect(row.words) if row.words else None,
    )


def _bubbles(found: PlacedField) -> Bubbles | None:
    shape = found.group.bubbles
    if shape is None:
        return None
    centres = tuple(tuple(bubble_centre(found.group, box, digit) for digit in range(10)) for box in found.boxes)
    return Bubbles(centres, shape.diameter)


def _rules(entry: RuleEntry) -> Iterator[Rule]:
    if len(entry.each) > 1:
        raise LayoutRefused("layout-invalid", file="", problem=f"rule {entry.id} has more than one name in `each`")
    choices = [{name: value} for name, values in entry.each.items() for value in values] or [{}]
    for values in choices:
        yield Rule(
            id=entry.id,
            kind=entry.kind,
            left=tuple(fill_in(name, values) for name in entry.left),
            right=tuple(fill_in(name, values) for name in entry.right),
            tolerance=entry.tolerance,
            factor=entry.factor,
            factor_low=entry.factor_low,
            limit=entry.limit,
            warning=entry.warning,
        )
