"""Draws the pages of a layout file on a sheet: what is printed on the blank form, in the order of the ink."""

from __future__ import annotations

from itertools import product

import cv2

from firmware.forms.document import BLACK, Cells, Document, Emblem, IdentityEntry, Lines, PageEntry, Text
from firmware.forms.layout import Rect
from firmware.forms.loader import lines_of, tally_lines
from firmware.forms.placing import Placed, bubble_centre, placed_fields, placed_parts
from firmware.forms.reportlab_sheet import Sheet

TAG_MODULES = 8
"""Modules along a side of an AprilTag 36h10, black border included."""
GUIDE_INK = 0.79
GUIDE_DOT = 0.075
"""Side of a dot of the guide, in widths of the guide: 0.67 mm on the official blank."""
GUIDE_ROWS = 9
"""Rows of dots of the guide: a bar of five dots at the top, in the middle and below, three dots between."""
BUBBLE_DIGIT = 0.59
"""Height of the font in a bubble, in diameters."""
CAPITALS = 0.73
"""Height of Vera's capitals and digits, in font heights."""


def draw(document: Document) -> bytes:
    """The blank form as PDF."""
    sheet = Sheet(*document.page_mm, title=document.title["id"])
    for page in document.page:
        _page(sheet, document, page)
        sheet.next_page()
    return sheet.pdf()


def _page(sheet: Sheet, document: Document, page: PageEntry) -> None:
    parts = placed_parts(document, page)
    for layer in (_artwork, _lines, _cells, _marks):
        for placed in parts:
            layer(sheet, placed)
    _identity(sheet, page.identity)
    for placed in parts:
        for text in placed.part.texts:
            sheet.text(text, placed.point(text.at), placed.text(text.text))


def _artwork(sheet: Sheet, placed: Placed) -> None:
    for emblem in placed.part.emblems:
        _emblems(sheet, placed, emblem)
    for fill in placed.part.fills:
        sheet.fill(placed.rect(fill.box), fill.ink, fill.colour)
    for circle in placed.part.circles:
        sheet.circle(placed.point(circle.at), circle.diameter, circle.width, circle.ink, filled=circle.filled)
    for arrow in placed.part.arrows:
        x, y = placed.point(arrow.tip)
        half = arrow.length * 0.9
        sheet.polygon(((x, y), (x - arrow.length, y - half), (x - arrow.length, y + half)), arrow.ink)


def _lines(sheet: Sheet, placed: Placed) -> None:
    tallies = [tally_lines(row.tally) for group in placed.part.cells for row in group.rows if row.tally]
    # Black over grey where they meet, as on the official blank.
    for lines in sorted((*tallies, *placed.part.lines), key=_paleness, reverse=True):
        for ruling in lines_of(placed, lines):
            sheet.line(ruling, lines.ink, lines.dash)


def _paleness(lines: Lines) -> float:
    return lines.ink


def _cells(sheet: Sheet, placed: Placed) -> None:
    for found in placed_fields(placed):
        for box in found.boxes:
            if found.group.border:
                sheet.frame(box, found.group.border, BLACK)
            _guide(sheet, found.group, box)
            _bubbles(sheet, found.group, box)


def _guide(sheet: Sheet, group: Cells, box: Rect) -> None:
    if group.guide is None:
        return
    left, top, width, height = group.guide
    dot = width * GUIDE_DOT
    across, down = width - dot, height - dot
    for row, quarter in product(range(GUIDE_ROWS), range(5)):
        if row % 4 == 0 or quarter % 2 == 0:
            x, y = box.x + left + across * quarter / 4, box.y + top + down * row / (GUIDE_ROWS - 1)
            sheet.fill(Rect(x, y, dot, dot), GUIDE_INK)


def _bubbles(sheet: Sheet, group: Cells, box: Rect) -> None:
    if group.bubbles is None:
        return
    diameter = group.bubbles.diameter
    size = diameter * BUBBLE_DIGIT
    for digit in range(10):
        x, y = bubble_centre(group, box, digit)
        sheet.circle((x, y), diameter, group.bubbles.width, BLACK)
        baseline = (x, y + size * CAPITALS / 2)
        sheet.text(Text(at=baseline, text=str(digit), size=size, align="centre"), baseline, str(digit))


def _marks(sheet: Sheet, placed: Placed) -> None:
    for squares in placed.part.marks.values():
        for square in squares:
            sheet.fill(placed.rect(square), BLACK)


def _identity(sheet: Sheet, identity: IdentityEntry) -> None:
    box = Rect(*identity.box)
    if identity.kind == "code128":
        sheet.code128(identity.value, box)
        return
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h10)
    canonical = cv2.aruco.generateImageMarker(dictionary, int(identity.value), TAG_MODULES)
    modules = cv2.rotate(canonical, cv2.ROTATE_90_CLOCKWISE) if identity.quarter_turns % 2 else canonical
    if identity.quarter_turns >= 2:
        modules = cv2.rotate(modules, cv2.ROTATE_180)
    sheet.fill(box, BLACK)
    for row, column in product(range(TAG_MODULES), repeat=2):
        if modules[row, column]:
            side = box.w / TAG_MODULES
            sheet.fill(Rect(box.x + column * side, box.y + row * side, side, side), 1.0)


def _emblems(sheet: Sheet, placed: Placed, emblem: Emblem) -> None:
    """The emblem once, or wherever it fits into its area."""
    box = placed.rect(emblem.box)
    if emblem.pitch is None or emblem.area is None:
        _emblem(sheet, box, emblem.ink)
        return
    area = placed.rect(emblem.area)
    columns = int((area.w - box.w) / emblem.pitch[0]) + 1
    rows = int((area.h - box.h) / emblem.pitch[1]) + 1
    for row, column in product(range(rows), range(columns)):
        left, top = area.x + column * emblem.pitch[0], area.y + row * emblem.pitch[1]
        _emblem(sheet, Rect(left, top, box.w, box.h), emblem.ink)


def _emblem(sheet: Sheet, box: Rect, ink: float) -> None:
    """A ballot box in a ring: nobody's emblem."""
    side = min(box.w, box.h)
    x, y = box.x + box.w / 2, box.y + box.h / 2
    sheet.circle((x, y), side * 0.94, side * 0.06, ink)
    sheet.circle((x, y), side * 0.76, side * 0.02, ink)
    sheet.fill(Rect(x - side * 0.12, y - side * 0.26, side * 0.24, side * 0.22), ink)
    sheet.fill(Rect(x - side * 0.07, y - side * 0.21, side * 0.14, side * 0.03), 1.0)
    sheet.fill(Rect(x - side * 0.26, y - side * 0.06, side * 0.52, side * 0.07), ink)
    sheet.fill(Rect(x - side * 0.22, y + side * 0.03, side * 0.44, side * 0.22), ink)
