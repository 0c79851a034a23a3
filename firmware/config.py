"""The two files a kiosk is told by: `kiosk.toml` (this device) and the election definition (this election).

Both are decoded into frozen types by msgspec. An unknown key, an unknown driver name or a wrong type refuses to
start; a driver name that is not in an enum below does not exist, so no value turns a kiosk into a mock.
The election definition is JSON and is named by the SHA-256 of its bytes, which every record carries. That of a real
election is signed (firmware/signing/election.py) and verified with the root in the trust folder; nothing is at stake in
the others, whose records no real collector takes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from firmware.errors import LayoutRefused
from firmware.records import Mode
from firmware.signing.definition import ElectionTrust
from firmware.signing.election import election_json, is_signed

MAX_FILE_BYTES = 4 * 1024 * 1024
"""A kabupaten's election definition is well under 1 MB; anything larger is not one of our files."""

MAX_COPIES = 30
"""Receipts of one contest: a witness for each of 24 parties, the KPPS, the Pengawas, and spares."""

CUSTODY = "custody"
"""Folder beside kiosk.toml; no key names it, for there is one place to look."""

TpsCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{13}$")]
"""Kemendagri 2/2/2/4 digits and three of the TPS number."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]

Pin = Annotated[int, msgspec.Meta(ge=2, le=27)]
"""BCM number of a pin on the 40-pin header; 0 and 1 belong to the boards that are stacked on it."""

KeyCode = Annotated[int, msgspec.Meta(ge=1, le=767)]
"""As <linux/input-event-codes.h> numbers keys, up to KEY_MAX."""


class CameraDriver(StrEnum):
    """Every camera a kiosk can have."""

    PICAMERA2 = "picamera2"
    V4L2 = "v4l2"


class PrinterDriver(StrEnum):
    """Every way to a receipt printer. They all speak ESC/POS."""

    ESCPOS_SERIAL = "escpos-serial"
    ESCPOS_NETWORK = "escpos-network"
    ESCPOS_USB = "escpos-usb"


class FlowControl(StrEnum):
    """How a printer on a serial line says that its buffer is full."""

    XONXOFF = "xonxoff"
    RTSCTS = "rtscts"
    NONE = "none"


_PRINTER_DEVICE = {
    PrinterDriver.ESCPOS_SERIAL: r"/.+",
    PrinterDriver.ESCPOS_NETWORK: r"([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):[1-9][0-9]{0,4}",
    PrinterDriver.ESCPOS_USB: r"[0-9a-f]{4}:[0-9a-f]{4}",
}


class KeyDriver(StrEnum):
    """Where the device key is."""

    DEVELOPMENT_FILE = "development-file"
    """Made on first run; its records say `development` and no real collector takes them."""
    TRAINING_FILE = "training-file"
    """Made on first run, enrolled where the training has a root of its own; its records say `training`."""
    SEALED_CREDENTIAL = "sealed-credential"
    """A file that only this device can open; enrolled (firmware/signing/enrol.py)."""
    TPM = "tpm"
    """Inside a TPM 2.0; enrolled."""


class Order(StrEnum):
    """How several collectors are served."""

    PARALLEL = "parallel"
    """Each gets every record."""
    FIRST = "first"
    """The first of the list that can be reached gets a record; the next ones only what it did not acknowledge."""


SELF_MADE_KEYS = {KeyDriver.DEVELOPMENT_FILE: Mode.DEVELOPMENT, KeyDriver.TRAINING_FILE: Mode.TRAINING}
"""Keys that a kiosk makes for itself, and the only world each of them may sign in."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything in a file: immutable, and an unknown key is an error."""


class CameraConfig(_Strict, frozen=True):
    """`[camera]`."""

    driver: CameraDriver
    device: str = ""
    """Of v4l2, which has no camera of its own choice: /dev/video0, or better a path of /dev/v4l/by-id."""

    def __post_init__(self) -> None:
        if self.driver is CameraDriver.V4L2 and not self.device:
            raise ValueError("v4l2 needs its device")


class PrinterConfig(_Strict, frozen=True):
    """`[printer]`."""

    driver: PrinterDriver
    device: str
    """Of escpos-serial: /dev/serial/by-id/... ; of escpos-usb: vendor:product as `lsusb` prints them, 04b8:0e15 ; of
    escpos-network: host:port, which needs systemd/printer-on-network.conf, for the station has no network."""
    baud: Annotated[int, msgspec.Meta(ge=1200, le=921_600)] = 115_200
    flow: FlowControl = FlowControl.XONXOFF
    """Both of escpos-serial only, as they are set in the printer."""
    profile: str = ""
    """Of python-escpos: code page, cutter, whether the printer draws QR codes itself. Empty: the usual one of its
    paper."""
    copies: Annotated[int, msgspec.Meta(ge=1, le=MAX_COPIES)] = 4
    """Receipts of a record: the least, more when more witnesses are registered."""
    width_dots: Literal[576, 384] = 576
    """Printable width at 203 dpi: 72 mm on 80 mm paper, 48 mm on 58 mm paper."""

    def __post_init__(self) -> None:
        if not re.fullmatch(_PRINTER_DEVICE[self.driver], self.device):
            raise ValueError(f"not a device of {self.driver}: {self.device!r}")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of escpos-network."""
        host, _, port = self.device.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def usb_numbers(self) -> tuple[int, int]:
        """Vendor and product of escpos-usb."""
        vendor, product = self.device.split(":")
        return int(vendor, 16), int(product, 16)


class ScreenConfig(_Strict, frozen=True):
    """`[screen]`: the loopback port; the address is not configurable."""

    port: Port = 8080
    user: str = ""
    """Whose browser shows the screen; empty: the user of the endpoint. See endpoint/peer.py."""


class LanConfig(_Strict, frozen=True):
    """`[lan]`: the read-only API on a network, see endpoint/lan.py. Not there: nothing listens but loopback."""

    address: str
    """IPv4 address of this kiosk on that network."""
    certificate: str
    key: str
    """Of TLS alone, never the key that signs; PEM, relative to this file."""
    client_ca: str
    """Who issues the certificates of operators' laptops; PEM, relative to this file."""
    port: Port = 8443

    def __post_init__(self) -> None:
        ipaddress.IPv4Address(self.address)


class PedalConfig(_Strict, frozen=True):
    """`[panel.pedal]`: a foot pedal or keypad on USB; its keys reach nothing else."""

    device: Annotated[str, msgspec.Meta(pattern=r"^/dev/input/")]
    """Best by a name that stays: /dev/input/by-id/..."""
    keys: Annotated[tuple[KeyCode, ...], msgspec.Meta(min_length=1)]
    """Each of them is a press."""


class PanelConfig(_Strict, frozen=True):
    """`[panel]`: what hangs on the Pi's pins (BCM numbers). Nothing is there that is not named."""

    button_pin: Pin | None = None
    """Button to ground."""
    lamp_pin: Pin | None = None
    buzzer_pin: Pin | None = None
    """Both on when high."""
    pedal: PedalConfig | None = None

    def __post_init__(self) -> None:
        if len(set(self.pins)) < len(self.pins):
            raise ValueError("button_pin, lamp_pin and buzzer_pin must differ")

    @property
    def pins(self) -> tuple[int, ...]:
        """The pins that are named."""
        return tuple(pin for pin in (self.button_pin, self.lamp_pin, self.buzzer_pin) if pin is not None)


class KeyConfig(_Strict, frozen=True):
    """`[key]`."""

    driver: KeyDriver
    tcti: str = "device:/dev/tpmrm0"
    """Of tpm: the way to it, as the TPM software stack spells it."""


class UplinkConfig(_Strict, frozen=True):
    """`[uplink]`: how records reach the election's collectors."""

    certificate: str = ""
    key: str = ""
    """Who this kiosk is to a collector, and its key, which signs nothing else."""
    ca: str = ""
    """The authority of the collectors' certificates. All three or none: PEM, relative to this file."""
    order: Order = Order.PARALLEL
    metered: bool = False
    """True: pictures stay here, for a stick or a cable; records are small."""
    proxy: Annotated[str, msgspec.Meta(pattern=r"^(http://[^\s/]+/?)?$")] = ""
    """http://[user:password@]host:port; empty: none."""

    def __post_init__(self) -> None:
        if len({bool(self.certificate), bool(self.key), bool(self.ca)}) > 1:
            raise ValueError("certificate, key and ca belong together")


class KioskFile(_Strict, frozen=True):
    """kiosk.toml as written."""

    tps: TpsCode
    election: str
    """Path of the election definition, relative to this file."""
    state: str
    """Folder that survives power cuts: ledger, outbox, key."""
    run: str
    """Folder of the Unix sockets."""
    camera: CameraConfig
    printer: PrinterConfig
    key: KeyConfig
    models: str = "models"
    """Folder of digits.onnx and its manifest, relative to this file."""
    trust: str = "trust"
    """Folder of the public certificates this kiosk believes, relative to this file."""
    pin: str = "pin.json"
    """The ketua's PIN (pin.py), relative to this file."""
    screen: ScreenConfig = ScreenConfig()
    lan: LanConfig | None = None
    panel: PanelConfig = PanelConfig()
    uplink: UplinkConfig = UplinkConfig()


class Candidate(_Strict, frozen=True):
    """One line of a ballot."""

    number: Annotated[int, msgspec.Meta(ge=1)]
    name: str


class Contest(_Strict, frozen=True):
    """One contest: its form, who stands, and limits that replace the form's own."""

    id: str
    form: str
    candidates: tuple[Candidate, ...]
    limits: dict[str, int] = {}


class PollingStation(_Strict, frozen=True):
    """One TPS, as Sidalih has it."""

    code: TpsCode
    place: str
    """For people: village, district, TPS number."""
    voters: Annotated[int, msgspec.Meta(ge=0)]
    """Voters on the permanent list (DPT)."""


class Collector(_Strict, frozen=True):
    """A server that takes records."""

    id: str
    url: str


class Election(_Strict, frozen=True):
    """The election definition as written."""

    version: Literal[1]
    name: str
    mode: Mode
    contests: Annotated[tuple[Contest, ...], msgspec.Meta(min_length=1)]
    polling_stations: Annotated[tuple[PollingStation, ...], msgspec.Meta(min_length=1)]
    collectors: tuple[Collector, ...]
    trust: ElectionTrust | None = None
    """Whom a verifier believes; a signed definition has it."""


@dataclass(frozen=True, slots=True)
class ElectionDefinition:
    """An election definition and the hash that records name it by."""

    election: Election
    sha256: str
    """Lower-case hexadecimal SHA-256 of the file's bytes."""
    stations: Mapping[str, PollingStation]
    """Every TPS by its code: a collector asks for one of 15,000 with each record."""

    def contest(self, contest_id: str) -> Contest:
        """The contest with this id; raises LayoutRefused."""
        for contest in self.election.contests:
            if contest.id == contest_id:
                return contest
        raise LayoutRefused("contest-unknown", contest=contest_id)

    def polling_station(self, code: str) -> PollingStation:
        """The TPS with this code; raises LayoutRefused."""
        if code not in self.stations:
            raise LayoutRefused("tps-unknown", tps=code)
        return self.stations[code]

    def limits(self, contest_id: str, tps: str, form_limits: Mapping[str, int]) -> dict[str, int]:
        """The form's limits, replaced by the contest's, with this TPS's voters as `dpt`."""
        return {**form_limits, **self.contest(contest_id).limits, "dpt": self.polling_station(tps).voters}


@dataclass(frozen=True, slots=True)
class LanFiles:
    """`[lan]` with absolute paths."""

    address: str
    port: int
    certificate: Path
    key: Path
    client_ca: Path


@dataclass(frozen=True, slots=True)
class UplinkFiles:
    """The files of `[uplink]` with absolute paths."""

    certificate: Path
    key: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class KioskConfig:
    """A checked configuration; every path is absolute."""

    file: KioskFile
    definition: ElectionDefinition
    tps: PollingStation
    state: Path
    run: Path
    models: Path
    trust: Path
    pin: Path
    custody: Path
    """Folder of this device's hand-overs, beside kiosk.toml (signing/custody_folder.py)."""
    lan: LanFiles | None = None
    uplink_tls: UplinkFiles | None = None

    @property
    def mode(self) -> Mode:
        """The world of this kiosk's records."""
        return self.definition.election.mode

    @property
    def ledger_folder(self) -> Path:
        """Records, pictures, drafts, events: written by the station alone."""
        return self.state / "ledger"

    @property
    def outbox_folder(self) -> Path:
        """How far each record has come: written by the uplink alone."""
        return self.state / "outbox"

    @property
    def key_folder(self) -> Path:
        """What only the signer may read."""
        return self.state / "signer"

    @property
    def signer_socket(self) -> Path:
        """Where the signer listens."""
        return self.run / "signer.sock"

    @property
    def head_socket(self) -> Path:
        """Where the signer tells the head of its log and does nothing else."""
        return self.run / "head.sock"

    @property
    def station_socket(self) -> Path:
        """Where the station listens."""
        return self.run / "station.sock"


def parse_election(data: bytes, name: str = "election.json") -> ElectionDefinition:
    """Decode and hash an election definition. Raises LayoutRefused("election-invalid")."""
    try:
        election = msgspec.json.decode(data, type=Election)
    except msgspec.MsgspecError as problem:
        raise LayoutRefused("election-invalid", file=name, problem=str(problem)) from problem
    stations = {entry.code: entry for entry in election.polling_stations}
    if len(stations) < len(election.polling_stations):
        raise LayoutRefused("election-invalid", file=name, problem="a TPS stands in it twice")
    return ElectionDefinition(election, hashlib.sha256(data).hexdigest(), stations)


def load_config(path: Path) -> KioskConfig:
    """Read kiosk.toml and its election definition.

    Raises LayoutRefused with the file and what is wrong in it, VerificationRefused when the election's signature fails.
    """
    try:
        entry = msgspec.toml.decode(_read(path), type=KioskFile)
    except msgspec.MsgspecError as problem:
        raise LayoutRefused("config-invalid", file=str(path), problem=str(problem)) from problem
    folder = path.resolve().parent
    election = _read(folder / entry.election)
    definition = parse_election(election_json(election, folder / entry.trust), entry.election)
    mode = definition.election.mode
    if SELF_MADE_KEYS.get(entry.key.driver, mode) is not mode:
        raise LayoutRefused("config-key-mode", file=str(path), driver=str(entry.key.driver), mode=str(mode))
    if mode is Mode.REAL and not is_signed(election):
        raise LayoutRefused("election-unsigned", mode=str(mode))
    return KioskConfig(
        file=entry,
        definition=definition,
        tps=definition.polling_station(entry.tps),
        state=folder / entry.state,
        run=folder / entry.run,
        models=folder / entry.models,
        trust=folder / entry.trust,
        pin=folder / entry.pin,
        custody=folder / CUSTODY,
        lan=_lan(folder, entry.lan) if entry.lan else None,
        uplink_tls=_uplink_files(folder, entry.uplink) if entry.uplink.ca else None,
    )


def _lan(folder: Path, entry: LanConfig) -> LanFiles:
    certificate, key, client_ca = (folder / path for path in (entry.certificate, entry.key, entry.client_ca))
    return LanFiles(entry.address, entry.port, certificate, key, client_ca)


def _uplink_files(folder: Path, entry: UplinkConfig) -> UplinkFiles:
    return UplinkFiles(folder / entry.certificate, folder / entry.key, folder / entry.ca)


def _read(path: Path) -> bytes:
    """The bytes of a configuration file. Raises LayoutRefused("config-unreadable")."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise LayoutRefused("config-unreadable", file=str(path), problem=problem.strerror or "") from problem
    if len(data) > MAX_FILE_BYTES:
        raise LayoutRefused("config-unreadable", file=str(path), problem=f"over {MAX_FILE_BYTES} bytes")
    return data
