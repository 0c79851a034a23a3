"""What is said to a printer and what it answers, over an open line.

python-escpos takes a printer's silence for "paper present"; here silence is a fault, and so is an answer that is not a
status byte. Status is asked in real time (DLE EOT n), before the first byte of a strip and again after every
POLL_BYTES, always between two commands: inside one, a printer takes the question for data. Milestones (GS r 1) stand in
the stream, the last one after the cut, and are answered when the printer gets there: the strip is confirmed when all
are answered. A printer that lost power in between has lost those in its buffer.
Sources: Epson's ESC/POS command reference, DLE EOT, GS r, DLE DC4 fn 8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from firmware.receipt.printer import PrinterStatus
from firmware.receipt.realtime import (
    ERROR_CAUSE,
    MILESTONE,
    OFFLINE_CAUSE,
    PAPER,
    PRINTER,
    is_answer,
    is_offline,
    is_paper_gone,
    is_passed,
    judge,
    question,
)
from firmware.receipt.wire import Stopped, Wire

POLL_BYTES = 1024
"""After so many bytes stands a milestone, and the printer is asked whether it still prints: a second at 9600 baud, a
quarter of a common printer's buffer."""

AHEAD = 2
"""Milestones that may be unanswered while more is sent: three quarters of a common printer's buffer (4 kB), so that it
is not overrun even where nobody heeds the line's flow control."""

POLL_S = 0.1
"""Between two questions while only waiting."""

BITS_PER_BYTE = 10
"""On a serial line: start, eight data bits, stop."""

_CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 fn 8: forget what was sent, so that new paper does not let loose the rest of a strip."""

_FILLING = bytes(POLL_BYTES)
"""No command of ours is longer: this ends one that was cut off in its data. Outside of a command it means nothing."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    answer_s: float = 1.0
    """For a real-time answer; printers answer within milliseconds."""
    stall_s: float = 10.0
    """For the printer to take more bytes: a full buffer of 4 kB of text is 6 s of printing at 50 mm/s."""
    finish_s: float = 30.0
    """From the last byte to the answer after the cut: a strip of 1 m at 50 mm/s, with room."""


class Conversation:
    """Speaks over `wire`. Every call raises Stopped when the printer no longer does its part."""

    def __init__(self, wire: Wire, patience: Patience, monotonic: Callable[[], float]) -> None:
        self._wire = wire
        self._patience = patience
        self._monotonic = monotonic

    def status(self) -> PrinterStatus:
        """How the printer is now. Raises Stopped when it is silent."""
        while self._wire.read(0.0):  # answers to questions of before
            pass
        answers = []
        for number in (PRINTER, OFFLINE_CAUSE, ERROR_CAUSE, PAPER):
            self._wire.write(question(number))
            answers.append(self._byte(self._patience.answer_s))
        return judge(*answers)

    def send(self, commands: Sequence[bytes]) -> None:
        """Sends a strip, and waits until the printer has answered behind its last command."""
        unasked = missing = 0
        for command in commands:
            self._wire.write(command)
            unasked += len(command)
            if unasked >= POLL_BYTES:
                self._wire.write(MILESTONE + question(PRINTER))
                missing += 1 - self._milestones(self._patience.stall_s + self._transit_s(unasked))
                missing = self._wait_for_milestones(missing, AHEAD, 0.0)
                unasked = 0
        self._wire.write(MILESTONE)
        self._wait_for_milestones(missing + 1, 0, self._transit_s(unasked))

    def stop(self) -> None:
        """Takes back what the printer has not printed yet."""
        self._wire.forget()
        self._wire.write(_CLEAR_BUFFERS)
        time.sleep(self._transit_s(2 * POLL_BYTES))
        self._hear_out()

    def end_command(self) -> None:
        """Ends a command that was cut off, whose printer would take the next strip for its data."""
        self._wire.write(_FILLING)

    def _wait_for_milestones(self, missing: int, allowed: int, transit_s: float) -> int:
        """Asks until not more than `allowed` of the `missing` answers are missing. How many are."""
        until = self._monotonic() + self._patience.finish_s + transit_s
        while missing > allowed:
            if self._monotonic() > until:
                raise Stopped("late")
            time.sleep(POLL_S)
            self._wire.write(question(PRINTER))
            missing -= self._milestones(self._patience.stall_s)
        return missing

    def _milestones(self, timeout_s: float) -> int:
        """Reads up to the real-time answer, which must say that it prints and come within `timeout_s`: the question may
        still be on its way behind what was sent before. How many milestones came before it."""
        passed = 0
        until = self._monotonic() + timeout_s
        answer = self._byte(timeout_s)
        while is_passed(answer):
            if is_paper_gone(answer):
                raise Stopped("paper")
            passed += 1
            answer = self._byte(max(until - self._monotonic(), 0.0))
        if not is_answer(answer) or is_offline(answer):
            raise Stopped("offline")
        return passed

    def _byte(self, timeout_s: float) -> int:
        """The next byte from the printer; silence ends the conversation."""
        answer = self._wire.read(timeout_s)
        if not answer:
            raise Stopped("silent")
        return answer[0]

    def _hear_out(self) -> None:
        """Reads until it is quiet: answers to old questions would be taken for answers to the next ones."""
        until = self._monotonic() + self._patience.stall_s
        while self._wire.read(self._patience.answer_s) and self._monotonic() < until:
            pass

    def _transit_s(self, count: int) -> float:
        """How long `count` bytes are on their way."""
        return count * BITS_PER_BYTE / self._wire.bits_per_second if self._wire.bits_per_second else 0.0
