"""A technician with a batch: real ssh to devices with disks of their own; cut off, unplugged, full, swapped."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware.records import Mode
from tests import sealing
from tests.offices import PASSPHRASE, Made, make_office
from tests.system import fleet_devices
from tests.system.fleet_devices import Device, Lan

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not fleet_devices.possible(), reason="no root, or no sshd"),
]
ROOT = Path(__file__).parents[2]
RUN_WITHIN = 1800.0


@dataclass
class Bench:
    """The office, its LAN, and a plan."""

    lan: Lan
    made: Made
    plan: Path

    def write_plan(self, numbers: list[int]) -> None:
        rows = [
            (f"C1-{n:04d}", f"{fleet_devices.NETWORK}.{n}", sealing.TPS[n], f"KPU-{n:06d}", "sealed-file")
            for n in numbers
        ]
        with self.plan.open("w", newline="") as file:
            csv.writer(file).writerows([("serial", "host", "tps", "seal", "protection"), *rows])

    def start(self, *words: str) -> subprocess.Popen[str]:
        key = ["--ssh-option=-i", f"--ssh-option={self.lan.folder / 'laptop'}"] if words[1] == "run" else []
        command = [sys.executable, "-m", *words[:1], "--passphrase-fd", "0", *words[1:], str(self.plan), *key]
        running = subprocess.Popen(
            self.lan.command(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        assert running.stdin is not None
        running.stdin.write(f"{PASSPHRASE.decode()}\n" * 3)
        running.stdin.close()
        return running

    def fleet(self, *words: str) -> tuple[int, str]:
        running = self.start("provisioning.fleet", *words)
        assert running.stdout is not None
        said = running.stdout.read()
        return running.wait(RUN_WITHIN), said

    def report(self) -> dict[str, dict[str, str]]:
        entries = json.loads((self.made.folder / "batch" / "fleet.json").read_text())
        return {entry["serial"]: entry for entry in entries}

    def inventory(self) -> dict[str, dict[str, str]]:
        entries = json.loads((self.made.folder / "batch" / "inventory.json").read_text())
        return {entry["serial"]: entry for entry in entries}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = make_office(tmp_path / "office", world=Mode.REAL, driver="sealed-credential")
    with Lan(tmp_path / "lan") as lan:
        yield Bench(lan, made, tmp_path / "office" / "plan.csv")


def with_our_program(device: Device) -> None:
    """The program that is tested, in the place where a device has it; its users."""
    for path in ("opt/c1kiosk", "etc/c1kiosk", "var/lib/c1kiosk"):  # this machine may be a kiosk itself
        shutil.rmtree(device.root / path, ignore_errors=True)
    program = device.root / "opt" / "c1kiosk"
    program.mkdir(parents=True)
    (program / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "systemd", program / "systemd")
    subprocess.run(["systemd-sysusers", f"--root={device.root}", str(ROOT / "systemd" / "sysusers.conf")], check=True)
    (device.root / "etc" / "c1kiosk" / "trust").mkdir(parents=True)
    (device.root / "var" / "lib" / "c1kiosk").mkdir(parents=True)


def test_three_devices_one_unplugged_one_swapped(bench: Bench) -> None:
    for number in (1, 2, 3):
        device = bench.lan.add(number, "/")
        with_our_program(device)
        device.start()
    bench.write_plan([1, 2, 3])
    letters = str(bench.made.folder / "letters")
    steps = ("run", "--steps", "enrol,assign", "--letters", letters)
    assert bench.fleet("pin")[0] == 0
    bench.lan.devices[2].plug(up=False)
    swap_host_key(bench.lan.devices[3])
    status, said = bench.fleet(*steps)
    assert status == 1, said
    found = bench.report()
    assert [found[serial]["code"] for serial in sorted(found)] == ["", "device-unreachable", "device-host-key"], said
    assert bench.inventory()["C1-0001"]["state"] == "assigned"

    bench.lan.devices[2].plug(up=True)
    (bench.made.folder / "batch" / "known_hosts").unlink()  # a person has looked at the label of number 3
    assert bench.fleet("pin")[0] == 0
    status, said = bench.fleet(*steps)
    assert status == 0, said
    assert {entry["state"] for entry in bench.inventory().values()} == {"assigned"}
    assert len(list(Path(letters).iterdir())) == 3
    key = bench.lan.devices[1].inside("stat", "-c", "%U %a", "/etc/c1kiosk/tls/uplink/key.pem").split()
    assert key == ["c1kiosk-uplink", "400"]


def swap_host_key(device: Device) -> None:
    """Another card answers at that address."""
    device.stop()
    for path in (device.root / "etc" / "ssh").glob("ssh_host_*"):
        path.unlink()
    device.prepare(device.folder.parent / "laptop.pub")
    device.start()
