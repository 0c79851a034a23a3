"""A thermal printer that speaks ESC/POS. The only user of python-escpos and Pillow.

python-escpos makes the bytes and knows the printers: its profile says how many dots the head has, how lines are drawn
(code page), whether there is a cutter and whether the printer draws QR codes by itself. A code that the printer draws
is 300 bytes on the line, as a picture it is 6,000 and more. What is sent and heard is in conversation.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from escpos.capabilities import CAPABILITIES
from escpos.constants import QR_ECLEVEL_M, QR_ECLEVEL_Q
from escpos.escpos import Escpos
from PIL import Image

from firmware.errors import LayoutRefused
from firmware.receipt.conversation import Conversation, Patience
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.qr import QUIET_MODULES, QrCode
from firmware.receipt.strip import Code, Line, ReceiptLayout, Rule
from firmware.receipt.wire import Stopped, Wire

PROFILES = {576: "TM-T20II", 384: "POS-5890"}
"""python-escpos profile by printable dots, where the configuration names none: 203 dpi, 48 columns with a cutter, and
32 columns with a tear bar."""

RASTER_ROWS = 12
"""Dot rows in one raster command: small, so that there is room for a question between two of them."""

TEAR_LINES = 4
"""Lines between the print head and the tear bar of a printer without a cutter."""

CORRECTIONS = {"m": QR_ECLEVEL_M, "q": QR_ECLEVEL_Q}
"""What printers call the levels of qr.CORRECTIONS."""

LINE_DOTS = 30
"""One line of text with its spacing: what the code's quiet zone is fed with."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a printer can do, as python-escpos knows it."""

    name: str
    cutter: bool
    draws_codes: bool


def profile_of(name: str, width_dots: int) -> Profile:
    """The profile `name`, or the usual one of the paper when it is empty.

    Raises LayoutRefused("printer-profile") when nobody knows it, when it prints no pictures, or when its head has
    fewer dots than the strips.
    """
    chosen = name or PROFILES.get(width_dots, "")
    known = CAPABILITIES["profiles"].get(chosen)
    pixels = known["media"]["width"].get("pixels") if known else None
    if known is None or not isinstance(pixels, int) or pixels < width_dots or not known["features"]["bitImageRaster"]:
        raise LayoutRefused("printer-profile", profile=chosen, dots=width_dots)
    return Profile(chosen, bool(known["features"]["paperFullCut"]), bool(known["features"]["qrCode"]))


class EscposPrinter:
    """The printer at the other end of what `connect` opens, which raises Stopped when it cannot."""

    def __init__(
        self,
        connect: Callable[[], Wire],
        profile: Profile,
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._profile = profile
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._wire: Wire | None = None

    def status(self) -> PrinterStatus:
        """How the printer is now; FAULT when it is silent, gone, or answers what is no status."""
        try:
            with self._conversation() as conversation:
                return conversation.status()
        except Stopped:
            return PrinterStatus.FAULT

    def print(self, layout: ReceiptLayout) -> PrintOutcome:
        """Print one strip. Returns after the printer's answer, or when it stops answering or printing."""
        commands = receipt_commands(layout, self._profile)
        before = self.status()
        if not before.can_print:
            return PrintOutcome(Printed.NOT_PRINTED, before)
        try:
            with self._conversation() as conversation:
                conversation.send(commands)
        except Stopped:
            return PrintOutcome(Printed.DOUBTFUL, self._give_up())
        return PrintOutcome(Printed.CONFIRMED, self.status())

    def clear(self) -> PrinterStatus:
        """Throw out what an interrupted strip left in the printer, and cut it off."""
        try:
            with self._conversation() as conversation:
                conversation.stop()
                conversation.end_command()
                status = conversation.status()
                if status.can_print:
                    conversation.send(ending_commands(self._profile))
        except Stopped:
            return self._give_up()
        return self.status()

    def close(self) -> None:
        """Let go of the line."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    @contextmanager
    def _conversation(self) -> Iterator[Conversation]:
        """The open line; whatever stops it closes it."""
        try:
            self._wire = self._wire or self._connect()
            yield Conversation(self._wire, self._patience, self._monotonic)
        except Stopped:
            self.close()
            raise
        if not self._wire.stays_open:
            self.close()

    def _give_up(self) -> PrinterStatus:
        """Take back what the printer has not printed yet, then see how it is."""
        try:
            with self._conversation() as conversation:
                conversation.stop()
        except Stopped:
            return PrinterStatus.FAULT
        return self.status()


class _Recorder(Escpos):  # type: ignore[misc]
    """Collects what python-escpos makes, command by command."""

    def __init__(self, profile: str) -> None:
        super().__init__(profile=profile)
        self.commands: list[bytes] = []
        self.style: Line | None = None
        """Of the line before: what is the same is not sent again."""

    def _raw(self, msg: bytes) -> None:
        self.commands.append(msg)


def receipt_commands(layout: ReceiptLayout, profile: Profile) -> list[bytes]:
    """The strip as ESC/POS commands, from the reset to the cut."""
    printer = _Recorder(profile.name)
    printer.hw("INIT")
    for element in layout.elements:
        match element:
            case Line():
                _line(printer, element)
            case Rule():
                _line(printer, Line(("═" if element.double else "─") * layout.columns))
            case Code() if profile.draws_codes:
                _drawn_code(printer, element.qr, layout.width_dots)
            case Code():
                _pictured_code(printer, element.qr, layout.width_dots)
    return [*printer.commands, *ending_commands(profile)]


def ending_commands(profile: Profile) -> list[bytes]:
    """The paper out of the printer: the cut, or as far as the tear bar."""
    printer = _Recorder(profile.name)
    if profile.cutter:
        printer.cut(feed=False)
    else:
        printer.print_and_feed(TEAR_LINES)
    return printer.commands


def _line(printer: _Recorder, line: Line) -> None:
    _set(printer, line)
    printer.textln(line.text)


def _set(printer: _Recorder, line: Line) -> None:
    before = printer.style
    if before is None or before.centred != line.centred:
        printer.set(align="center" if line.centred else "left")
    if before is None or before.bold != line.bold:
        printer.set(bold=line.bold)
    if before is None or before.inverse != line.inverse:
        printer.set(invert=line.inverse)
    if before is None or (before.width, before.height) != (line.width, line.height):
        printer.set(custom_size=True, width=line.width, height=line.height)
    printer.style = line


def _drawn_code(printer: _Recorder, qr: QrCode, width_dots: int) -> None:
    """By the printer itself, which chooses version and mode: of a size that fits in either mode. The quiet zone is the
    paper around it."""
    _set(printer, Line("", centred=True))
    quiet = -(-QUIET_MODULES * qr.module_dots // LINE_DOTS)
    printer.print_and_feed(quiet)
    size = min(qr.module_dots, width_dots // qr.byte_modules)
    printer.qr(qr.text, ec=CORRECTIONS[qr.correction], size=size, native=True)
    printer.print_and_feed(quiet)


def _pictured_code(printer: _Recorder, qr: QrCode, width_dots: int) -> None:
    """As a raster that is centred by itself: not every printer aligns rasters. Modules of an even number of dots are
    sent in half the resolution both ways, a quarter of the bytes, and doubled by the printer (GS v 0, m = 3)."""
    _set(printer, Line(""))
    scale = 2 if qr.module_dots % 2 == 0 else 1
    dots = qr.module_dots // scale
    black = np.kron(np.array(qr.rows, dtype=np.uint8), np.ones((dots, dots), dtype=np.uint8))
    left = (width_dots - qr.dots) // 2 // scale
    placed = np.pad(black, ((0, 0), (left, 0))) if left >= 0 else black[:, -left:left]  # its quiet zone is cut off
    picture = Image.fromarray(255 - 255 * placed)
    double = scale == 2
    printer.image(
        picture,
        impl="bitImageRaster",
        fragment_height=RASTER_ROWS,
        high_density_vertical=not double,
        high_density_horizontal=not double,
    )
