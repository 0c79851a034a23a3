"""The blank form of a layout: as PDF, as picture at a given resolution, and where its cells lie in that picture."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.errors import LayoutRefused
from firmware.forms.drawing import draw
from firmware.forms.layout import Field, FormLayout, PageLayout, Rect
from firmware.forms.loader import decode
from firmware.forms.pdfium_picture import POINTS_PER_INCH, picture

MM_PER_INCH = 25.4
MAX_PIXELS = 80_000_000
"""Largest picture: the biggest form at 300 dpi is 75 million pixels, 225 MB in memory."""


def render_pdf(layout: FormLayout) -> bytes:
    """The whole form as vector PDF; the same bytes for the same layout."""
    return _pdf(layout.source)


def render_page(layout: FormLayout, page_number: int, dpi: float) -> NDArray[np.uint8]:
    """One page as picture, shape (height, width, 3), BGR. Raises KeyError, and LayoutRefused (`form-too-large`)."""
    layout.page(page_number)
    pixel_size(layout, dpi)
    return picture(render_pdf(layout), page_number, dpi)


def pixel_size(layout: FormLayout, dpi: float) -> tuple[int, int]:
    """Width and height of a page's picture; raises LayoutRefused when it would be empty or over MAX_PIXELS."""
    scale = dpi / POINTS_PER_INCH
    width, height = (math.ceil(side / MM_PER_INCH * POINTS_PER_INCH * scale) for side in (layout.width, layout.height))
    if not 0 < width * height <= MAX_PIXELS:
        raise LayoutRefused("form-too-large", form=layout.id, dpi=dpi, limit=MAX_PIXELS)
    return width, height


def cell_pixels(layout: FormLayout, page_number: int, dpi: float) -> dict[str, Any]:
    """Where everything that is read lies in render_page's picture: pixels, boxes as [left, top, right, bottom]."""
    page = layout.page(page_number)
    width, height = pixel_size(layout, dpi)
    scale = _Scale(width / layout.width, height / layout.height)
    return {
        "page": page.number,
        "size": [width, height],
        "identity": {
            "kind": str(page.identity.kind),
            "value": page.identity.value,
            "box": scale.box(page.identity.box),
        },
        "marks": [
            {"name": mark.name, "squares": [scale.box(square) for square in mark.squares]} for mark in page.marks
        ],
        "cells": [
            {"field": field.id, "index": index, "box": scale.box(box)}
            for field in page.fields
            for index, box in enumerate(field.cells)
        ],
        "bubbles": [bubble for field in page.fields for bubble in scale.bubbles(field)],
        **_areas(page, scale),
    }


def _areas(page: PageLayout, scale: _Scale) -> dict[str, Any]:
    return {
        "words": [{"field": field.id, "box": scale.box(field.words)} for field in page.fields if field.words],
        "tallies": [
            {"field": field.id, "area": scale.box(field.tally.area), "sums": scale.box(field.tally.sums)}
            for field in page.fields
            if field.tally
        ],
        "signatures": [scale.box(box) for box in page.signatures],
    }


class _Scale:
    """Millimetres to pixels, hundredths kept."""

    def __init__(self, x: float, y: float) -> None:
        self._x, self._y = x, y

    def point(self, x: float, y: float) -> list[float]:
        return [round(x * self._x, 2), round(y * self._y, 2)]

    def box(self, rect: Rect) -> list[float]:
        return self.point(rect.x, rect.y) + self.point(rect.x + rect.w, rect.y + rect.h)

    def bubbles(self, field: Field) -> list[dict[str, Any]]:
        if field.bubbles is None:
            return []
        radius = round(field.bubbles.diameter / 2 * self._x, 2)
        return [
            {"field": field.id, "index": index, "digit": digit, "centre": self.point(*centre), "radius": radius}
            for index, column in enumerate(field.bubbles.centres)
            for digit, centre in enumerate(column)
        ]


@lru_cache(maxsize=8)
def _pdf(source: bytes) -> bytes:
    return draw(decode(source))
