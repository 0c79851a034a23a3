"""A thermal printer that speaks ESC/POS on a serial line. The only user of python-escpos, pyserial and Pillow.

python-escpos makes the bytes; they are sent and the answers are read here, because python-escpos takes a printer's
silence for "paper present". Here silence is a fault, and so is an answer that is not a status byte.

Status is asked in real time (DLE EOT n), before the first byte and again after every POLL_BYTES, always between two
commands: inside one, a printer takes the question for data. Milestones (GS r 1) stand in the stream, the last one after
the cut, and are answered when the printer gets there: the strip is confirmed when all are answered. A printer that
lost power in between has lost those in its buffer. Sources: Epson's ESC/POS command reference, DLE EOT, GS r, DLE DC4
fn 8.
"""

from __future__ import annotations

import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import serial
from escpos.escpos import Escpos
from PIL import Image

from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.qr import QrCode
from firmware.receipt.strip import Code, Line, ReceiptLayout, Rule

PROFILES = {576: "TM-T20II", 384: "POS-5890"}
"""python-escpos profile by printable dots: 203 dpi, 48 columns with a cutter, and 32 columns with a tear bar."""

POLL_BYTES = 1024
"""After so many bytes stands a milestone, and the printer is asked whether it still prints: a second at 9600 baud, a
quarter of a common printer's buffer."""

POLL_S = 0.1
"""Between two questions while only waiting."""

RASTER_ROWS = 12
"""Dot rows in one raster command: small, so that there is room for the question between two of them."""

TEAR_LINES = 4
"""Lines between the print head and the tear bar of a printer without a cutter."""

BITS_PER_BYTE = 10
"""On the line: start, eight data bits, stop."""

_ASK = b"\x10\x04"
_PRINTER, _OFFLINE_CAUSE, _ERROR_CAUSE, _PAPER = 1, 2, 3, 4
_MILESTONE = b"\x1dr\x01"
_CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 fn 8: forget what was sent, so that new paper does not let loose the rest of a strip."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    answer_s: float = 1.0
    """For a real-time answer; printers answer within milliseconds."""
    stall_s: float = 10.0
    """For the printer to take more bytes: a full buffer of 4 kB of text is 6 s of printing at 50 mm/s."""
    finish_s: float = 30.0
    """From the last byte to the answer after the cut: a strip of 1 m at 50 mm/s, with room."""


class _Stopped(Exception):
    """The printer no longer prints, or we cannot know that it does."""


class EscposPrinter:
    """A printer on serial device `device`; with `xonxoff` false the line uses RTS/CTS."""

    def __init__(
        self,
        device: str,
        baud: int = 115_200,
        xonxoff: bool = True,
        patience: Patience | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._baud = baud
        self._xonxoff = xonxoff
        self._patience = patience or Patience()
        self._monotonic = monotonic
        self._open_port: serial.Serial | None = None

    def status(self) -> PrinterStatus:
        """How the printer is now; FAULT when it is silent, gone, or answers what is no status."""
        try:
            with self._port() as port:
                return self._ask_everything(port)
        except _Stopped:
            return PrinterStatus.FAULT

    def print(self, layout: ReceiptLayout) -> PrintOutcome:
        """Print one strip. Returns after the printer's answer, or when it stops answering or printing."""
        commands = receipt_commands(layout)
        before = self.status()
        if not before.can_print:
            return PrintOutcome(Printed.NOT_PRINTED, before)
        try:
            with self._port() as port:
                self._send(port, commands)
        except _Stopped:
            return PrintOutcome(Printed.DOUBTFUL, self._give_up())
        return PrintOutcome(Printed.CONFIRMED, self.status())

    def close(self) -> None:
        """Let go of the serial device."""
        port, self._open_port = self._open_port, None
        if port is not None:
            port.close()

    @contextmanager
    def _port(self) -> Iterator[serial.Serial]:
        """The open port; whatever goes wrong with it closes it and stops the print."""
        try:
            if self._open_port is None:
                self._open_port = serial.Serial(
                    self._device,
                    self._baud,
                    timeout=self._patience.answer_s,
                    write_timeout=self._patience.stall_s,
                    xonxoff=self._xonxoff,
                    rtscts=not self._xonxoff,
                )
                _restart_output(self._open_port)
            yield self._open_port
        except serial.SerialTimeoutException as problem:
            raise _Stopped("full") from problem
        except (OSError, termios.error) as problem:
            self.close()
            raise _Stopped("gone") from problem

    def _send(self, port: serial.Serial, commands: list[bytes]) -> None:
        """Send the strip with its milestones, and wait until every one of them has been answered."""
        unasked = missing = 0
        for command in commands:
            port.write(command)
            unasked += len(command)
            if unasked >= POLL_BYTES:
                port.write(_MILESTONE + _ASK + bytes([_PRINTER]))
                in_transit = unasked * BITS_PER_BYTE / self._baud
                missing += 1 - self._milestones(port, self._patience.stall_s + in_transit)
                unasked = 0
        port.write(_MILESTONE)
        self._wait_for_milestones(port, missing + 1)

    def _wait_for_milestones(self, port: serial.Serial, missing: int) -> None:
        until = self._monotonic() + self._patience.finish_s
        while missing:
            if self._monotonic() > until:
                raise _Stopped("late")
            time.sleep(POLL_S)
            port.write(_ASK + bytes([_PRINTER]))
            missing -= self._milestones(port, self._patience.stall_s)

    def _milestones(self, port: serial.Serial, timeout_s: float) -> int:
        """Read up to the real-time answer, which must say that it prints. How many milestones came before it."""
        passed = 0
        answer = self._byte(port, timeout_s)
        while _is_paper_answer(answer):
            if answer & _PAPER_GONE:
                raise _Stopped("paper")
            passed += 1
            answer = self._byte(port, self._patience.answer_s)
        if not _is_real_time(answer) or answer & _OFFLINE:
            raise _Stopped("offline")
        return passed

    def _ask_everything(self, port: serial.Serial) -> PrinterStatus:
        port.reset_input_buffer()
        answers = []
        for question in (_PRINTER, _OFFLINE_CAUSE, _ERROR_CAUSE, _PAPER):
            port.write(_ASK + bytes([question]))
            answers.append(self._byte(port, self._patience.answer_s))
        return judge(*answers)

    def _byte(self, port: serial.Serial, timeout_s: float) -> int:
        """The next byte from the printer; silence stops the print."""
        port.timeout = timeout_s
        answer = port.read(1)
        if not answer:
            self.close()
            raise _Stopped("silent")
        return answer[0]

    def _hear_out(self, port: serial.Serial) -> None:
        """Read until it is quiet: answers to old questions would be taken for answers to the next ones."""
        port.timeout = self._patience.answer_s
        until = self._monotonic() + self._patience.stall_s
        while port.read(1) and self._monotonic() < until:
            pass

    def _give_up(self) -> PrinterStatus:
        """Take back what the printer has not printed yet, then see how it is."""
        try:
            with self._port() as port:
                port.reset_output_buffer()
                _restart_output(port)
                port.write(_CLEAR_BUFFERS)
                time.sleep(2 * POLL_BYTES * BITS_PER_BYTE / self._baud)  # what is still in transit
                self._hear_out(port)
        except _Stopped:
            return PrinterStatus.FAULT
        return self.status()


def _restart_output(port: serial.Serial) -> None:
    """Send even after an XOFF: the XON may never come. Linux restarts only what it stopped itself, hence both calls."""
    port.set_output_flow_control(False)
    port.set_output_flow_control(True)


_OFFLINE = 0x08
_COVER_OPEN = 0x04
_STOPPED_BY_PAPER_END = 0x20
_CUTTER_OR_UNRECOVERABLE = 0x08 | 0x20
_RECOVERS_BY_ITSELF = 0x40
_PAPER_ABSENT = 0x60
_PAPER_NEAR_END = 0x0C
_PAPER_GONE = 0x0C
"""In an answer to GS r 1, where the bits stand elsewhere."""


def judge(printer: int, offline_cause: int, error_cause: int, paper: int) -> PrinterStatus:
    """One status from the answers to DLE EOT 1 to 4: what a person has to do first. Nonsense is a fault."""
    if not all(map(_is_real_time, (printer, offline_cause, error_cause, paper))):
        return PrinterStatus.FAULT
    found = (
        (PrinterStatus.COVER_OPEN, offline_cause & _COVER_OPEN),
        (PrinterStatus.PAPER_OUT, offline_cause & _STOPPED_BY_PAPER_END or paper & _PAPER_ABSENT),
        (PrinterStatus.FAULT, error_cause & _CUTTER_OR_UNRECOVERABLE),
        (PrinterStatus.OVERHEATED, error_cause & _RECOVERS_BY_ITSELF),
        (PrinterStatus.OFFLINE, printer & _OFFLINE),
        (PrinterStatus.PAPER_LOW, paper & _PAPER_NEAR_END),
    )
    return next((status for status, bits in found if bits), PrinterStatus.READY)


def _is_real_time(answer: int) -> bool:
    """Answers to DLE EOT have fixed bits: 0xx1xx10."""
    return answer & 0x93 == 0x12


def _is_paper_answer(answer: int) -> bool:
    """Answers to GS r 1 have fixed bits: 0xx0xxxx."""
    return answer & 0x90 == 0


class _Recorder(Escpos):  # type: ignore[misc]
    """Collects what python-escpos makes, command by command."""

    def __init__(self, profile: str) -> None:
        super().__init__(profile=profile)
        self.commands: list[bytes] = []

    def _raw(self, msg: bytes) -> None:
        self.commands.append(msg)


def receipt_commands(layout: ReceiptLayout) -> list[bytes]:
    """The strip as ESC/POS commands, from the reset to the cut."""
    printer = _Recorder(PROFILES[layout.width_dots])
    printer.hw("INIT")
    for element in layout.elements:
        match element:
            case Line():
                _line(printer, element)
            case Rule():
                _line(printer, Line(("═" if element.double else "─") * layout.columns))
            case Code():
                _code(printer, element.qr, layout.width_dots)
    if printer.profile.supports("paperFullCut"):
        printer.cut(feed=False)
    else:
        printer.print_and_feed(TEAR_LINES)
    return printer.commands


def _line(printer: _Recorder, line: Line) -> None:
    printer.set(
        align="center" if line.centred else "left",
        bold=line.bold,
        invert=line.inverse,
        custom_size=True,
        width=line.width,
        height=line.height,
    )
    printer.textln(line.text)


def _code(printer: _Recorder, qr: QrCode, width_dots: int) -> None:
    """As a raster that is centred by itself: not every printer aligns rasters."""
    black = np.kron(np.array(qr.rows, dtype=np.uint8), np.ones((qr.module_dots, qr.module_dots), dtype=np.uint8))
    left = (width_dots - qr.dots) // 2
    picture = Image.fromarray(255 - 255 * np.pad(black, ((0, 0), (left, 0))))
    printer.set(align="left", bold=False, invert=False, normal_textsize=True)
    printer.image(picture, impl="bitImageRaster", fragment_height=RASTER_ROWS)
