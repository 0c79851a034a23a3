"""What a receipt printer is to the rest of the program. The answers come from closed sets.

`print` says what is certain about the paper, not what was sent: only a printer that answers after the cut has printed.
The sentences for people stand under `printer.<status>` in messages/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from firmware.receipt.strip import ReceiptLayout


class PrinterStatus(StrEnum):
    """How the printer is. Everything but READY and PAPER_LOW means that it does not print."""

    READY = "ready"
    PAPER_LOW = "paper-low"
    PAPER_OUT = "paper-out"
    COVER_OPEN = "cover-open"
    OVERHEATED = "overheated"
    """The head is too hot; it recovers by itself."""
    OFFLINE = "offline"
    """It answers that it does not print, and not why: the feed button, a jam it recovers from."""
    FAULT = "fault"
    """A cutter or head that needs repair; also silence and answers that make no sense."""

    @property
    def can_print(self) -> bool:
        """Whether a strip may be started."""
        return self in (PrinterStatus.READY, PrinterStatus.PAPER_LOW)


class Printed(StrEnum):
    """What is certain about the strip."""

    CONFIRMED = "confirmed"
    """The printer answered after the cut: the strip is out."""
    DOUBTFUL = "doubtful"
    """Something was sent and no answer confirms the whole: a person has to look."""
    NOT_PRINTED = "not-printed"
    """Nothing was sent."""


@dataclass(frozen=True, slots=True)
class PrintOutcome:
    """The end of one print, with the printer's status at that time."""

    printed: Printed
    status: PrinterStatus


class Printer(Protocol):
    """A printer. Every call returns within a bounded time, whatever the printer does."""

    def status(self) -> PrinterStatus:
        """How the printer is now, asked and answered now."""

    def print(self, layout: ReceiptLayout) -> PrintOutcome:
        """Print one strip and wait until the printer confirms it."""

    def clear(self) -> PrinterStatus:
        """Throw out what an interrupted strip left in the printer, and cut it off. How the printer is after that."""
