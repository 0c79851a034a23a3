"""The paper in the simulated printer: dots are burnt into it line by line, it runs out, it is cut into strips."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

DOTS_PER_MM = 8
"""203 dpi."""
PAPER_DOTS = {576: 640, 384: 464}
"""Printable dots and the whole width of the paper: 80 mm and 58 mm."""
CHARACTER = (12, 24)
"""Dots of one character of font A."""
CUTTER_DOTS = 96
"""Between the print head and the cutter: this much of a strip has not been printed on when the last one was cut."""

Dots = NDArray[np.uint8]
"""1 = burnt."""


class PaperEnded(Exception):
    """The end of the roll has passed the head."""


class PaperRoll:
    """Printable width `width_dots`; `length_mm` of paper are left."""

    def __init__(self, width_dots: int, length_mm: float) -> None:
        self.width_dots = width_dots
        self.dots_left = round(length_mm * DOTS_PER_MM)
        self._rows: list[Dots] = [np.zeros((CUTTER_DOTS, width_dots), np.uint8)]

    def burn(self, dots: Dots) -> None:
        """Print a block of rows (height, at most width_dots); raises PaperEnded after the rows that still fit."""
        fitting = dots[: self.dots_left, : self.width_dots]
        self._rows.append(np.pad(fitting, ((0, 0), (0, self.width_dots - fitting.shape[1]))))
        self.dots_left -= len(fitting)
        if len(fitting) < len(dots):
            raise PaperEnded

    def feed(self, rows: int) -> None:
        """Move the paper without printing; raises PaperEnded."""
        self.burn(np.zeros((rows, self.width_dots), np.uint8))

    def cut(self) -> Dots:
        """Cut where the cutter is, CUTTER_DOTS behind the head. The strip."""
        paper = np.concatenate(self._rows)
        self._rows = [paper[len(paper) - CUTTER_DOTS :]]
        return paper[: len(paper) - CUTTER_DOTS]

    def tear_out(self) -> Dots:
        """Take out what is in the printer, as when a new roll is put in."""
        paper = np.concatenate(self._rows)
        self._rows = [np.zeros((CUTTER_DOTS, self.width_dots), np.uint8)]
        return paper


def picture(strip: Dots) -> Image.Image:
    """The strip as it lies on the table: the whole width of the paper, one pixel a dot, grey values."""
    margin = (PAPER_DOTS[strip.shape[1]] - strip.shape[1]) // 2
    return Image.fromarray(np.where(np.pad(strip, ((0, 0), (margin, margin))) == 1, 25, 250).astype(np.uint8))


class Font:
    """Font A: every character of code page 437 in a cell of CHARACTER dots."""

    def __init__(self) -> None:
        path = files("barcode") / "fonts" / "DejaVuSansMono.ttf"  # comes with python-escpos
        self._font = ImageFont.truetype(str(path), 20)
        self._glyphs: dict[int, Dots] = {}

    def glyph(self, code: int) -> Dots:
        """The dots of one character, shape (24, 12)."""
        if code not in self._glyphs:
            self._glyphs[code] = self._line_drawing(code) if code in (0xC4, 0xCD) else self._draw(code)
        return self._glyphs[code]

    def _draw(self, code: int) -> Dots:
        cell = Image.new("1", CHARACTER)
        draw = ImageDraw.Draw(cell)
        draw.fontmode = "1"
        draw.text((0, 19), bytes([code]).decode("cp437"), fill=1, font=self._font, anchor="ls")
        return np.asarray(cell, dtype=np.uint8)

    def _line_drawing(self, code: int) -> Dots:
        cell = np.zeros(CHARACTER[::-1], np.uint8)
        for row in (11, 12) if code == 0xC4 else (8, 9, 14, 15):
            cell[row] = 1
        return cell
