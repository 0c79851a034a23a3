"""A sheet of paper to draw on, in millimetres from the top left, written as vector PDF by reportlab.

The fonts are Bitstream Vera, embedded: the same letters on every machine and printer. The bytes depend on nothing
but what is drawn (no date, no random id).
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.colors import Color
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from firmware.forms.document import Point, Text
from firmware.forms.layout import Rect, Ruling

_FONTS = {(False, False): "Vera", (True, False): "VeraBd", (False, True): "VeraIt", (True, True): "VeraBI"}
"""By (bold, italic)."""
_BUTT, _SQUARE = 0, 2


class Sheet:
    """Pages of one size. Inks are 0 (black) to 1 (white)."""

    def __init__(self, width: float, height: float, title: str) -> None:
        for name in _FONTS.values():
            pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
        self._height = height
        self._file = io.BytesIO()
        self._canvas = Canvas(self._file, pagesize=(width * mm, height * mm), invariant=1, pageCompression=1)
        self._canvas.setTitle(title)

    def next_page(self) -> None:
        """Ends the page."""
        self._canvas.showPage()

    def pdf(self) -> bytes:
        """The finished document."""
        self._canvas.save()
        return self._file.getvalue()

    def fill(self, rect: Rect, ink: float, colour: tuple[float, float, float] | None = None) -> None:
        """A filled rectangle."""
        self._canvas.setFillColor(Color(*(colour or (ink, ink, ink))))
        left, bottom = self._at((rect.x, rect.y + rect.h))
        self._canvas.rect(left, bottom, rect.w * mm, rect.h * mm, stroke=0, fill=1)

    def line(self, ruling: Ruling, ink: float, dash: tuple[float, float] | None = None) -> None:
        """A line; solid ones reach half their width beyond their ends, so that corners are square."""
        self._pen(ruling.width, ink)
        self._canvas.setLineCap(_SQUARE if ruling.solid else _BUTT)
        self._canvas.setDash([length * mm for length in dash] if dash else [])
        self._canvas.line(*self._at((ruling.x0, ruling.y0)), *self._at((ruling.x1, ruling.y1)))
        self._canvas.setDash([])

    def frame(self, rect: Rect, width: float, ink: float) -> None:
        """The border of a rectangle, centred on its edge."""
        self._pen(width, ink)
        left, bottom = self._at((rect.x, rect.y + rect.h))
        self._canvas.rect(left, bottom, rect.w * mm, rect.h * mm)

    def circle(self, centre: Point, diameter: float, width: float, ink: float, *, filled: bool = False) -> None:
        """A circle, outlined or filled."""
        self._pen(width, ink)
        self._canvas.setFillGray(ink)
        self._canvas.circle(*self._at(centre), diameter / 2 * mm, stroke=1, fill=int(filled))

    def polygon(self, points: Sequence[Point], ink: float) -> None:
        """A filled polygon."""
        path = self._canvas.beginPath()
        path.moveTo(*self._at(points[0]))
        for point in points[1:]:
            path.lineTo(*self._at(point))
        path.close()
        self._canvas.setFillGray(ink)
        self._canvas.drawPath(path, stroke=0, fill=1)

    def width(self, shape: Text, words: str) -> float:
        """Of one line of text as it comes, in millimetres."""
        return float(pdfmetrics.stringWidth(words, _FONTS[shape.bold, shape.italic], shape.size * mm) / mm)

    def text(self, shape: Text, at: Point, words: str) -> None:
        """One line of text at `at`, drawn as `shape` says."""
        font, size = _FONTS[shape.bold, shape.italic], shape.size * mm
        natural = pdfmetrics.stringWidth(words, font, size)
        width = shape.fit * mm if shape.fit else natural
        back = {"left": 0.0, "centre": width / 2, "right": width}[shape.align]
        turn = math.radians(-shape.turn)
        canvas = self._canvas
        canvas.saveState()
        canvas.transform(math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn), *self._at(at))
        line = canvas.beginText(-back, 0)
        line.setFont(font, size)
        line.setFillGray(shape.ink)
        line.setHorizScale(100 * width / natural if natural else 100)
        line.textOut(words)
        canvas.drawText(line)
        canvas.restoreState()

    def code128(self, value: str, box: Rect) -> None:
        """A Code 128 whose bars fill `box`."""
        modules = Code128(value, barWidth=1, quiet=0).width
        bars = Code128(value, barWidth=box.w * mm / modules, barHeight=box.h * mm, quiet=0)
        bars.drawOn(self._canvas, *self._at((box.x, box.y + box.h)))

    def _pen(self, width: float, ink: float) -> None:
        self._canvas.setLineWidth(width * mm)
        self._canvas.setStrokeGray(ink)

    def _at(self, point: Point) -> Point:
        return point[0] * mm, (self._height - point[1]) * mm
