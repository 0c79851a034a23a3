"""Lettering on labels and letters: a line that is too long for its room is made smaller, never cut off."""

from __future__ import annotations

import math
from typing import Any

from firmware.forms.document import Point, Text
from firmware.forms.reportlab_sheet import Sheet


def style(size: float, **more: Any) -> Text:
    """Lettering `size` millimetres high; where and what is told when it is drawn."""
    return Text(at=(0.0, 0.0), text="", size=size, **more)


def line(sheet: Sheet, at: Point, words: str, shape: Text, room: float) -> None:
    """One line in at most `room` millimetres: half of what is too much goes off its height, the rest off its width."""
    excess = sheet.width(shape, words) / room
    if excess > 1:
        shape = style(shape.size / math.sqrt(excess), bold=shape.bold, ink=shape.ink, fit=room)
    sheet.text(shape, at, words)
