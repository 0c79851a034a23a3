"""What happens to a strip when the printer, its paper, its power or its cable does not behave."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer
from typing import Literal

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image

from firmware.config import FlowControl, PrinterConfig, PrinterDriver
from firmware.errors import LayoutRefused
from firmware.forms.loader import shipped_layouts
from firmware.messages import LANGUAGES, sentence
from firmware.receipt.connecting import printer_of
from firmware.receipt.conversation import POLL_BYTES, Patience
from firmware.receipt.escpos_printer import EscposPrinter, profile_of, receipt_commands
from firmware.receipt.layout import compose
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.realtime import judge
from firmware.receipt.strip import Code, Line, ReceiptLayout
from firmware.receipt.wire import open_usb
from tests.simulators.paper_roll import PAPER_DOTS, picture
from tests.simulators.printer import SimulatedPrinter, Strip
from tests.strips import PLACE, PPWP_2024, stored

FORM = shipped_layouts()["c.hasil-ppwp-2024"]
RECORD = stored(FORM, PPWP_2024)
BAUD = 4_000_000
FAST = {"baud": BAUD, "mm_per_second": 10_000.0}
"""A printer far faster than a real one, so that the tests are."""
PATIENT = Patience(answer_s=1.5, stall_s=30.0, finish_s=60.0)
"""For printers that answer: on a busy machine that runs tests, too."""
HURRIED = Patience(answer_s=0.5, stall_s=1.0, finish_s=10.0)
"""For printers that fall silent."""
SILENT = ("silent", "garbled")
"""Faults after which nothing is heard that means anything."""
TEXT_PART_MM = 150.0
"""Into the strip: among the votes."""
CODE_PART_MM = 320.0
"""Into the strip: inside the QR code, which is longer than the printer's buffer."""


def receipt(dots: int = 576) -> ReceiptLayout:
    return compose(RECORD, FORM, PLACE, 1, 5, False, dots)


def driver_of(
    device: str, dots: Literal[576, 384] = 576, profile: str = "", patience: Patience = PATIENT
) -> EscposPrinter:
    config = PrinterConfig(PrinterDriver.ESCPOS_SERIAL, device, BAUD, profile=profile, width_dots=dots)
    return printer_of(config, patience)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter(tmp_path, **FAST) as simulated:
        yield simulated


@pytest.fixture
def printer(machine: SimulatedPrinter) -> Iterator[EscposPrinter]:
    driver = driver_of(machine.device)
    yield driver
    driver.close()


@pytest.fixture
def hurried(machine: SimulatedPrinter) -> Iterator[EscposPrinter]:
    driver = driver_of(machine.device, patience=HURRIED)
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


@pytest.mark.parametrize("profile", ["TM-T20II", "TH230"], ids=["drawn by the printer", "sent as a picture"])
def test_a_code_is_drawn_otherwise_than_it_was_meant(tmp_path: Path, profile: str) -> None:
    with SimulatedPrinter(tmp_path, **FAST) as machine:
        printer = driver_of(machine.device, profile=profile)
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
        (strip,) = machine.strips
        assert strip.path is not None
        assert code_on(strip.path) == [receipt().receipt.code]
        assert not machine.engine.unknown


def test_the_small_paper_has_no_cutter(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, 384, **FAST) as machine:
        printer = driver_of(machine.device, 384)
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
        printer = driver_of(machine.device)
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
        printer = driver_of(machine.device)
        assert printer.print(receipt()).printed is Printed.DOUBTFUL
        machine.load_paper(50_000)
        assert printer.status() is PrinterStatus.READY
        assert not machine.roll.tear_out().any(), "something was printed that nobody asked for"
        printer.close()


def test_paper_is_low(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, paper_mm=2_000, near_end_mm=5_000, **FAST) as machine:
        printer = driver_of(machine.device)
        assert printer.print(receipt()) == PrintOutcome(Printed.CONFIRMED, PrinterStatus.PAPER_LOW)
        printer.close()


def test_what_hangs_in_the_printer_becomes_part_of_the_next_strip(
    machine: SimulatedPrinter, printer: EscposPrinter
) -> None:
    """A station that was killed leaves a command without its end, and half a strip that is not cut off."""
    with Path(machine.device).open("wb", buffering=0) as line:
        line.write(b"half a strip\n" * 9 + b"\x1dv0\0\x48\0\x0c\0 and a picture that lacks most of its da")
    assert printer.clear() is PrinterStatus.READY
    assert printer.print(receipt()).printed is Printed.CONFIRMED
    _, whole = machine.strips
    assert whole.path is not None
    assert code_on(whole.path) == [receipt().receipt.code]
    assert np.array_equal(whole.dots, _printed_alone()[0].dots)


def test_a_silent_printer_cannot_be_cleared(machine: SimulatedPrinter, hurried: EscposPrinter) -> None:
    machine.silent = True
    assert hurried.clear() is PrinterStatus.FAULT


def test_long_black_overheats_the_head_and_it_recovers(tmp_path: Path) -> None:
    black = (Line(" " * 48, inverse=True, height=8),) * 8
    with SimulatedPrinter(tmp_path, cooling_s=0.3, **FAST) as machine:
        printer = driver_of(machine.device)
        layout = ReceiptLayout(receipt().receipt, 576, black)
        assert printer.print(layout).printed is Printed.DOUBTFUL
        for _ in range(50):
            if printer.status() is PrinterStatus.READY:
                break
            time.sleep(0.1)
        assert printer.clear() is PrinterStatus.READY
        assert printer.print(receipt()).printed is Printed.CONFIRMED, "the banners of a rehearsal are too black"
        printer.close()


@pytest.mark.parametrize("seed", range(2))
def test_static_on_the_line_outlives_the_strip(tmp_path: Path, seed: int) -> None:
    with SimulatedPrinter(tmp_path, seed=seed, **FAST) as machine:
        disturbed = driver_of(machine.device, patience=Patience(0.2, 0.5, 2.0))
        machine.static = 0.002
        disturbed.print(receipt())
        disturbed.close()
        machine.static = 0.0
        printer = driver_of(machine.device)
        assert printer.clear() is PrinterStatus.READY
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
        path = machine.strips[-1].path
    assert path is not None
    assert code_on(path) == [receipt().receipt.code]


def test_nobody_heeds_the_flow_control(tmp_path: Path) -> None:
    """More is never sent ahead than fits the buffer, although the line is much faster than the paper."""
    with SimulatedPrinter(tmp_path, baud=BAUD, mm_per_second=400, xonxoff=False) as machine:
        config = PrinterConfig(PrinterDriver.ESCPOS_SERIAL, machine.device, BAUD, FlowControl.NONE, profile="TH230")
        printer = printer_of(config, PATIENT)
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
        assert machine.lost == 0


def test_a_printer_on_usb_prints(tmp_path: Path) -> None:
    machine = SimulatedPrinter(tmp_path, xonxoff=False, **FAST)
    device = plugged_in(tmp_path, machine.device)
    printer, hurried = (
        EscposPrinter(lambda: open_usb(0x04B8, 0x0E15, 1.0, *device), profile_of("", 576), patience)
        for patience in (PATIENT, HURRIED)
    )
    assert printer.print(receipt()) == PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY)
    machine.close()
    assert hurried.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT)
    other = EscposPrinter(lambda: open_usb(0x04B8, 0x0202, 1.0, *device), profile_of("", 576), HURRIED)
    assert other.status() is PrinterStatus.FAULT


def plugged_in(folder: Path, line: str) -> tuple[Path, Path]:
    """What the kernel shows of a printer on USB: the list of printers, and the folder of their devices."""
    interface = folder / "usb" / "1-1" / "1-1:1.0"
    interface.mkdir(parents=True)
    (interface.parent / "idVendor").write_text("04b8\n")
    (interface.parent / "idProduct").write_text("0e15\n")
    listed, devices = folder / "usbmisc", folder / "dev"
    (listed / "lp0").mkdir(parents=True)
    (listed / "lp0" / "device").symlink_to(interface)
    devices.mkdir()
    (devices / "lp0").symlink_to(line)
    return listed, devices


def test_a_printer_on_the_network_prints(tmp_path: Path) -> None:
    with SimulatedPrinter(tmp_path, xonxoff=False, **FAST) as machine, socket.create_server(("127.0.0.1", 0)) as server:
        bridge = Thread(target=carry, args=(server, machine.device, 2))
        bridge.start()
        config = PrinterConfig(PrinterDriver.ESCPOS_NETWORK, f"127.0.0.1:{server.getsockname()[1]}")
        printer = printer_of(config, PATIENT)
        assert printer.status() is PrinterStatus.READY
        with printer._conversation() as conversation:
            conversation.send(receipt_commands(receipt(), profile_of("", 576)))
        bridge.join()
    (strip,) = machine.strips
    assert strip.path is not None
    assert code_on(strip.path) == [receipt().receipt.code]
    assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT), "nobody listens any more"


def carry(server: socket.socket, line: str, times: int) -> None:
    """What a printer's network card does, for so many connections."""
    for _ in range(times):
        connection, _ = server.accept()
        with connection, Path(line).open("r+b", buffering=0) as file:
            while True:
                ready = select.select([connection, file], [], [])[0]
                if file in ready:
                    connection.sendall(os.read(file.fileno(), 64))
                if connection in ready:
                    data = connection.recv(64)
                    if not data:
                        break
                    file.write(data)


@pytest.mark.parametrize("name", ["no-such-printer", "TM-T88V", "OCD-300", "RP326"])
def test_a_profile_that_cannot_print_this_paper(name: str) -> None:
    with pytest.raises(LayoutRefused, match="printer-profile"):
        profile_of(name, 576)


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
    machine: SimulatedPrinter, printer: EscposPrinter, hurried: EscposPrinter, fault: str, status: PrinterStatus
) -> None:
    setattr(machine, fault, True)
    assert (hurried if fault in SILENT else printer).print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, status)
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
    machine: SimulatedPrinter,
    printer: EscposPrinter,
    hurried: EscposPrinter,
    fault: str,
    status: PrinterStatus,
    at_mm: float,
) -> None:
    machine.at_mm(at_mm, lambda: setattr(machine, fault, True))
    assert (hurried if fault in SILENT else printer).print(receipt()) == PrintOutcome(Printed.DOUBTFUL, status)


@pytest.mark.parametrize("at_mm", [TEXT_PART_MM, CODE_PART_MM])
def test_the_power_goes_in_the_middle_of_a_line(
    machine: SimulatedPrinter, printer: EscposPrinter, hurried: EscposPrinter, at_mm: float
) -> None:
    machine.at_mm(at_mm, machine.power_off)
    assert hurried.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, PrinterStatus.FAULT)
    machine.power_on()
    machine.tear_off()
    assert printer.print(receipt()).printed is Printed.CONFIRMED
    path = machine.strips[-1].path
    assert path is not None
    assert code_on(path) == [receipt().receipt.code]


def test_the_power_blinks_and_the_rest_comes_out_as_garbage(machine: SimulatedPrinter) -> None:
    printer = driver_of(machine.device, patience=Patience(0.5, 1.0, finish_s=2.0))

    def blink() -> None:
        machine.power_off()
        Timer(0.2, machine.power_on).start()

    machine.at_mm(TEXT_PART_MM, blink)
    assert printer.print(receipt()).printed is Printed.DOUBTFUL
    printer.close()


def test_the_cutter_jams_at_the_very_end(machine: SimulatedPrinter, printer: EscposPrinter) -> None:
    whole = sum(len(strip.dots) for strip in _printed_alone()) / 8
    machine.at_mm(whole - 5, lambda: setattr(machine, "cutter_broken", True))
    assert printer.print(receipt()) == PrintOutcome(Printed.DOUBTFUL, PrinterStatus.FAULT)


def _printed_alone() -> list[Strip]:
    with SimulatedPrinter(**FAST) as machine:
        printer = driver_of(machine.device)
        printer.print(receipt())
        printer.close()
        return list(machine.strips)


def test_the_cable_is_pulled(tmp_path: Path) -> None:
    machine = SimulatedPrinter(tmp_path, **FAST)
    printer = driver_of(machine.device)
    assert printer.status() is PrinterStatus.READY
    machine.close()
    hurried = driver_of(machine.device, patience=HURRIED)
    assert hurried.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT)


def test_there_is_no_printer(tmp_path: Path) -> None:
    printer = driver_of("/dev/ttyNOT0")
    assert printer.print(receipt()) == PrintOutcome(Printed.NOT_PRINTED, PrinterStatus.FAULT)


def test_a_slow_printer_is_not_overrun(tmp_path: Path) -> None:
    """The line is much faster than the paper: the buffer fills and XOFF has to be heeded."""
    with SimulatedPrinter(tmp_path, baud=BAUD, mm_per_second=400) as machine:
        printer = driver_of(machine.device, patience=PATIENT)
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


@pytest.mark.parametrize(("dots", "profile"), [(576, "TH230"), (384, "POS-5890"), (576, "TM-T20II")])
def test_a_question_comes_in_the_middle_of_a_command(dots: int, profile: str) -> None:
    """The driver asks between the pieces it is given: each must be whole, and none may hold up the question."""
    commands = receipt_commands(receipt(dots), profile_of(profile, dots))
    rasters = [command for command in commands if command.startswith(b"\x1dv0")]
    for raster in rasters:
        wide, high = int.from_bytes(raster[4:6], "little"), int.from_bytes(raster[6:8], "little")
        assert len(raster) == 8 + wide * high
    (code,) = (element.qr for element in receipt(dots).elements if isinstance(element, Code))
    assert 2 * sum(int.from_bytes(raster[6:8], "little") for raster in rasters) in (0, code.dots)
    assert max(map(len, commands)) < POLL_BYTES


def test_a_strip_is_as_wide_as_its_paper() -> None:
    for dots, paper in PAPER_DOTS.items():
        assert picture(np.zeros((8, dots), np.uint8)).size == (paper, 8)


def test_the_question_is_still_on_its_way_when_an_older_answer_comes(tmp_path: Path) -> None:
    """On a slow line half a second of strip lies between a question and the printer."""
    with SimulatedPrinter(tmp_path, baud=19_200, mm_per_second=10_000) as machine:
        config = PrinterConfig(PrinterDriver.ESCPOS_SERIAL, machine.device, 19_200)
        printer = printer_of(config, Patience(answer_s=0.2, stall_s=1.0, finish_s=5.0))
        assert printer.print(receipt()).printed is Printed.CONFIRMED
        printer.close()
