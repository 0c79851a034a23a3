"""What happens to a strip when the printer, its paper, its power or its cable does not behave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image

from firmware.forms.loader import shipped_layouts
from firmware.messages import LANGUAGES, sentence
from firmware.receipt.escpos_printer import PROFILES, EscposPrinter, Patience, judge, receipt_commands
from firmware.receipt.layout import compose
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.strip import Code, ReceiptLayout
from tests.simulators.paper_roll import PAPER_DOTS, picture
from tests.simulators.printer import SimulatedPrinter
from tests.strips import PLACE, PPWP_2024, stored

FORM = shipped_layouts()["c.hasil-ppwp-2024"]
RECORD = stored(FORM, PPWP_2024)
BAUD = 4_000_000
FAST = {"baud": BAUD, "mm_per_second": 10_000.0}
"""A printer far faster than a real one, so that the tests are."""
HURRIED = Patience(answer_s=0.5, stall_s=1.0, finish_s=10.0)
TEXT_PART_MM = 150.0
"""Into the strip: among the votes."""
CODE_PART_MM = 320.0
"""Into the strip: inside the QR code, which is longer than the printer's buffer."""


def receipt(dots: int = 576) -> ReceiptLayout:
    return compose(RECORD, FORM, PLACE, 1, 5, False, dots)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter(tmp_path, **FAST) as simulated:
        yield simulated


@pytest.fixture
def printer(machine: SimulatedPrinter) -> Iterator[EscposPrinter]:
    driver = EscposPrinter(machine.device, BAUD, patience=HURRIED)
    yield driver
    driver.close()


def code_on(path: Path) -> list[str]:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return [found.text for found in zxingcpp.read_barcodes(grey)]


def test_the_code_on_the_paper_is_not_the_signed_one(machine: SimulatedPrinter, printer: EscposPrinter) -> None:
    assert printer.print(receipt()) == PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY)
    (strip,) = machine.strips
    assert strip.whole
    assert strip.path is not None
    assert Image.open(strip.path).width == PAPER_DOTS[576]
    assert code_on(strip.path) == [receipt().receipt.code]
    assert machine.lost == 0
    assert not machine.engine.unknown, "the printer met bytes that it does not know"


def test_the_small_paper_has_no_cutter(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, 384, **FAST) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
        assert printer.print(receipt(384)).printed is Printed.CONFIRMED
        printer.close()
        assert machine.strips == []
        path = machine.tear_off().path
    assert path is not None
    assert code_on(path) == [receipt(384).receipt.code]


def test_two_strips_run_into_each_other(machine: SimulatedPrinter, printer: EscposPrinter) -> None:
    for _ in range(2):
        assert printer.print(receipt()).printed is Printed.CONFIRMED
    first, second = machine.strips
    assert np.array_equal(first.dots, second.dots)


@pytest.mark.parametrize(
    "at_mm", [pytest.param(TEXT_PART_MM, id="among the votes"), pytest.param(CODE_PART_MM, id="in the code")]
)
def test_paper_runs_out_while_printing(tmp_path: Path, at_mm: float) -> None:
    with SimulatedPrinter(tmp_path, paper_mm=at_mm, near_end_mm=100, **FAST) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
        assert printer.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, PrinterStatus.PAPER_OUT)
        assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.PAPER_OUT)
        machine.load_paper(50_000)
        assert printer.status() is PrinterStatus.READY
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
    torn, whole = machine.strips
    assert not torn.whole
    assert whole.path is not None
    assert code_on(whole.path) == [receipt().receipt.code]


def test_new_paper_lets_loose_the_rest_of_the_old_strip(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, paper_mm=TEXT_PART_MM, **FAST) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
        assert printer.print(receipt()).printed is Printed.DOUBTFUL
        machine.load_paper(50_000)
        assert printer.status() is PrinterStatus.READY
        assert not machine.roll.tear_out().any(), "something was printed that nobody asked for"
        printer.close()


def test_paper_is_low(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, paper_mm=2_000, near_end_mm=5_000, **FAST) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
        assert printer.print(receipt()) == PrintOutcome(Printed.CONFIRMED, PrinterStatus.PAPER_LOW)
        printer.close()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("cover_open", PrinterStatus.COVER_OPEN),
        ("overheated", PrinterStatus.OVERHEATED),
        ("cutter_broken", PrinterStatus.FAULT),
        ("silent", PrinterStatus.FAULT),
        ("garbled", PrinterStatus.FAULT),
    ],
)
def test_a_printer_that_cannot_print_gets_no_byte_of_the_strip(
    machine: SimulatedPrinter, printer: EscposPrinter, fault: str, status: PrinterStatus
) -> None:
    setattr(machine, fault, True)
    assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, status)
    assert machine.received <= 4 * len(b"\x10\x04\x01"), "more than the four questions"
    setattr(machine, fault, False)
    assert printer.status() is PrinterStatus.READY


@pytest.mark.parametrize(
    ("fault", "status", "at_mm"),
    [
        ("cover_open", PrinterStatus.COVER_OPEN, TEXT_PART_MM),
        ("overheated", PrinterStatus.OVERHEATED, CODE_PART_MM),
        ("silent", PrinterStatus.FAULT, TEXT_PART_MM),
        ("garbled", PrinterStatus.FAULT, CODE_PART_MM),
    ],
)
def test_the_printer_stops_in_the_middle(
    machine: SimulatedPrinter, printer: EscposPrinter, fault: str, status: PrinterStatus, at_mm: float
) -> None:
    machine.at_mm(at_mm, lambda: setattr(machine, fault, True))
    assert printer.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, status)


@pytest.mark.parametrize("at_mm", [TEXT_PART_MM, CODE_PART_MM])
def test_the_power_goes_in_the_middle_of_a_line(
    machine: SimulatedPrinter, printer: EscposPrinter, at_mm: float
) -> None:
    machine.at_mm(at_mm, machine.power_off)
    assert printer.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, PrinterStatus.FAULT)
    machine.power_on()
    machine.tear_off()
    assert printer.print(receipt()).printed is Printed.CONFIRMED
    path = machine.strips[-1].path
    assert path is not None
    assert code_on(path) == [receipt().receipt.code]


@pytest.mark.parametrize("at_mm", [TEXT_PART_MM, CODE_PART_MM])
def test_the_power_blinks_and_the_rest_comes_out_as_garbage(machine: SimulatedPrinter, at_mm: float) -> None:
    printer = EscposPrinter(machine.device, BAUD, patience=Patience(0.5, 1.0, finish_s=2.0))

    def blink() -> None:
        machine.power_off()
        Timer(0.2, machine.power_on).start()

    machine.at_mm(at_mm, blink)
    assert printer.print(receipt()).printed is Printed.DOUBTFUL
    printer.close()


def test_the_cutter_jams_at_the_very_end(machine: SimulatedPrinter, printer: EscposPrinter) -> None:
    whole = sum(len(strip.dots) for strip in _printed_alone()) / 8
    machine.at_mm(whole - 5, lambda: setattr(machine, "cutter_broken", True))
    assert printer.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, PrinterStatus.FAULT)


def _printed_alone() -> list[object]:
    with SimulatedPrinter(**FAST) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
        printer.print(receipt())
        printer.close()
        return list(machine.strips)


def test_the_cable_is_pulled(tmp_path: Path) -> None:
    machine = SimulatedPrinter(tmp_path, **FAST)
    printer = EscposPrinter(machine.device, BAUD, patience=HURRIED)
    assert printer.status() is PrinterStatus.READY
    machine.close()
    assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT)


def test_there_is_no_printer(tmp_path: Path) -> None:
    printer = EscposPrinter(str(tmp_path / "ttyUSB0"))
    assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT)


def test_a_slow_printer_is_not_overrun(tmp_path: Path) -> None:
    """The line is much faster than the paper: the buffer fills and XOFF has to be heeded."""
    with SimulatedPrinter(tmp_path, baud=BAUD, mm_per_second=400) as machine:
        printer = EscposPrinter(machine.device, BAUD, patience=Patience(0.5, 5.0, 10.0))
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
        assert machine.lost == 0
    (strip,) = machine.strips
    assert strip.path is not None
    assert code_on(strip.path) == [receipt().receipt.code]


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((0x12, 0x12, 0x12, 0x12), PrinterStatus.READY),
        ((0x12, 0x12, 0x12, 0x1E), PrinterStatus.PAPER_LOW),
        ((0x1A, 0x32, 0x12, 0x7E), PrinterStatus.PAPER_OUT),
        ((0x1A, 0x36, 0x12, 0x7E), PrinterStatus.COVER_OPEN),
        ((0x1A, 0x52, 0x52, 0x12), PrinterStatus.OVERHEATED),
        ((0x1A, 0x52, 0x1A, 0x12), PrinterStatus.FAULT),
        ((0x1A, 0x52, 0x32, 0x12), PrinterStatus.FAULT),
        ((0x1A, 0x12, 0x12, 0x12), PrinterStatus.OFFLINE),
        ((0x12, 0x12, 0x12, 0x00), PrinterStatus.FAULT),
        ((0xFF, 0x12, 0x12, 0x12), PrinterStatus.FAULT),
    ],
)
def test_status_bytes_mean_something_else(answers: tuple[int, int, int, int], status: PrinterStatus) -> None:
    assert judge(*answers) is status


def test_every_status_has_a_sentence() -> None:
    for status in PrinterStatus:
        assert len({sentence(f"printer.{status}", language) for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("dots", PROFILES)
def test_a_question_comes_in_the_middle_of_a_command(dots: int) -> None:
    """The driver asks between the pieces it is given: each must be whole, and none may hold up the question."""
    commands = receipt_commands(receipt(dots))
    rasters = [command for command in commands if command.startswith(b"\x1dv0")]
    for raster in rasters:
        wide, high = int.from_bytes(raster[4:6], "little"), int.from_bytes(raster[6:8], "little")
        assert len(raster) == 8 + wide * high
    (code,) = (element.qr for element in receipt(dots).elements if isinstance(element, Code))
    assert sum(int.from_bytes(raster[6:8], "little") for raster in rasters) == code.dots
    assert max(map(len, commands)) < 1024


def test_a_strip_is_as_wide_as_its_paper() -> None:
    for dots, paper in PAPER_DOTS.items():
        assert picture(np.zeros((8, dots), np.uint8)).size == (paper, 8)
