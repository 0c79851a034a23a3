"""A kiosk on which everything is as it must be, in a folder, for tests that break one thing of it on purpose.

Authorities, election, key, assignment and ledger are real, and the signer answers at its socket. The board is a tree of
files as a Raspberry Pi 5 has them; what systemctl and journalctl say is text. Camera, printer and panel do what the
test says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from numpy.typing import NDArray
from waitress.server import create_server

from firmware.capture.camera import CameraFault
from firmware.capture.picture import frame_from_bytes
from firmware.config import load_config
from firmware.forms.loader import shipped_layouts
from firmware.forms.pdfium_picture import picture
from firmware.forms.target import target_pdf
from firmware.http import listen_unix
from firmware.ledger.store import Ledger
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.receipt.trial import Slip, compose
from firmware.records import Frame, Mode
from firmware.selftest.finding import Finding, Level
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.plan import Wish, examine
from firmware.selftest.tree import Tree
from firmware.signing import enrolment
from firmware.signing.assignment import Device as Assigned
from firmware.signing.assignment import make_assignment
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import subject
from firmware.signing.election import sign_election
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection
from firmware.signing.officers import Role
from firmware.signing.service import create_app
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.signing.training_key import TrainingKey
from firmware.signing.trust import write_signed_trust
from provisioning import release
from provisioning.authority import definitions, issuing
from tests.simulators.rendering import rendered

ROOT = Path(__file__).parent.parent
NOW = datetime.now(UTC).replace(microsecond=0)
UNIX = int(NOW.timestamp())
ELECTION = "latihan-2029"
SERIAL, BOARD = "C1-0001", "d7fa31c0e2b84511"
TPS, OTHER_TPS = "3171010001001", "3171010001002"
FORM = shipped_layouts()["c.hasil-ppwp-2024"]
LENS_PIXELS = 3.33
"""Pixels a millimetre: a sheet of 600 x 900 mm fills 2,000 x 3,000 of them."""


@dataclass
class Office:
    """The authorities of a training election."""

    root: issuing.Authority
    issuer: issuing.Authority
    signer: issuing.Authority

    @classmethod
    def open(cls) -> Office:
        root = issuing.make_root("KPU contoh", Mode.TRAINING, NOW)
        made = (issuing.make_authority(root, purpose, ELECTION, NOW) for purpose in (Purpose.ISSUING, Purpose.ELECTION))
        return cls(root, *made)

    def device(self, wish: x509.CertificateSigningRequest, now: datetime = NOW) -> x509.Certificate:
        return issuing.issue_device(self.issuer, wish, SERIAL, Protection.PLAIN_FILE, now)

    def technician(self) -> FileKey:
        key = ec.generate_private_key(ec.SECP256R1())
        wish = x509.CertificateSigningRequestBuilder().subject_name(subject("x", "x")).sign(key, hashes.SHA256())
        made = issuing.issue_officer(self.issuer, wish, "Siti Aminah", Role.TECHNICIAN, NOW)
        return FileKey(key, made.public_bytes(Encoding.DER))


@dataclass
class BenchTop:
    """Camera, printer, button and lamp of the test."""

    seen: Frame | CameraFault
    status_now: PrinterStatus = PrinterStatus.READY
    outcome: PrintOutcome = field(default_factory=lambda: PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY))
    presses_heard: list[int] = field(default_factory=lambda: [0, 1])
    flashed: int = 0
    strips: list[Slip] = field(default_factory=list)
    laid: Callable[[Slip], Frame | CameraFault | None] = lambda slip: photograph(strip_picture(slip))
    """What lies under the camera after a strip was printed; None: as before."""

    def picture(self) -> Frame | CameraFault:
        return self.seen

    def status(self) -> PrinterStatus:
        return self.status_now

    def print(self, slip: Slip) -> PrintOutcome:
        self.strips.append(slip)
        self.seen = self.laid(slip) or self.seen
        return self.outcome

    def flash(self) -> None:
        self.flashed += 1

    def presses(self) -> int:
        return self.presses_heard.pop(0) if len(self.presses_heard) > 1 else self.presses_heard[0]


class Obliging:
    """A person who does what is asked, and sees the lamp."""

    def __init__(self, sees_lamp: bool = True) -> None:
        self.told: list[str] = []
        self.sees_lamp = sees_lamp

    def tell(self, code: str, **values: str | int) -> None:
        self.told.append(code)

    def agrees(self, code: str) -> bool:
        self.told.append(code)
        return self.sees_lamp


# --- pictures ---------------------------------------------------------------------------------------------------------


def scene(paper: NDArray[np.uint8], size: tuple[int, int] = (1100, 850)) -> NDArray[np.uint8]:
    """Paper in the middle of a table, from above."""
    table = np.full((*size, 3), 90, np.uint8)
    top, left = ((whole - part) // 2 for whole, part in zip(size, paper.shape[:2], strict=True))
    table[top : top + paper.shape[0], left : left + paper.shape[1]] = paper
    return table


@cache
def _target() -> NDArray[np.uint8]:
    sheet = picture(target_pdf(), 1, LENS_PIXELS * 25.4)
    return np.asarray(30 + sheet.astype(np.float32) * 0.75, np.uint8)


def target_sheet() -> NDArray[np.uint8]:
    """The printed target as a camera of LENS_PIXELS sees it: paper is not quite white, ink not quite black."""
    return _target().copy()


def strip_picture(slip: Slip) -> NDArray[np.uint8]:
    """A printed strip as the same camera sees it: 8 dots a millimetre, half as many pixels."""
    dots = rendered(compose(slip, 576))
    paper = np.where(np.pad(dots, ((40, 40), (32, 32))), 40, 220).astype(np.uint8)
    seen = cv2.resize(paper, None, fx=LENS_PIXELS / 8, fy=LENS_PIXELS / 8, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)


def photograph(paper: NDArray[np.uint8], blur: float = 0.7) -> Frame:
    """A camera's JPEG of paper on a table."""
    seen = cv2.GaussianBlur(scene(paper), (0, 0), blur)
    noisy = np.clip(seen + np.random.default_rng(1).normal(0, 2, seen.shape), 0, 255).astype(np.uint8)
    return frame_from_bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes(), "test")


# --- the board --------------------------------------------------------------------------------------------------------

UNIT = """Id={unit}
LoadState=loaded
ActiveState=active
SubState=running
WatchdogUSec=5min
NRestarts=0
"""


def unit_states(**changes: str) -> str:
    """What `systemctl show` says of the four units; `changes` are of the station."""
    blocks = []
    for name in ("signer", "station", "endpoint", "uplink"):
        facts = dict(line.split("=", 1) for line in UNIT.format(unit=f"c1kiosk-{name}.service").splitlines())
        blocks.append({**facts, **(changes if name == "station" else {})})
    return "\n\n".join("\n".join(f"{key}={value}" for key, value in facts.items()) for facts in blocks) + "\n"


def pi5(root: Path) -> None:
    """The files of a Raspberry Pi 5 with an SD card and a battery for its clock, as its kernel shows them."""
    files = {
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "proc/device-tree/serial-number": f"{BOARD}\0",
        "proc/meminfo": "MemTotal:        4148372 kB\nMemFree:         2000000 kB\nMemAvailable:    3300000 kB\n",
        "proc/self/mountinfo": (
            "24 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw\n"
            "25 24 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
        ),
        "sys/class/rtc/rtc0/name": "rpi_rtc soc@107c000000:rpi_rtc\n",
        "sys/class/rtc/rtc0/since_epoch": f"{UNIX}\n",
        "sys/class/rtc/rtc0/battery_voltage": "3070082\n",
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon1/name": "rp1_adc\n",
        "sys/class/hwmon/hwmon2/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "0\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "52350\n",
        "sys/fs/ext4/mmcblk0p2/errors_count": "0\n",
        "sys/class/block/mmcblk0/device/type": "SD\n",
        "etc/group": "root:x:0:\nc1kiosk:x:990:\n",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
        + "".join(f"{user}:x:{991 + n}:990::/:/usr/sbin/nologin\n" for n, user in enumerate(release.USERS)),
        "opt/c1kiosk/program.py": "print('kiosk')\n",
        "etc/systemd/system/c1kiosk-station.service": "[Unit]\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "sys/dev/block").mkdir(parents=True)
    (root / "sys/dev/block/179:2").symlink_to("../../class/block/mmcblk0p2")
    (root / "sys/class/block/mmcblk0p2").mkdir()
    (root / release.MANIFEST).write_bytes(release.encode(release.make_manifest(root, "0.1.0")))


# --- the kiosk --------------------------------------------------------------------------------------------------------


@dataclass
class Readied:
    """One kiosk. `kiosk` is what the checks look at; break it, its files, or `bench`."""

    folder: Path
    office: Office
    kiosk: Kiosk
    bench: BenchTop
    person: Obliging
    states: str = field(default_factory=unit_states)
    kernel: str = ""
    device_key: FileKey | None = None

    @property
    def root(self) -> Path:
        return self.kiosk.tree.root

    def write(self, name: str, text: str) -> None:
        """A file of the board."""
        (self.root / name).write_text(text, encoding="utf-8")

    def change(self, **changes: Any) -> None:
        self.kiosk = replace(self.kiosk, **changes)

    def tool(self, command: Sequence[str]) -> str:
        return {"systemctl": self.states, "journalctl": self.kernel}[command[0]]

    def configure(self, **top: Any) -> None:
        """kiosk.toml with other values at its top; the configuration is read again."""
        path = self.folder / "kiosk.toml"
        lines = path.read_text(encoding="utf-8").splitlines()
        lines = [f"{key} = {json.dumps(top[key])}" if (key := line.split(" ")[0]) in top else line for line in lines]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.change(config=load_config(path))

    def examine(self, *only: str) -> list[Finding]:
        """The findings of these checks, or of all."""
        return [entry for entry in examine(self.kiosk, Wish(only=only)) if not only or entry.name in only]

    def one(self, name: str) -> tuple[Level, str]:
        """Level and code of one check."""
        (finding,) = self.examine(name)
        return finding.level, finding.code


def election(office: Office) -> bytes:
    """The signed definition's JSON."""
    definition = {
        "version": 1,
        "name": "Latihan",
        "mode": "training",
        "contests": [{"id": FORM.contest, "form": FORM.id, "candidates": []}],
        "polling_stations": [{"code": code, "place": "Kel. Contoh", "voters": 280} for code in (TPS, OTHER_TPS)],
        "collectors": [],
    }
    data = json.dumps(definition).encode()
    return definitions.with_trust(data, [office.issuer.certificate], {}, {FORM.id: FORM})


def signed(office: Office, data: bytes) -> bytes:
    """election.cose."""
    key = FileKey(office.signer.issuer.private_key, office.signer.certificate.public_bytes(Encoding.DER))
    return sign_election(data, key)


def write_trust(folder: Path, office: Office, data: bytes, devices: Sequence[x509.Certificate]) -> None:
    """The definition and the trust folder, in which these devices are known."""
    cose = signed(office, data)
    (folder / "election.cose").write_bytes(cose)
    write_signed_trust(
        folder / "trust",
        root=office.root.certificate.public_bytes(Encoding.DER),
        authority=office.signer.certificate.public_bytes(Encoding.DER),
        election=cose,
        layouts=[FORM],
        devices=[entry.public_bytes(Encoding.DER) for entry in devices],
    )


def write_config(folder: Path) -> None:
    lines = [
        *(f'{key} = "{value}"' for key, value in {"tps": TPS, "election": "election.cose", "state": "state"}.items()),
        *(f'{key} = "{value}"' for key, value in {"run": "run", "models": str(ROOT / "models")}.items()),
        *("[camera]", 'driver = "picamera2"', "[printer]", 'driver = "escpos-serial"', 'device = "/dev/ttyUSB0"'),
        *("[key]", 'driver = "training-file"', "[panel]", "button_pin = 17", "lamp_pin = 18"),
    ]
    (folder / "kiosk.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def served(app: Any, path: Path) -> Iterator[None]:
    """Serves `app` at a Unix socket from a thread."""
    server, stop = create_server(app, sockets=[listen_unix(path)], threads=2), threading.Event()

    def run() -> None:
        while not stop.is_set():
            server.asyncore.loop(timeout=0.02, map=server._map, count=1)
        server.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        path.unlink(missing_ok=True)


@contextmanager
def readied(folder: Path, issued: datetime = NOW, lifetime: timedelta | None = None) -> Iterator[Readied]:
    """A kiosk that is ready; its device certificate was issued then."""
    with ExitStack() as stack:
        office = Office.open()
        write_config(folder)
        key_folder = folder / "state" / "signer" / "key"
        made = TrainingKey.open(key_folder)
        wish = enrolment.make_request(made.file.private_key, DeviceClaims(Mode.TRAINING, SERIAL, Protection.PLAIN_FILE))
        enrolment.keep_request(key_folder, wish)
        (folder / "serial").write_text(f"{BOARD}\0")
        enrolment.keep_board(key_folder, folder / "serial")
        certificate = office.device(wish, issued)
        pem = certificate.public_bytes(Encoding.PEM) + office.issuer.certificate.public_bytes(Encoding.PEM)
        enrolment.install(key_folder, pem)
        write_trust(folder, office, election(office), [certificate])
        config = load_config(folder / "kiosk.toml")
        assigned = make_assignment(Assigned.of(config, certificate), 1, "S-0001", UNIX, office.technician())
        (folder / "assignment.cose").write_bytes(assigned)
        Ledger.open(config.ledger_folder).close()
        key = TrainingKey.open(key_folder)
        signer = Signer(config.key_folder, key, clock)
        stack.callback(signer.close)
        stack.enter_context(served(create_app(signer, key), config.signer_socket))
        pi5(folder / "board")
        bench, person = BenchTop(photograph(target_sheet())), Obliging()
        kiosk = Kiosk(config, folder, bench, person, Tree(folder / "board"), clock)
        ready = Readied(folder, office, kiosk, bench, person, device_key=key.file)
        ready.change(tool=ready.tool, free=lambda _folder: 20 * 1024**3, pause=lambda _seconds: None)
        yield ready


def clock() -> ClockReading:
    return ClockReading(UNIX, ClockQuality.SYNCHRONISED)
