"""Puts the parts of a layout file in place: a page's own things and its stamps, moved and with names filled in.

Both the loader (for the reader) and the renderer take their coordinates from here, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from firmware.errors import LayoutRefused
from firmware.forms.document import Box, Cells, Column, Document, PageEntry, Part, Point, Row
from firmware.forms.layout import Rect

_NAME = re.compile(r"\{(\w+)\}")


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with every {name} replaced; raises LayoutRefused for a name without a value."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise LayoutRefused("layout-invalid", file="", problem=f"no value for {match[0]} in {text!r}")
        return values[match[1]]

    return _NAME.sub(value, text)


@dataclass(frozen=True, slots=True)
class Placed:
    """A part at its place on a page."""

    part: Part
    move: Point = (0.0, 0.0)
    values: Mapping[str, str] | None = None

    def text(self, text: str) -> str:
        """`text` with the names of this place filled in."""
        return fill_in(text, self.values or {})

    def point(self, at: Point) -> Point:
        """`at` in page millimetres."""
        return round(at[0] + self.move[0], 3), round(at[1] + self.move[1], 3)

    def rect(self, box: Box) -> Rect:
        """`box` in page millimetres."""
        return Rect(*self.point((box[0], box[1])), box[2], box[3])


@dataclass(frozen=True, slots=True)
class PlacedField:
    """One field of a group of cells: its id and the rectangles of its boxes."""

    id: str
    group: Cells
    row: Row
    column: Column
    boxes: tuple[Rect, ...]


def placed_parts(document: Document, page: PageEntry) -> tuple[Placed, ...]:
    """The stamps of a page in order, then the page itself; raises LayoutRefused for an unknown stamp."""
    stamps = []
    for use in page.use:
        if use.stamp not in document.stamp:
            raise LayoutRefused("layout-invalid", file="", problem=f"no stamp {use.stamp!r}")
        stamps.append(Placed(document.stamp[use.stamp], use.move, use.set))
    return (*stamps, Placed(page))


def placed_fields(placed: Placed) -> Iterator[PlacedField]:
    """The fields of all groups of cells of a part, row by row."""
    for group in placed.part.cells:
        for row in group.rows:
            for column in group.columns:
                name = f"{row.name}_{column.name}" if column.name else row.name
                boxes = tuple(placed.rect((x, row.y, *group.size)) for x in column.x)
                yield PlacedField(placed.text(name), group, row, column, boxes)


def bubble_centre(group: Cells, box: Rect, digit: int) -> Point:
    """Centre of the bubble of `digit` under `box`; the group must have bubbles."""
    shape = group.bubbles
    if shape is None:
        raise ValueError("a group without bubbles")
    return round(box.x + shape.first[0], 3), round(box.y + shape.first[1] + digit * shape.pitch, 3)
