"""The label of a device: serial, TPS, seal and a code that names device and key, for custody and for the self-test.

What the code says is told in firmware/signing/label.py. Labels are 62 x 29 mm: as many as needed on
sheets of A4, or one a page for a label printer's roll.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware.forms.layout import Rect, Ruling
from firmware.forms.reportlab_sheet import Sheet
from firmware.receipt import qr
from firmware.signing.label import Label as Named
from provisioning.papers.lettering import line, style

SIZE = (62.0, 29.0)
"""Millimetres."""
A4 = (210.0, 297.0)
COLUMNS, ROWS = 3, 9
GAP = 2.0
"""Between labels on a sheet: room for scissors."""
_CODE_DOTS = 576
"""The code is asked for as for paper that is wide enough: its size here is millimetres, not dots."""
_CODE_MM = 23.0
_EDGE = 2.0


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on it."""

    serial: str
    kid: str
    """Hexadecimal."""
    tps: str
    seal: str

    @property
    def text(self) -> str:
        """What the code says."""
        return Named(self.serial, bytes.fromhex(self.kid)).text


def roll(labels: Sequence[Label]) -> bytes:
    """A page of 62 x 29 mm for each label."""
    sheet = Sheet(*SIZE, "C1 Kiosk")
    for label in labels:
        _draw(sheet, label, 0.0, 0.0)
        sheet.next_page()
    return sheet.pdf()


def sheets(labels: Sequence[Label]) -> bytes:
    """A4 pages of 27 labels."""
    sheet = Sheet(*A4, "C1 Kiosk")
    left = (A4[0] - COLUMNS * SIZE[0] - (COLUMNS - 1) * GAP) / 2
    top = (A4[1] - ROWS * SIZE[1] - (ROWS - 1) * GAP) / 2
    for start in range(0, len(labels), COLUMNS * ROWS):
        for place, label in enumerate(labels[start : start + COLUMNS * ROWS]):
            x = left + place % COLUMNS * (SIZE[0] + GAP)
            y = top + place // COLUMNS * (SIZE[1] + GAP)
            sheet.frame(Rect(x, y, *SIZE), 0.1, 0.7)
            _draw(sheet, label, x, y)
        sheet.next_page()
    return sheet.pdf()


def _draw(sheet: Sheet, label: Label, x: float, y: float) -> None:
    _code(sheet, label.text, x + _EDGE, y + (SIZE[1] - _CODE_MM) / 2)
    words = x + _EDGE + _CODE_MM + 1.5
    room = SIZE[0] - (words - x) - _EDGE
    sheet.text(style(2.5, ink=0.25), (words, y + 5.4), "C1 KIOSK")
    line(sheet, (words, y + 11.0), label.serial, style(4.6, bold=True), room)
    sheet.line(Ruling(words, y + 13.2, x + SIZE[0] - _EDGE, y + 13.2, 0.15), 0.5)
    for row, text in enumerate((f"TPS {label.tps or '-'}", f"Segel {label.seal or '-'}", f"Kunci {label.kid}")):
        line(sheet, (words, y + 17.2 + row * 4.1), text, style(2.7 if row < 2 else 2.3, bold=row < 1), room)


def _code(sheet: Sheet, text: str, x: float, y: float) -> None:
    rows = qr.make(text, _CODE_DOTS, alphanumeric=False).rows
    module = _CODE_MM / len(rows)
    for row, modules in enumerate(rows):
        start = 0
        while start < len(modules):
            end = start
            while end < len(modules) and modules[end]:
                end += 1
            if end > start:
                sheet.fill(Rect(x + start * module, y + row * module, (end - start) * module, module), 0.0)
            start = max(end, start + 1)
