"""Devices in folders, in the shape in which the provisioning steps reach one: the device's own program, in process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from firmware.signing.keys import Protection
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.job import Job
from provisioning.batch.office import Office
from provisioning.batch.place import COMMAND_S, Ran
from provisioning.batch.plan import Row
from provisioning.device.ground import Ground
from provisioning.on_device import respond
from tests import sealing
from tests.offices import PASSPHRASE, make_ground, make_office


@dataclass
class InFolder:
    """A Place."""

    ground: Ground
    plugged: bool = True
    cut_after: str = ""
    """The verb after which the cable is pulled: the device has done it, the laptop does not know."""
    asked: list[str] = field(default_factory=list)

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """As Place."""
        if not self.plugged:
            raise ProvisioningRefused("device-unreachable", host="folder", said="no route to host")
        verb = command[3]
        self.asked.append(verb)
        status, out = respond(self.ground, verb, stdin)
        if verb == self.cut_after:
            self.plugged, self.cut_after = False, ""
            raise ProvisioningRefused("device-unreachable", host="folder", said="closed")
        return Ran(status, out, "")

    def send(self, command: Sequence[str], source: Sequence[str], within_s: float) -> None:
        """Nothing is sent in these tests."""
        raise AssertionError(command)


@dataclass
class Batch:
    """An office and devices in folders."""

    folder: Path
    office: Office
    places: dict[str, InFolder] = field(default_factory=dict)

    def place(self, serial: str) -> InFolder:
        """The device with that serial, new when it is asked for first."""
        if serial not in self.places:
            self.places[serial] = InFolder(make_ground(self.folder / "devices" / serial))
        return self.places[serial]

    def job(self, number: int = 1, *, tps: str | None = None, here: bool = True, seal: str = "") -> Job:
        """A step's input for device `number`; its TPS is that of the same number."""
        serial = f"C1-{number:04d}"
        code = sealing.TPS[number] if tps is None else tps
        row = Row(serial, f"10.0.0.{number}", code, seal or f"KPU-{number:06d}", Protection.PLAIN_FILE)
        return Job(row, self.office, self.place(serial) if here else None, now, self.folder / "letters")


def now() -> datetime:
    """By this machine's clock."""
    return datetime.now(UTC)


@cache
def an_office(name: str) -> Office:
    """A training office whose keys are opened; made once, for its keys are slow to open."""
    folder = Path(tempfile.mkdtemp(prefix=f"office-{name}-"))
    atexit.register(shutil.rmtree, folder)
    made = make_office(folder, state="../state", run="../run")
    return Office.open(made.path, lambda _name: PASSPHRASE)


def make_batch(folder: Path) -> Batch:
    """A copy of an office, without devices."""
    office = an_office("own")
    shutil.copytree(office.path.parent, folder / "office")
    return Batch(folder, replace(office, path=folder / "office" / "office.toml"))
