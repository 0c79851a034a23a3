"""What becomes of the strips of a document when something or somebody interrupts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware.errors import LedgerRefused
from firmware.ledger.printing import PrintState, opening_name, record_name
from firmware.ledger.store import Ledger
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipts import INTERRUPTED, Document, Receipts, opening_document
from tests.kiosks import PaperPrinter
from tests.test_receipt_day import OPENING

NOW = datetime(2029, 2, 14, 14, 0, tzinfo=UTC)
DOUBTFUL = PrintOutcome(Printed.DOUBTFUL, PrinterStatus.READY)
DAY = "2029-02-14"
NAME = opening_name(DAY)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path, clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def printer() -> PaperPrinter:
    return PaperPrinter()


@pytest.fixture
def receipts(ledger: Ledger, printer: PaperPrinter) -> Receipts:
    return Receipts(ledger, printer)


def document(copies: int = 3) -> Document:
    return opening_document(DAY, lambda: OPENING, copies, 576)


def out(printer: PaperPrinter) -> list[tuple[int, bool]]:
    return [(strip.receipt.copy, strip.receipt.reprint) for strip in printer.out]


def printed(receipts: Receipts, again: bool = False, copies: int = 3) -> str | None:
    return receipts.print(document(copies), again, lambda: None)


def test_every_copy_once(receipts: Receipts, printer: PaperPrinter) -> None:
    assert printed(receipts) is None
    assert printed(receipts) is None
    assert out(printer) == [(1, False), (2, False), (3, False)]
    assert receipts.printed(NAME) == 3


def test_copies_printed_again_are_marked(receipts: Receipts, printer: PaperPrinter) -> None:
    printed(receipts)
    assert printed(receipts, again=True) is None
    assert out(printer)[3:] == [(1, True), (2, True), (3, True)]
    assert receipts.printed(NAME) == 3


def test_one_more_witness_comes(receipts: Receipts, printer: PaperPrinter) -> None:
    printed(receipts)
    assert printed(receipts, copies=4) is None
    assert out(printer)[3:] == [(4, False)]


def test_nothing_is_printed_while_a_strip_is_in_doubt(receipts: Receipts, printer: PaperPrinter) -> None:
    printer.outcomes = [PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY), DOUBTFUL]
    assert printed(receipts) == INTERRUPTED
    for again in (False, True):
        assert printed(receipts, again) == INTERRUPTED
    assert out(printer) == [(1, False)]
    assert receipts.doubtful(NAME) == (2,)


def test_a_person_says_the_strip_came_out_whole(receipts: Receipts, printer: PaperPrinter) -> None:
    printer.outcomes = [DOUBTFUL]
    printed(receipts)
    receipts.answer(NAME, 1, whole=True)
    receipts.answer(NAME, 1, whole=False)
    assert receipts.doubtful(NAME) == ()
    assert printed(receipts) is None
    assert out(printer) == [(2, False), (3, False)]


def test_a_person_says_the_strip_is_torn(receipts: Receipts, printer: PaperPrinter) -> None:
    printer.outcomes = [DOUBTFUL]
    printed(receipts)
    receipts.answer(NAME, 1, whole=False)
    assert printed(receipts) is None
    assert out(printer) == [(1, True), (2, False), (3, False)]


def test_the_paper_is_out_before_anything_is_sent(receipts: Receipts, printer: PaperPrinter) -> None:
    printer.status_now = PrinterStatus.PAPER_OUT
    assert printed(receipts) == "printer.paper-out"
    printer.status_now = PrinterStatus.READY
    printer.outcomes = [PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.COVER_OPEN)]
    assert printed(receipts) == "printer.cover-open"
    assert receipts.doubtful(NAME) == (), "nothing was sent: there is nothing to ask"
    assert printed(receipts) is None
    assert out(printer) == [(1, False), (2, False), (3, False)]


def test_the_kiosk_is_killed_while_printing(tmp_path: Path, ledger: Ledger, printer: PaperPrinter) -> None:
    job = ledger.ask_print(NAME, 1, 3)
    ledger.move_print(job.id, PrintState.SENT)
    with Ledger.open(tmp_path) as after:
        after.doubt_unfinished_prints("restart")
        receipts = Receipts(after, printer)
        assert receipts.doubtful(NAME) == (1,)
        assert printed(receipts) == INTERRUPTED
        receipts.answer(NAME, 1, whole=False)
        assert printed(receipts) is None
    assert out(printer)[0] == (1, True)


def test_a_document_that_nobody_knows(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefused, match="ledger-unknown-record"):
        ledger.ask_print(record_name(bytes(32)), 1, 1)
    for nonsense in ("opening/", "receipt/1", ""):
        with pytest.raises(sqlite3.IntegrityError):
            ledger.ask_print(nonsense, 1, 1)
