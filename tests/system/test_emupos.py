"""Our bytes, read by a renderer that nobody here wrote: emupos, in its own environment (emupos_venv.sh)."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
import zxingcpp

from firmware.config import PrinterConfig, PrinterDriver
from firmware.forms.loader import shipped_layouts
from firmware.receipt.connecting import printer_of
from firmware.receipt.conversation import Patience
from firmware.receipt.day import compose_closing
from firmware.receipt.layout import compose
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.strip import ReceiptLayout
from tests.strips import PLACE, PPWP_2024, stored
from tests.test_receipt_day import CLOSING

pytestmark = pytest.mark.system

EMUPOS = Path(__file__).parents[2] / "build" / "emupos" / "bin" / "emupos"
START_S = 30.0
"""For the emulator to start on a busy machine, and to notice that its line was opened: it hears nothing before."""


@dataclass(frozen=True)
class Emulator:
    """A running emupos with one printer, "kiosk"."""

    folder: Path
    api: str

    @property
    def device(self) -> Path:
        return self.folder / "emupos" / "kiosk"

    def config(self, profile: str = "") -> PrinterConfig:
        return PrinterConfig(PrinterDriver.ESCPOS_SERIAL, str(self.device), baud=9600, profile=profile)

    def fault(self, action: str, fault: str) -> None:
        subprocess.run([EMUPOS, "--api", self.api, "fault", action, "kiosk", fault], check=True, capture_output=True)

    def pictures(self) -> list[Path]:
        return sorted((self.folder / "receipts").rglob("*.png"))


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    if not EMUPOS.exists():
        pytest.skip("emupos is not installed: bash tests/system/emupos_venv.sh says why")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "emupos.yaml"
    config.write_text(
        f"schema: 1\napi: {{ host: 127.0.0.1, port: {port} }}\ndevices:\n"
        "  - { id: kiosk, type: printer, profile: xprinter-xp80t, connections: [serial: { pty: true }],"
        f" receipts_dir: {tmp_path / 'receipts'} }}\n"
    )
    running = subprocess.Popen(
        [EMUPOS, "run", "--config", config],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    emulator = Emulator(tmp_path, f"http://127.0.0.1:{port}")
    try:
        _until(emulator.device.exists)
        yield emulator
    finally:
        running.terminate()
        running.wait()


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < deadline, "the emulator does not do its part"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def receipt() -> ReceiptLayout:
    form = shipped_layouts()["c.hasil-ppwp-2024"]
    return compose(stored(form, PPWP_2024), form, PLACE, 1, 5, False, 576)


@pytest.mark.parametrize("profile", ["TM-T20II", "TH230"], ids=["drawn by the printer", "sent as a picture"])
@pytest.mark.parametrize("name", ["record", "closing"])
def test_the_code_decodes_from_a_foreign_rendering(
    emulator: Emulator, receipt: ReceiptLayout, name: str, profile: str
) -> None:
    layout = receipt if name == "record" else compose_closing(CLOSING, 1, 1, False, 576)
    printer = printer_of(emulator.config(profile))
    _until(lambda: printer.status() is PrinterStatus.READY)
    outcome = printer.print(layout)
    printer.close()
    assert outcome == PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY)
    _until(emulator.pictures)
    (path,) = emulator.pictures()
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [layout.receipt.code]


@pytest.mark.parametrize(
    ("fault", "status"), [("paper-out", PrinterStatus.PAPER_OUT), ("cover-open", PrinterStatus.COVER_OPEN)]
)
def test_a_foreign_printer_cannot_print(
    emulator: Emulator, receipt: ReceiptLayout, fault: str, status: PrinterStatus
) -> None:
    printer = printer_of(emulator.config(), Patience(stall_s=3, finish_s=5))
    _until(lambda: printer.status() is PrinterStatus.READY)
    emulator.fault("set", fault)
    assert printer.print(receipt) == PrintOutcome(Printed.NOT_PRINTED, status)
    emulator.fault("clear", fault)
    assert printer.status() is PrinterStatus.READY
    printer.close()
