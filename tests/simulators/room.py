"""The whole kiosk in a folder: the same processes as on a device, without systemd, around a simulated desk and printer.

A `Room` is a context: entering it makes keys, trust and configuration, and starts collector, signer, station, uplink
and endpoint, each as a process of its own; leaving it stops them all, whatever happened.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx

from collector.main import DEFAULT_NAME
from firmware.config import KioskConfig, load_config
from firmware.day.pin import make_pin
from firmware.errors import SignerRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.http import LOOPBACK
from firmware.records import Mode
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.client import SignerClient
from firmware.signing.key_file import load_certificate
from provisioning.gather_trust import gather
from tests.simulators.camera import Desk
from tests.simulators.printer import SimulatedPrinter

ROOT = Path(__file__).parent.parent.parent
TPS = "3173041003012"
PLACE = "Kel. Contoh, Kec. Contoh, Kota Contoh"
VOTERS = 300
"""On the list of the TPS, where the form does not say."""
COPIES = 3
"""Receipts of the demo: a witness for each of three pairs."""
PIN = "482913"
"""Of the ketua of the demo, who tells it everybody."""
START_SECONDS = 30.0
"""Longest wait for a process to answer: on a slow machine the libraries alone take 5 s to load."""
STOP_SECONDS = 5.0
"""Longest wait for a process to end by itself."""


KEYS = {Mode.DEVELOPMENT: "development-file", Mode.TRAINING: "training-file"}
"""Keys that a kiosk makes for itself; there is none for the real world."""


class NotStarted(Exception):
    """A process ended or did not answer; its log tells why."""


class Room:
    """The demo's processes in `folder`, which must be empty. `stack` are the sheets that lie on the desk, `truth` what
    is written on those of `form` by field id; `also` are the forms of further contests of the day."""

    def __init__(
        self,
        folder: Path,
        form: str,
        stack: Sequence[tuple[str, bytes]],
        truth: Mapping[str, int],
        port: int | None = None,
        extra: Sequence[tuple[str, bytes]] = (),
        tell: Callable[[str], None] = lambda line: None,
        also: Sequence[str] = (),
        mode: Mode = Mode.DEVELOPMENT,
    ) -> None:
        self.mode = mode
        self.folder = folder
        self.layouts: tuple[FormLayout, ...] = tuple(shipped_layouts()[name] for name in (form, *also))
        self.port = port or free_port()
        self.desk = Desk.lay_out(folder / "desk", stack, extra)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.truth = truth
        self._collector_port = free_port()
        self._tell = tell
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The screen's address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def trust(self) -> Path:
        """The trust folder of kiosk, collector and everybody else."""
        return self.folder / "trust"

    @property
    def config(self) -> KioskConfig:
        """The kiosk's configuration."""
        return load_config(self.folder / "kiosk.toml")

    def __enter__(self) -> Room:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self) -> None:
        receipts = self.folder / "receipts"
        receipts.mkdir()
        self.printer = self._stack.enter_context(SimulatedPrinter(receipts))
        self._write_election()
        self._write_config()
        (self.folder / "pin.json").write_bytes(make_pin(PIN))
        self.start("signer")
        self._write_trust()
        for name in ("collector", "station", "uplink", "endpoint"):
            self.start(name)
        self._wait_for("station", lambda: self.config.station_socket.exists())
        self._wait_for("endpoint", lambda: _answers(self.url))

    # --- files ------------------------------------------------------------------------------------------------------

    def _write_election(self) -> None:
        election = {
            "version": 1,
            "name": "Pemilu contoh",
            "mode": str(self.mode),
            "contests": [_contest(layout) for layout in self.layouts],
            "polling_stations": [{"code": TPS, "place": PLACE, "voters": self.truth.get("pemilih_dpt_j", VOTERS)}],
            "collectors": [{"id": DEFAULT_NAME, "url": f"http://{LOOPBACK}:{self._collector_port}"}],
        }
        (self.folder / "election.json").write_text(json.dumps(election, indent=1), encoding="utf-8")

    def _write_config(self) -> None:
        tables: dict[str, dict[str, Any]] = {
            "camera": {"driver": "v4l2", "device": "/dev/video0"},
            "printer": {"driver": "escpos-serial", "device": self.printer.device, "copies": COPIES},
            "key": {"driver": KEYS[self.mode]},
            "screen": {"port": self.port},
        }
        top = {"tps": TPS, "election": "election.json", "state": "state", "run": "run", "models": str(ROOT / "models")}
        lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
        for name, table in tables.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        (self.folder / "kiosk.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _write_trust(self) -> None:
        """As on a real kiosk: provisioning asks the running signer for its certificate."""
        signer = SignerClient(self.config.signer_socket)
        self._wait_for("signer", lambda: _signs(signer))
        key = self.folder / "collector" / "key"
        open_collector_key(key, DEFAULT_NAME)
        gather(self.config, (self.folder / "election.json").read_bytes(), [load_certificate(key / "certificate.pem")])

    # --- processes --------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Starts one process; its log is NAME.log in the folder."""
        config = str(self.folder / "kiosk.toml")
        commands = {
            "station": ["tests.simulators.demo_station", "--config", config, "--desk", str(self.desk.folder)],
            "collector": ["collector.main", *self._collector_options()],
        }
        module = commands.get(name, ["firmware", "run", name, "--config", config])
        log: IO[bytes] = self._stack.enter_context((self.folder / f"{name}.log").open("ab"))
        child = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.children[name] = child
        self._stack.callback(_stop, child)
        self._tell(f"started {name} (process {child.pid})")

    def _collector_options(self) -> list[str]:
        data = str(self.folder / "collector")
        return ["--data", data, "--port", str(self._collector_port), "--trust", str(self.trust)]

    def kill(self, name: str) -> None:
        """Kills a process as a power cut does."""
        self.children[name].kill()
        self.children[name].wait()

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + START_SECONDS
        while not ready():
            if self.children[name].poll() is not None or time.monotonic() > until:
                log = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
                raise NotStarted(f"{name}: {log[-2000:]}")
            time.sleep(0.05)


def _contest(layout: FormLayout) -> dict[str, Any]:
    votes = [name for name in layout.fields if name.startswith("suara_") and name[6:].isdigit()]
    candidates = [{"number": n, "name": f"Pasangan contoh {n}"} for n in range(1, len(votes) + 1)]
    return {"id": layout.contest, "form": layout.id, "candidates": candidates}


def free_port(wished: int = 0) -> int:
    """A loopback port that nobody listens on now: `wished` when it is free."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, wished))
        except OSError:
            probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _signs(signer: SignerClient) -> bool:
    try:
        signer.device()
    except SignerRefused:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + "/progress").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
