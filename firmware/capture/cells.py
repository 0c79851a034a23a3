"""Cuts the digit boxes, bubbles and field strips out of a picture whose page is registered.

Every picture is sampled straight from the full picture, with as many samples a pixel as the source has, and then
averaged: no whole-page warp, no aliasing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.picture import COLOUR_SHARE, Photograph
from firmware.capture.rulings import pixels_per_mm
from firmware.capture.sharpness import print_around, visibility
from firmware.forms.layout import Bubbles, Field, Rect
from firmware.records import (
    BUBBLE_PIXELS,
    CELL_MARGIN,
    CELL_PIXELS,
    BubbleColumn,
    CellImage,
    FieldStrip,
    Gray,
    Matrix,
)

REDUCED = np.diag([1 / COLOUR_SHARE, 1 / COLOUR_SHARE, 1.0]) @ np.array(
    [[1, 0, 0.5 - COLOUR_SHARE / 2], [0, 1, 0.5 - COLOUR_SHARE / 2], [0, 0, 1]]
)
"""Pixels of a photograph's brightness to pixels of its colours; the middle of a pixel is at a whole number."""
BUBBLE_WINDOW = 1.5
"""Side of a bubble's picture in diameters: the circle fills 2/3."""
STRIP_WIDTH = 300
"""Pixels of a field strip: about 40 a centimetre on the plano."""
STRIP_MARGIN = 0.3
"""Surroundings shown around a field, in sides of its boxes."""
SOURCE_PIXELS_A_SAMPLE = 1.25
"""Source pixels that one sample may stand for along each side: it is interpolated from two."""
MOST_OVERSAMPLING = 8
"""Samples a pixel along each side: a 12-megapixel picture of an A4 page needs 3."""
TALL = 1.25
"""A box this many times taller than wide is not shown whole."""
INNER = 0.1
"""Part of the box's sides that its border may take."""
INK = 0.75
"""Ink is darker than this part of the paper; a grey watermark is paler."""
LEAST_INK = 12
"""Pixels: fewer are dirt."""
INK_ROOM = 1.15
"""Height shown, in heights of the ink."""


def cut_cells(gray: Gray, boxes: Sequence[tuple[Field, Matrix]]) -> tuple[CellImage, ...]:
    """The boxes of a page's fields in their order, leftmost first; each homography maps page mm to pixels of `gray`."""
    places = [(field.id, index, box, there) for field, there in boxes for index, box in enumerate(field.cells)]
    wholes = [sample(gray, there, _with_margin(box), CELL_PIXELS, CELL_PIXELS) for *_, box, there in places]
    seen = visibility(print_around(np.stack(wholes)))
    return tuple(
        CellImage(field, index, _shown(gray, box, there, whole), float(share))
        for (field, index, box, there), whole, share in zip(places, wholes, seen, strict=True)
    )


def _shown(gray: Gray, box: Rect, homography: Matrix, whole: Gray) -> Gray:
    """The picture of a box: whole, or where it is tall the part that is written on."""
    if box.h <= TALL * box.w:
        return whole
    return sample(gray, homography, _with_margin(_written_part(gray, box, homography)), CELL_PIXELS, CELL_PIXELS)


def _with_margin(cell: Rect) -> Rect:
    x, y = CELL_MARGIN * cell.w, CELL_MARGIN * cell.h
    return Rect(cell.x - x, cell.y - y, cell.w + 2 * x, cell.h + 2 * y)


def _written_part(gray: Gray, cell: Rect, homography: Matrix) -> Rect:
    """The part of a tall box that is as tall as wide and holds the ink; taller where the ink is.

    Squashed into a square, a digit in such a box would lose its proportions: on the real forms four times as many
    of them are misread.
    """
    side, top = INNER * cell.w, INNER * cell.h
    inner = Rect(cell.x + side, cell.y + top, cell.w - 2 * side, cell.h - 2 * top)
    look = sample(gray, homography, inner, CELL_PIXELS, round(CELL_PIXELS * inner.h / inner.w))
    ink = np.count_nonzero(look < INK * _quantile(look, 0.9), axis=1)
    if ink.sum() < LEAST_INK:
        return Rect(cell.x, cell.y + (cell.h - cell.w) / 2, cell.w, cell.w)
    share = np.cumsum(ink) / ink.sum()
    first, last = (inner.y + inner.h * np.searchsorted(share, part) / len(ink) for part in (0.01, 0.99))
    height = float(np.clip(INK_ROOM * (last - first), cell.w, cell.h))
    y = float(np.clip((first + last - height) / 2, cell.y, cell.y + cell.h - height))
    return Rect(cell.x, y, cell.w, height)


def cut_bubbles(gray: Gray, field: Field, homography: Matrix) -> tuple[BubbleColumn, ...]:
    """The bubble columns of one field, one a box; empty where the form has none."""
    if field.bubbles is None:
        return ()
    return tuple(
        BubbleColumn(field.id, index, _cut_column(gray, field.bubbles, column, homography))
        for index, column in enumerate(field.bubbles.centres)
    )


def _cut_column(gray: Gray, bubbles: Bubbles, column: Sequence[tuple[float, float]], homography: Matrix) -> Gray:
    side = BUBBLE_WINDOW * bubbles.diameter
    windows = [Rect(x - side / 2, y - side / 2, side, side) for x, y in column]
    return np.stack([sample(gray, homography, window, BUBBLE_PIXELS, BUBBLE_PIXELS) for window in windows])


def cut_strip(picture: Photograph, field: Field, homography: Matrix) -> FieldStrip:
    """The colour picture of all boxes of a field with a bit of their surroundings."""
    first, last = field.cells[0], field.cells[-1]
    margin = STRIP_MARGIN * min(first.w, first.h)
    area = Rect(first.x - margin, first.y - margin, last.x + last.w - first.x + 2 * margin, first.h + 2 * margin)
    height = max(1, round(STRIP_WIDTH * area.h / area.w))
    wide, high = -(-STRIP_WIDTH // COLOUR_SHARE), -(-height // COLOUR_SHARE)
    colours = cv2.resize(sample(picture.color, REDUCED @ homography, area, wide, high), (STRIP_WIDTH, height))
    mixed = cv2.cvtColor(colours, cv2.COLOR_BGR2YCrCb)
    mixed[..., 0] = sample(picture.gray, homography, area, STRIP_WIDTH, height)
    return FieldStrip(field.id, np.asarray(cv2.cvtColor(mixed, cv2.COLOR_YCrCb2BGR), dtype=np.uint8))


def sample(picture: NDArray[np.uint8], homography: Matrix, area: Rect, width: int, height: int) -> NDArray[np.uint8]:
    """`area` (page mm) as a picture of width x height pixels; outside of the source the nearest edge is repeated."""
    scale = pixels_per_mm(homography, np.array([(area.x + area.w / 2, area.y + area.h / 2)]))
    needed = scale * max(area.w / width, area.h / height) / SOURCE_PIXELS_A_SAMPLE
    fine = int(np.clip(np.ceil(needed), 1, MOST_OVERSAMPLING))
    step_x, step_y = area.w / (width * fine), area.h / (height * fine)
    to_page = np.array([[step_x, 0, area.x + step_x / 2], [0, step_y, area.y + step_y / 2], [0, 0, 1.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (width * fine, height * fine)
    out = cv2.warpPerspective(picture, homography @ to_page, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if fine > 1:
        out = cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(out, dtype=np.uint8)


def _quantile(values: NDArray[np.float32] | Gray, part: float) -> float:
    """The value below which `part` of the values lie, without interpolation: several times quicker."""
    at = int(part * (values.size - 1))
    return float(np.partition(values, at, axis=None)[at])
