"""Broken on purpose: each thing that is wrong with a kiosk is found and named by the check that looks at it.

The table of docs/SELFTEST.md is this one; a test holds them together.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from numpy.typing import NDArray

from firmware.capture.camera import CameraFault
from firmware.config import load_config
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.records import Mode
from firmware.selftest.finding import Level, Verdict, verdict_of
from firmware.signing import enrolment
from firmware.signing.client import SignerClient
from firmware.signing.keys import DeviceClaims, Protection, key_id
from firmware.signing.signer import ClockQuality, ClockReading
from provisioning.authority import definitions
from tests import readied as rig
from tests.readied import NOW, ROOT, UNIX, BenchTop, Obliging, Readied, photograph, readied, target_sheet

DOCUMENT = ROOT / "docs" / "SELFTEST.md"
Break = Callable[[Readied], None]
READ_ONLY = "24 1 179:2 / / ro,noatime - ext4 /dev/root ro\n"
SMALL = "MemTotal: 943412 kB\nMemAvailable: 500000 kB\n"
RTC, VOLTS = "sys/class/rtc/rtc0", "sys/class/hwmon/hwmon2/in0_lcrit_alarm"
NOTHING_PRINTED = np.full((900, 300, 3), 220, np.uint8)
STUCK = PrintOutcome(Printed.DOUBTFUL, PrinterStatus.COVER_OPEN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readied]:
    with readied(tmp_path_factory.mktemp("ready")) as made:
        yield made


@pytest.fixture(scope="module")
def sheet() -> NDArray[np.uint8]:
    return target_sheet()


@pytest.fixture
def ready(whole: Readied, tmp_path: Path) -> Readied:
    """The same kiosk with a board, a configuration folder and devices of its own."""
    folder, board = tmp_path / "etc", tmp_path / "board"
    shutil.copytree(whole.folder, folder, ignore=shutil.ignore_patterns("run", "lock", "board"))
    shutil.copytree(whole.root, board, symlinks=True)
    (folder / "run").symlink_to(whole.folder / "run")
    made = replace(whole, folder=folder, bench=BenchTop(whole.bench.seen), person=Obliging())
    config = load_config(folder / "kiosk.toml")
    tree = replace(whole.kiosk.tree, root=board)
    made.change(config=config, folder=folder, tree=tree, devices=made.bench, person=made.person, tool=made.tool)
    return made


def file(name: str, text: str) -> Break:
    return lambda ready: ready.write(name, text)


def seen(spoil: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], blur: float = 0.7) -> Break:
    """The target, spoiled before it is photographed."""

    def change(ready: Readied) -> None:
        ready.bench.seen = photograph(spoil(target_sheet()), blur)

    return change


def shadow(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    light = np.linspace(1.0, 0.35, sheet.shape[1])[None, :, None]
    return np.asarray(sheet * light, np.uint8)


def covered(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    sheet[:, : sheet.shape[1] // 2] = 60
    return sheet


def clocked(unix: int, quality: ClockQuality = ClockQuality.SYNCHRONISED) -> Break:
    return lambda ready: ready.change(clock=lambda: ClockReading(unix, quality))


def states(**changes: str) -> Break:
    def change(ready: Readied) -> None:
        ready.states = rig.unit_states(**changes)

    return change


def bench(**changes: object) -> Break:
    def change(ready: Readied) -> None:
        for name, value in changes.items():
            setattr(ready.bench, name, value)

    return change


def half_installed(ready: Readied) -> None:
    (ready.root / "opt/c1kiosk/program.py").unlink()


def cut_off(ready: Readied) -> None:
    path = ready.root / "opt/c1kiosk-releases/unfinished"
    path.parent.mkdir(parents=True)
    path.write_text("upgrade 0.1.1-0123456789ab\n")


def not_installed(ready: Readied) -> None:
    (ready.root / "opt/c1kiosk/release.json").unlink()


def undervoltage(ready: Readied) -> None:
    ready.kernel = "hwmon hwmon2: Undervoltage detected!\n"


def veiled(sheet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(sheet * 0.25 + 165, np.uint8)


def without_users(ready: Readied) -> None:
    ready.write("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")


def changed_model(ready: Readied) -> None:
    """One byte, in a copy of the models."""
    shutil.copytree(ROOT / "models", ready.folder / "models", ignore=shutil.ignore_patterns("train"))
    path = ready.folder / "models" / "digits.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ready.configure(models="models")


def changed_election(ready: Readied) -> None:
    """Another definition by the same authority; the trust folder has the first."""
    data = rig.election(ready.office).replace(b"Kel. Contoh", b"Kel. Contah")
    (ready.folder / "election.cose").write_bytes(rig.signed(ready.office, data))
    ready.change(config=load_config(ready.folder / "kiosk.toml"))


def other_world(ready: Readied) -> None:
    """The kiosk is told to count for a development election; its key is of the training."""
    election = json.loads(rig.election(ready.office)) | {"mode": "development"}
    (ready.folder / "election.json").write_text(json.dumps(election))
    path = ready.folder / "kiosk.toml"
    path.write_text(path.read_text().replace("training-file", "development-file"))
    ready.configure(election="election.json")


def other_certificate(ready: Readied) -> None:
    """The trust folder knows another device."""
    wish = enrolment.make_request(
        ec.generate_private_key(ec.SECP256R1()), DeviceClaims(Mode.TRAINING, rig.SERIAL, Protection.PLAIN_FILE)
    )
    rig.write_trust(ready.folder, ready.office, rig.election(ready.office), [ready.office.device(wish)])


def stolen(ready: Readied) -> None:
    """The next edition of the definition revokes the device."""
    der = SignerClient(ready.kiosk.config.signer_socket).device().certificate
    data = definitions.revoked(rig.election(ready.office), key_id(der), 0, "stolen")
    rig.write_trust(ready.folder, ready.office, data, [x509.load_der_x509_certificate(der)])


def forgotten_records(ready: Readied) -> None:
    """A ledger with an unreadable database."""
    (ready.folder / "state/ledger/ledger.sqlite").write_bytes(b"not a database")


def swapped_card(ready: Readied) -> None:
    ready.write("proc/device-tree/serial-number", "90ab12cd34ef5678\0")


def overdue(ready: Readied) -> None:
    later = NOW + timedelta(days=4000)
    ready.change(clock=lambda: ClockReading(int(later.timestamp()), ClockQuality.SYNCHRONISED))


BROKEN: tuple[tuple[str, Break, str, str], ...] = (
    ("the card of another kiosk is in this board", swapped_card, "board", "board-swapped"),
    ("kiosk.toml names another TPS", lambda r: r.configure(tps=rig.OTHER_TPS), "assignment", "assignment-tps"),
    ("nobody assigned it", lambda r: (r.folder / "assignment.cose").unlink(), "assignment", "assignment-missing"),
    ("the certificate is of another device", other_certificate, "key", "device-unknown"),
    ("the certificate has expired", overdue, "certificate", "certificate-expired"),
    ("the certificate is not valid yet", clocked(UNIX - 10 * 86400), "certificate", "certificate-early"),
    ("the device was reported stolen", stolen, "certificate", "certificate-revoked"),
    ("the key is of another world", other_world, "key", "signer-mode"),
    ("the election definition was changed", changed_election, "election", "trust-other-election"),
    ("the ledger is damaged", forgotten_records, "ledger", "ledger-fault"),
    ("a file of the program is missing", half_installed, "release", "release-differs"),
    ("an upgrade was cut off", cut_off, "release", "release-unfinished"),
    ("the users of the services are missing", without_users, "release", "release-differs"),
    ("there is no installation at all", not_installed, "release", "release-missing"),
    ("a service does not run", states(ActiveState="failed", SubState="failed"), "units", "unit-not-active"),
    ("a service is not installed", states(LoadState="not-found"), "units", "unit-missing"),
    ("no watchdog watches a service", states(WatchdogUSec="0"), "units", "unit-not-watched"),
    ("a service falls over again and again", states(NRestarts="17"), "units", "unit-restarts"),
    ("one byte of the model is different", changed_model, "model", "model-digest"),
    ("the clock is in 1970", clocked(86400), "clock", "clock-lost"),
    ("nobody set the clock", clocked(UNIX + 3600, ClockQuality.FREE_RUNNING), "clock", "clock-not-set"),
    ("the clock's battery is low", file(f"{RTC}/battery_voltage", "2310000\n"), "battery", "rtc-battery-low"),
    ("the clock has no battery", file(f"{RTC}/battery_voltage", "1200\n"), "battery", "rtc-battery-none"),
    ("the battery clock stood still", file(f"{RTC}/since_epoch", "1735\n"), "battery", "rtc-lost"),
    ("the disk is full", lambda r: r.change(free=lambda _: 200 * 1024**2), "space", "space-low"),
    ("the disk became read-only", file("proc/self/mountinfo", READ_ONLY), "disk", "disk-read-only"),
    ("the disk has errors", file("sys/fs/ext4/mmcblk0p2/errors_count", "3\n"), "disk", "disk-errors"),
    ("the flash is worn out", file("sys/class/block/mmcblk0/device/life_time", "0x0a 0x0b\n"), "disk", "disk-worn"),
    ("the voltage drops now", file(VOLTS, "1\n"), "power", "power-low"),
    ("the voltage dropped an hour ago", undervoltage, "power", "power-low"),
    ("the board is hot", file("sys/class/thermal/thermal_zone0/temp", "83200\n"), "temperature", "temperature-high"),
    ("the board has too little memory", file("proc/meminfo", SMALL), "memory", "memory-small"),
    ("the camera's cable is loose", bench(seen=CameraFault.GONE), "camera", "gone"),
    ("the lens is covered", bench(seen=CameraFault.BLACK), "camera", "black"),
    ("no target lies there", seen(lambda sheet: np.full_like(sheet, 200)), "focus", "focus-none"),
    ("the lens is out of focus", seen(lambda sheet: sheet, blur=4.0), "focus", "focus-blurred"),
    ("the room is dark", seen(lambda sheet: np.asarray(sheet * 0.25, np.uint8)), "focus", "focus-dark"),
    ("somebody's shadow lies on it", seen(shadow), "focus", "focus-uneven"),
    ("half of the target is covered", seen(covered), "focus", "focus-cut"),
    ("a lamp shines into the lens", seen(veiled), "focus", "focus-flat"),
    ("the paper has run out", bench(status_now=PrinterStatus.PAPER_OUT), "printer", "paper-out"),
    ("the printer does not answer", bench(status_now=PrinterStatus.FAULT), "printer", "fault"),
    ("the print head is dead", bench(laid=lambda _: photograph(NOTHING_PRINTED)), "strip", "strip-not-read"),
    ("the strip does not come out", bench(outcome=STUCK), "strip", "strip-not-printed"),
    ("the button's cable is off", bench(presses_heard=[4]), "button", "button-not-pressed"),
    ("the lamp is dark", lambda r: setattr(r.person, "sees_lamp", False), "lamp", "lamp-dark"),
)


@pytest.mark.parametrize(("what", "spoil", "check", "code"), BROKEN, ids=[entry[0] for entry in BROKEN])
def test_broken_on_purpose(ready: Readied, what: str, spoil: Break, check: str, code: str) -> None:
    spoil(ready)
    ticks = iter(range(0, 10_000, 30))
    ready.change(seconds=lambda: next(ticks))
    assert ready.one(check) == (Level.FAILED, code), what


def test_a_kiosk_that_is_ready(ready: Readied) -> None:
    """Nothing is wrong: the only notes are what a training kiosk is not expected to have."""
    findings = ready.examine()
    assert {entry.name: entry.code for entry in findings if entry.level is not Level.PASSED} == {
        "custody": "custody-none",
        "uplink": "uplink-none",
    }
    assert verdict_of([entry.level for entry in findings]) is Verdict.READY
    assert ready.person.told == ["lay-target", "lay-strip", "press-button", "ask-lamp"]
    assert ready.bench.flashed == 1


def test_a_technician_reads_what_was_broken() -> None:
    """The document lists every breakage with the code that names it, and no other."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    listed = {tuple(cell.strip(" `") for cell in row.strip("|").split("|"))[:3] for row in rows}
    assert {(what, check, code) for what, _spoil, check, code in BROKEN} <= listed
