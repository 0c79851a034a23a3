"""The printed target for focus and light: one sheet of A4 that the camera must see whole. As PDF, and as places in mm.

Four AprilTags say where the sheet is and that all of it is seen; five squares, turned by five degrees, have edges whose
blur can be measured finer than a pixel (ISO 12233); grey fields show the exposure, and the bare paper between them the
light. What is drawn here is measured in capture/target.py; both know the places from here.
"""

from __future__ import annotations

import math
from itertools import product

import cv2

from firmware.forms.document import BLACK, Point, Text
from firmware.forms.drawing import TAG_MODULES
from firmware.forms.layout import Rect, Ruling
from firmware.forms.reportlab_sheet import Sheet
from firmware.messages import sentence

WIDTH, HEIGHT = 210.0, 297.0
"""Of A4, mm."""
TAG_SIDE = 24.0
TAGS = {
    2301: Rect(12, 12, TAG_SIDE, TAG_SIDE),
    2302: Rect(WIDTH - 36, 12, TAG_SIDE, TAG_SIDE),
    2303: Rect(WIDTH - 36, HEIGHT - 36, TAG_SIDE, TAG_SIDE),
    2304: Rect(12, HEIGHT - 36, TAG_SIDE, TAG_SIDE),
}
"""By id, from the top left, clockwise. No form has these."""
SQUARE_SIDE = 28.0
SLANT_DEGREES = 5.0
"""So that every edge crosses pixels in all phases."""
SQUARES: tuple[Point, ...] = ((105, 148.5), (45, 80), (165, 80), (165, 217), (45, 217))
"""Centres: the middle first, then from the top left, clockwise."""
GREY_INKS = (0.0, 0.2, 0.4, 0.6, 0.8)
GREYS = tuple(Rect(47.5 + 24 * n, 14, 19, 20) for n in range(len(GREY_INKS)))
"""From black to almost white."""
WHITES: tuple[Point, ...] = (
    *((24, 48), (105, 48), (186, 48), (24, 148.5)),
    *((186, 148.5), (24, 249), (105, 249), (186, 249)),
)
"""Centres of bare paper, at least 5 mm to each side."""
_RULER = (55.0, 268.0)
_RULER_MM = 100.0


def corners_of(rect: Rect) -> list[Point]:
    """From the top left, clockwise."""
    right, bottom = rect.x + rect.w, rect.y + rect.h
    return [(rect.x, rect.y), (right, rect.y), (right, bottom), (rect.x, bottom)]


def square_corners(centre: Point) -> list[Point]:
    """Of a slanted square, clockwise."""
    angle, half = math.radians(SLANT_DEGREES), SQUARE_SIDE / 2
    turned = [(-half, -half), (half, -half), (half, half), (-half, half)]
    sine, cosine = math.sin(angle), math.cos(angle)
    return [(centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine) for x, y in turned]


def target_pdf() -> bytes:
    """The sheet; the same bytes every time."""
    sheet = Sheet(WIDTH, HEIGHT, title=sentence("selftest.target-title"))
    for number, box in TAGS.items():
        _tag(sheet, number, box)
    for box, ink in zip(GREYS, GREY_INKS, strict=True):
        sheet.fill(box, ink)
    for centre in SQUARES:
        sheet.polygon(square_corners(centre), BLACK)
    _words(sheet)
    sheet.next_page()
    return sheet.pdf()


def _tag(sheet: Sheet, number: int, box: Rect) -> None:
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h10)
    modules = cv2.aruco.generateImageMarker(dictionary, number, TAG_MODULES)
    sheet.fill(box, BLACK)
    side = box.w / TAG_MODULES
    for row, column in product(range(TAG_MODULES), repeat=2):
        if modules[row, column]:
            sheet.fill(Rect(box.x + column * side, box.y + row * side, side, side), 1.0)


def _words(sheet: Sheet) -> None:
    """What it is, how it is printed and laid, and a ruler: at another size every figure would be wrong."""
    for down, key, size in ((117.0, "target-title", 6.0), (176.0, "target-lay", 3.6), (182.0, "target-print", 3.6)):
        at = (WIDTH / 2, down)
        words = sentence(f"selftest.{key}")
        sheet.text(Text(at=at, text=words, size=size, align="centre"), at, words)
    left, y = _RULER
    sheet.line(Ruling(left, y, left + _RULER_MM, y, 0.3), BLACK)
    for tick in range(0, 101, 10):
        sheet.line(Ruling(left + tick, y, left + tick, y - (4 if tick % 50 == 0 else 2), 0.3), BLACK)
    at = (WIDTH / 2, y + 6)
    words = sentence("selftest.target-ruler")
    sheet.text(Text(at=at, text=words, size=3.6, align="centre"), at, words)
