"""The inside of the simulated printer: takes bytes as a thermal printer does and burns them into paper.

Knows what the firmware of a cheap printer knows: text in font A with size, emphasis, reverse and alignment, feeds,
raster pictures, QR codes that it draws itself, the cut, GS r. Commands it does not know are counted, and their
parameters come out as text, as on the real thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tests.simulators.paper_roll import CUTTER_DOTS, DOTS_PER_MM, Dots, Font, PaperRoll

LINE_SPACING = 30
"""Dots from line to line."""


ALPHANUMERIC = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@dataclass
class StoredCode:
    """What a printer keeps of a QR code until it is told to print it; as after switching on."""

    model: bytes = b"2"
    module_dots: int = 3
    level: int = 48
    data: bytes = b""


def drawn(code: StoredCode) -> Dots:
    """The dots of a QR code without a quiet zone, as a printer draws it: version and mode are its own choice. By an
    encoder that is not the kiosk's."""
    settings = cv2.QRCodeEncoder.Params()
    settings.correction_level = code.level - 48
    alphanumeric = ALPHANUMERIC.issuperset(code.data)
    settings.mode = cv2.QRCodeEncoder_MODE_ALPHANUMERIC if alphanumeric else cv2.QRCodeEncoder_MODE_BYTE
    modules = cv2.QRCodeEncoder.create(settings).encode(code.data.decode()) == 0
    rows, columns = np.flatnonzero(modules.any(axis=1)), np.flatnonzero(modules.any(axis=0))
    modules = modules[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.kron(modules.astype(np.uint8), np.ones((code.module_dots, code.module_dots), np.uint8))


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
        self._code = StoredCode()

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
            case "(":
                self._function(self._take())
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

    def _function(self, kind: int) -> None:
        """GS ( and a letter, with the length of what follows: of these it knows the QR code's."""
        length = self._take() + 256 * self._take()
        data = bytes(self._take() for _ in range(length))
        match kind, data[:2]:
            case 0x6B, b"1A":
                self._code.model = data[2:3]
            case 0x6B, b"1C":
                self._code.module_dots = data[2]
            case 0x6B, b"1E":
                self._code.level = data[2]
            case 0x6B, b"1P":
                self._code.data = data[3:]
            case 0x6B, b"1Q":
                self._draw_code()
            case _:
                self.unknown[f"GS ( {kind:02x} {data[:2].hex()}"] += 1

    def _draw_code(self) -> None:
        try:
            dots = drawn(self._code)
        except (cv2.error, UnicodeDecodeError):  # on a disturbed line
            self.unknown["code without sense"] += 1
            return
        left = (self.roll.width_dots - dots.shape[1]) * self._align // 2
        if left < 0:
            self.unknown["code too wide"] += 1
            return
        self._press(np.pad(dots, ((0, 0), (left, 0))))

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
