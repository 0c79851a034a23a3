"""The inside of the simulated printer: takes bytes as a thermal printer does and burns them into paper.

Knows what the firmware of a cheap printer knows: text in font A with size, emphasis, reverse and alignment, feeds,
raster pictures, the cut, GS r. Commands it does not know are counted, and their parameters come out as text, as on
the real thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from tests.simulators.paper_roll import CUTTER_DOTS, DOTS_PER_MM, Dots, Font, PaperRoll

LINE_SPACING = 30
"""Dots from line to line."""


class Engine:
    """Interprets commands from `take` (one byte; blocks) and prints with `press` (dot rows; takes its time).

    `say` sends an answer, `cut` is called with each strip that falls out of the printer.
    """

    def __init__(
        self,
        roll: PaperRoll,
        take: Callable[[], int],
        press: Callable[[Dots], None],
        say: Callable[[bytes], None],
        paper_answer: Callable[[], int],
        cut: Callable[[Dots], None],
    ) -> None:
        self.roll = roll
        self.unknown: Counter[str] = Counter()
        self._take = take
        self._press = press
        self._say = say
        self._paper_answer = paper_answer
        self._cut = cut
        self._font = Font()
        self.reset()

    def reset(self) -> None:
        """As after switching on, or ESC @."""
        self._line: list[Dots] = []
        self._width = self._height = 1
        self._bold = self._inverse = False
        self._align = 0

    def step(self) -> None:
        """Take one command or character and do it."""
        byte = self._take()
        match byte:
            case 0x1B:
                self._escape(self._take())
            case 0x1D:
                self._group(self._take())
            case 0x10:
                self._skip_real_time(self._take())
            case 0x0A:
                self._print_line()
            case _ if byte >= 0x20:
                self._put(byte)
            case _:
                self.unknown[f"{byte:02x}"] += 1

    def _escape(self, command: int) -> None:
        match chr(command):
            case "@":
                self.reset()
            case "!":
                style = self._take()
                self._bold, self._height, self._width = bool(style & 8), 1 + (style >> 4 & 1), 1 + (style >> 5 & 1)
            case "E":
                self._bold = bool(self._take() & 1)
            case "a":
                self._align = self._take() % 48
            case "d":
                self._print_line(self._take() * LINE_SPACING)
            case "t" | "M":
                self._take()
            case _:
                self.unknown[f"ESC {command:02x}"] += 1

    def _group(self, command: int) -> None:
        match chr(command):
            case "!":
                size = self._take()
                self._width, self._height = (size >> 4) + 1, (size & 7) + 1
            case "B":
                self._inverse = bool(self._take() & 1)
            case "v":
                self._raster()
            case "V":
                self._cut_paper(self._take())
            case "r":
                self._take()
                self._say(bytes([self._paper_answer()]))
            case _:
                self.unknown[f"GS {command:02x}"] += 1

    def _skip_real_time(self, command: int) -> None:
        """Real-time commands were obeyed when they came in; here they only pass by."""
        for _ in range({0x04: 1, 0x14: 8}.get(command, 0)):
            self._take()

    def _raster(self) -> None:
        self._take()
        mode = self._take() % 48
        bytes_wide = self._take() + 256 * self._take()
        rows = self._take() + 256 * self._take()
        for _ in range(rows):
            row = np.unpackbits(np.array([self._take() for _ in range(bytes_wide)], np.uint8))
            self._press(np.tile(np.repeat(row, 1 + (mode & 1)), (1 + (mode >> 1 & 1), 1)))

    def _cut_paper(self, mode: int) -> None:
        if mode in (0x41, 0x42):
            self._feed(CUTTER_DOTS + self._take())
        self._cut(self.roll.cut())

    def _put(self, code: int) -> None:
        glyph = self._font.glyph(code)
        if self._bold:
            glyph = glyph | np.roll(glyph, 1, axis=1)
        if self._inverse:
            glyph = 1 - glyph
        glyph = np.kron(glyph, np.ones((self._height, self._width), np.uint8))
        if sum(cell.shape[1] for cell in self._line) + glyph.shape[1] > self.roll.width_dots:
            self._print_line()
        self._line.append(glyph)

    def _print_line(self, least: int = LINE_SPACING) -> None:
        line, self._line = self._line, []
        if not line:
            self._feed(least)
            return
        height = max(len(cell) for cell in line)
        row = np.concatenate([np.pad(cell, ((height - len(cell), 0), (0, 0))) for cell in line], axis=1)
        left = (self.roll.width_dots - row.shape[1]) * self._align // 2
        self._press(np.pad(row, ((0, 0), (left, 0))))
        self._feed(max(LINE_SPACING - height, 0, least - height))

    def _feed(self, rows: int) -> None:
        for start in range(0, rows, DOTS_PER_MM):
            self._press(np.zeros((min(DOTS_PER_MM, rows - start), 1), np.uint8))
