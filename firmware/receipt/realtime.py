"""What printers answer to a question about their state: ESC/POS real-time status, byte by byte. Pure.

Sources: Epson's ESC/POS command reference, DLE EOT n, GS r n.
"""

from __future__ import annotations

from firmware.receipt.printer import PrinterStatus

PRINTER, OFFLINE_CAUSE, ERROR_CAUSE, PAPER = 1, 2, 3, 4
"""The n of DLE EOT."""

MILESTONE = b"\x1dr\x01"
"""GS r 1: answered when the printer gets there."""

_OFFLINE = 0x08
_COVER_OPEN = 0x04
_STOPPED_BY_PAPER_END = 0x20
_CUTTER_OR_UNRECOVERABLE = 0x08 | 0x20
_RECOVERS_BY_ITSELF = 0x40
_PAPER_ABSENT = 0x60
_PAPER_NEAR_END = 0x0C
_PAPER_GONE = 0x0C
"""In an answer to GS r 1, where the bits stand elsewhere."""


def question(number: int) -> bytes:
    """DLE EOT `number`: answered at once, whatever the printer does."""
    return b"\x10\x04" + bytes([number])


def judge(printer: int, offline_cause: int, error_cause: int, paper: int) -> PrinterStatus:
    """One status from the answers to DLE EOT 1 to 4: what a person has to do first. Nonsense is a fault."""
    if not all(map(is_answer, (printer, offline_cause, error_cause, paper))):
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


def is_answer(answer: int) -> bool:
    """Whether this may be an answer to DLE EOT: those have fixed bits, 0xx1xx10."""
    return answer & 0x93 == 0x12


def is_offline(answer: int) -> bool:
    """Whether an answer to DLE EOT 1 says that it does not print."""
    return bool(answer & _OFFLINE)


def is_passed(answer: int) -> bool:
    """Whether this may be an answer to MILESTONE: those have fixed bits, 0xx0xxxx."""
    return answer & 0x90 == 0


def is_paper_gone(answer: int) -> bool:
    """Whether an answer to MILESTONE says that the paper ended."""
    return bool(answer & _PAPER_GONE)
