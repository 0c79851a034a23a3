"""A whole image on an emulated machine: it starts, says what is missing, is updated, and goes back by itself.

Needs C1KIOSK_APPLIANCE=1, and hours. C1KIOSK_IMAGE is a folder that build.sh made, C1KIOSK_IMAGE_TOOLS its tools'
root, C1KIOSK_IMAGE_CA a folder in which ca.py made `root`, `release` below it, `root2` and `release2`, with PASSPHRASE.
The tests are steps on one machine, in the order of the file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.installations import ELECTION, SERVICES
from tests.system.kiosk_machine import Machine, put_on_data
from tests.vectors import parts

NEEDED = {"C1KIOSK_IMAGE", "C1KIOSK_IMAGE_TOOLS", "C1KIOSK_IMAGE_CA"}
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.environ.get("C1KIOSK_APPLIANCE") != "1", reason="C1KIOSK_APPLIANCE is not 1"),
    pytest.mark.skipif(bool(NEEDED - set(os.environ)), reason=f"{', '.join(sorted(NEEDED))} say where the image is"),
]

HERE = Path("provisioning/image")
PASSPHRASE = b"passphrase-of-the-trial\n"
KIOSK = f"""
tps = "{parts.TPS}"
election = "election.json"
state = "/var/lib/c1kiosk"
run = "/run/c1kiosk"
[camera]
driver = "v4l2"
device = "/dev/video0"
[printer]
driver = "escpos-network"
device = "10.0.2.99:9100"
[key]
driver = "development-file"
"""
SET_UP = """set -e
cd /etc/c1kiosk && tar -x --no-same-owner && chgrp -R c1kiosk . && chmod -R g+rX .
systemctl start c1kiosk-local c1kiosk-signer
python=/opt/c1kiosk/.venv/bin/python
$python -m provisioning.gather_trust --collector collector.pem
$python -m provisioning.set_pin .
systemctl start c1kiosk.target
"""
HOUR = 3600.0
DISK_BYTES = 16 * 1024**3
"""A small card: the data partition grows from 256 MiB to what is left."""
MISSING = {"board", "assignment", "units", "temperature", "power", "camera", "printer"}
"""Checks of the quick self-test that fail here: a Pi's board, its sensors, a screen, a camera, a printer, and nobody
has assigned this kiosk."""
OPEN_DAY = """
from pathlib import Path
from firmware.day import day as days
from firmware.ledger.store import Ledger
now = days.Moment(1_900_000_000, "synchronised")
with Ledger.open(Path("/var/lib/c1kiosk/ledger")) as ledger:
    day = days.load(ledger)
    days.save(day.closed(now) if day.open else day.opened((), 4, 0, now), ledger)
"""
PROGRAM = "/opt/c1kiosk/.venv/bin/c1kiosk"
AS_STATION = "setpriv --reuid=c1kiosk-station --regid=c1kiosk --clear-groups /opt/c1kiosk/.venv/bin/python -I -"


class Office:
    """Where bundles are made."""

    def __init__(self, folder: Path, image: Path, authorities: Path, tools: Path) -> None:
        self.folder, self.image, self.authorities, self.tools = folder, image, authorities, tools

    def release(self, version: str, *changes: str) -> Path:
        """The image again as another release; `changes` are debugfs commands on its root."""
        made = self._folder(version)
        subprocess.run(["cp", "--sparse=always", self.image / "root.ext4", made], check=True)
        self._change(made, version, changes)
        return made

    def nothing(self, version: str) -> Path:
        """A release with next to nothing in it, for bundles that are refused anyway."""
        made = self._folder(version)
        (made / "root.ext4").write_bytes(os.urandom(1 << 20))
        return made

    def kernel_alone(self, version: str) -> Path:
        """A release that U-Boot can start, with no system in it."""
        made = self._folder(version)
        root = made / "root"
        root.mkdir()
        subprocess.run(["debugfs", "-R", f"rdump /boot {root}", self.image / "root.ext4"], check=True)
        command: list[str | Path] = ["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file"]
        subprocess.run([*command, "-d", root, made / "root.ext4", "128M"], check=True)
        return made

    def _folder(self, version: str) -> Path:
        made = self.folder / version
        made.mkdir()
        manifest = json.loads((self.image / "manifest.json").read_bytes())
        (made / "manifest.json").write_text(json.dumps({"version": version, "of": manifest["version"]}))
        shutil.copy(self.image / "sbom.cdx.json", made)
        return made

    def _change(self, made: Path, version: str, changes: tuple[str, ...]) -> None:
        root, release = made / "root.ext4", made / "os-release"
        subprocess.run(["debugfs", "-R", f"dump /usr/lib/os-release {release}", root], check=True, capture_output=True)
        text = re.sub("^IMAGE_VERSION=.*$", f"IMAGE_VERSION={version}", release.read_text(), flags=re.MULTILINE)
        release.write_text(text)
        lines = ["rm /usr/lib/os-release", f"write {release} /usr/lib/os-release", *changes]
        subprocess.run(["debugfs", "-w", "-f", "-", root], input="\n".join(lines), check=True, text=True)

    def bundle(self, made: Path, authority: str = "release", root: str = "root", compatible: str = "") -> Path:
        """Signed by an authority."""
        out = self.folder / f"{made.name}-{authority}{compatible}.raucb"
        reader, writer = os.pipe()
        os.write(writer, PASSPHRASE)
        os.close(writer)
        command: list[str | Path] = ["bash", HERE / "bundle.sh", "--image", made, "--out", out, "--tools", self.tools]
        command += ["--authority", self.authorities / authority, "--passphrase-fd", str(reader)]
        command += ["--keyring", self.authorities / root / "certificate.pem"]
        command += ["--level", "1", *(["--compatible", compatible] if compatible else [])]
        subprocess.run(command, check=True, pass_fds=[reader])
        os.close(reader)
        return out


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("office")
    image, authorities = Path(os.environ["C1KIOSK_IMAGE"]), Path(os.environ["C1KIOSK_IMAGE_CA"])
    return Office(folder, image, authorities, Path(os.environ["C1KIOSK_IMAGE_TOOLS"]))


@pytest.fixture(scope="module")
def machine(office: Office) -> Iterator[Machine]:
    folder = office.folder
    disk, key = folder / "disk.img", folder / "technician"
    (packed,) = office.image.glob("*.img.zst")
    subprocess.run(["zstd", "-q", "-d", "--sparse", packed, "-o", disk], check=True)
    os.truncate(disk, DISK_BYTES)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    put_on_data(disk, [(folder / "technician.pub", "/etc/ssh/authorized_keys")])
    with Machine(folder, disk, key) as started:
        yield started


class Kept(NamedTuple):
    """What outlives every update."""

    hashes: str
    """Of configuration and key."""
    ledger: str
    journal: str
    """The signer's. Both only grow."""


def _kept(machine: Machine) -> Kept:
    hashes = machine.ssh("cd /var/lib/c1kiosk && sha256sum $(find etc signer/key -type f | sort)")
    ledger = machine.ssh(f"{PROGRAM} journal --ledger /var/lib/c1kiosk/ledger 2>/dev/null")
    journal = machine.ssh("cat /var/lib/c1kiosk/signer/journal.jsonl")
    assert all(done.returncode == 0 and done.stdout for done in (hashes, ledger, journal)), ledger.stderr
    return Kept(hashes.stdout, ledger.stdout, journal.stdout)


def _same(before: Kept, after: Kept) -> None:
    assert before.hashes == after.hashes
    assert after.ledger.startswith(before.ledger)
    assert after.journal.startswith(before.journal)


def test_it_starts_and_waits_to_be_set_up(machine: Machine) -> None:
    machine.wait_for_ssh()
    machine.wait(lambda: machine.ssh("systemctl is-system-running").stdout != "starting\n", "the end of the start")
    print(machine.ssh("systemctl --failed; cat /proc/mounts /proc/uptime; df -h; rauc status; fw_printenv").stdout)
    assert machine.ssh("systemctl is-system-running").stdout == "running\n"
    assert machine.slot == "A"
    states = machine.ssh(f"systemctl is-active {' '.join(f'c1kiosk-{name}' for name in SERVICES)}").stdout.split()
    assert states == ["inactive"] * len(SERVICES)


def test_it_is_set_up_and_names_what_is_missing(machine: Machine, office: Office) -> None:
    """All services run, and what is not ready is what this machine does not have."""
    folder = office.folder / "etc"
    folder.mkdir()
    (folder / "kiosk.toml").write_text(KIOSK)
    (folder / "election.json").write_text(json.dumps(ELECTION))
    (folder / "collector.pem").write_text(parts.pem(parts.COLLECTOR.certificate))
    files = office.folder / "etc.tar"
    subprocess.run(["tar", "-C", folder, "-cf", files, "."], check=True)
    assert machine.ssh("cat >/run/etc.tar", given=files).returncode == 0
    done = machine.ssh(f"exec </run/etc.tar; {SET_UP}", seconds=HOUR)
    assert done.returncode == 0, done.stdout + done.stderr
    _wait_for_services(machine)
    page = machine.ssh(f"{PROGRAM} selftest --quick --json", seconds=HOUR)
    print(page.stdout, page.stderr)
    failed = {entry["check"] for entry in json.loads(page.stdout)["checks"] if entry["level"] == "failed"}
    assert failed == MISSING


def test_the_units_of_this_device_have_its_drop_ins(machine: Machine) -> None:
    """The root is read-only: c1kiosk-local made them of kiosk.toml under /run."""
    shown = machine.ssh("systemctl show c1kiosk-station -p DropInPaths -p PrivateNetwork -p IPAddressAllow").stdout
    assert "/run/systemd/system/c1kiosk-station.service.d/printer.conf" in shown
    assert "PrivateNetwork=no\n" in shown and "10.0.2.99" in shown


def _wait_for_services(machine: Machine) -> None:
    """Until all run; says how many instructions after the kernel's start each was ready."""
    for name in SERVICES:
        unit = f"c1kiosk-{name}.service"
        machine.wait(lambda: machine.ssh(f"systemctl is-active {unit}").returncode == 0, unit)  # noqa: B023
        print(machine.ssh(f"systemctl show {unit} -p Id -p ActiveEnterTimestampMonotonic").stdout)


def test_the_root_can_be_written(machine: Machine) -> None:
    assert machine.ssh("touch /usr/x").returncode != 0
    assert machine.ssh("mount -o remount,rw / && touch /etc/x; grep ' / ' /proc/mounts").stdout.startswith("/dev/")


def _install(machine: Machine, bundle: Path, seconds: float = HOUR) -> tuple[int, str]:
    done = machine.ssh("c1kiosk-update install -", given=bundle, seconds=seconds)
    print(f"--- {bundle.name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stderr


def _status(machine: Machine) -> str:
    return machine.ssh("c1kiosk-update status").stdout


def test_bundles_that_are_no_update(machine: Machine, office: Office) -> None:
    small = office.nothing("9.0.0")
    good = office.bundle(small)
    half = good.with_name("half.raucb")
    half.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    older = office.bundle(office.nothing("0.0.1"))
    for bundle, code in (
        (office.bundle(small, authority="release2", root="root2"), "update-bundle"),
        (half, "update-bundle"),
        (office.bundle(small, compatible="toaster"), "update-other-machine"),
        (older, "update-older"),
    ):
        status, said = _install(machine, bundle)
        assert status == 1 and code in said
    assert machine.ssh("blkid /dev/c1kiosk/root-b").returncode != 0, "the other slot was written"
    assert machine.ssh("ls /var/lib/c1kiosk/rauc/incoming.raucb").returncode != 0


def test_an_update_while_a_day_is_open(machine: Machine, office: Office) -> None:
    bundle = office.bundle(office.nothing("9.1.0"))
    toggle = office.folder / "day.py"
    toggle.write_text(OPEN_DAY)
    assert machine.ssh(AS_STATION, given=toggle).returncode == 0
    status, said = _install(machine, bundle)
    assert status == 1 and "day-open" in said
    assert machine.ssh(AS_STATION, given=toggle).returncode == 0


def test_the_plug_is_pulled_while_the_slot_is_written(machine: Machine, office: Office) -> None:
    bundle = office.bundle(office.release("0.2.0"))
    done = machine.ssh("cat >/var/lib/c1kiosk/update.raucb", given=bundle, seconds=HOUR)
    assert done.returncode == 0, done.stderr
    machine.ssh("systemd-run --collect c1kiosk-update install /var/lib/c1kiosk/update.raucb")
    machine.wait(
        lambda: (
            machine.ssh("dd if=/dev/c1kiosk/root-b bs=1M count=8 2>/dev/null | tr -d '\\0' | wc -c").stdout.strip()
            != "0"
        ),
        "writing",
    )
    machine.pull_the_plug()
    machine.plug_in()
    machine.wait_for_ssh()
    assert (machine.slot, machine.version) == (
        "A",
        json.loads((office.image / "manifest.json").read_bytes())["version"],
    )


def test_the_plug_is_pulled_while_a_good_update_is_on_trial(machine: Machine) -> None:
    before, seen = _kept(machine), len(machine.serial)
    done = machine.ssh("c1kiosk-update install /var/lib/c1kiosk/update.raucb", seconds=HOUR)
    print(done.stdout, done.stderr)
    machine.wait_for_serial("c1kiosk: slot B, tries left 3", seen)
    machine.wait_for_serial("Starting .*c1kiosk-signer", seen)
    machine.pull_the_plug()
    machine.plug_in()
    machine.wait_for_serial("c1kiosk: slot B, tries left 2", seen)
    machine.wait_for_ssh()
    assert (machine.slot, machine.version) == ("B", "0.2.0")
    machine.wait(lambda: "kept: 0.2.0 in slot B" in _status(machine), "the slot to be kept")
    _wait_for_services(machine)
    _same(before, _kept(machine))
    assert {"BOOT_ORDER=B A", "BOOT_B_LEFT=9"} <= set(machine.ssh("fw_printenv").stdout.splitlines())
    assert machine.ssh("/usr/lib/c1kiosk/may-install 9.9.9").returncode == 0, "it is the last update for ever"


def _goes_back(machine: Machine, before: Kept) -> None:
    """The machine comes back with 0.2.0 in slot B, and says so."""
    machine.wait(lambda: "returned: 0.2.0 in slot B" in _status(machine), "the return", 2 * HOUR)
    assert (machine.slot, machine.version) == ("B", "0.2.0")
    _same(before, _kept(machine))


def test_the_system_of_an_update_does_not_start(machine: Machine, office: Office) -> None:
    broken = office.bundle(office.kernel_alone("0.3.0"))
    before, seen = _kept(machine), len(machine.serial)
    assert _install(machine, broken)[0] == 0
    _goes_back(machine, before)
    tries = re.findall("c1kiosk: slot (.), tries left ([0-9]+)", machine.serial[seen:])
    assert tries == [("A", "3"), ("A", "2"), ("A", "1"), ("B", "9")]


def test_the_services_of_an_update_do_not_start(machine: Machine, office: Office) -> None:
    """It comes on a stick that was in the machine when it was switched on."""
    broken = office.bundle(office.release("0.4.0", "rm /opt/c1kiosk", "symlink /opt/c1kiosk /nowhere"))
    stick = office.folder / "stick.img"
    subprocess.run(["truncate", "-s", "2G", stick], check=True)
    subprocess.run(["mkfs.vfat", "-F", "32", "-n", "C1UPDATE", stick], check=True, capture_output=True)
    subprocess.run(["mcopy", "-i", stick, broken, "::"], check=True)
    before = _kept(machine)
    machine.pull_the_plug()
    machine.extra = ("-device", "qemu-xhci", "-drive", f"file={stick},format=raw,if=none,id=stick")
    machine.extra += ("-device", "usb-storage,drive=stick")
    seen = len(machine.serial)
    machine.plug_in()
    machine.wait_for_serial("c1kiosk: slot A, tries left 3", seen, 2 * HOUR)
    machine.wait_for_serial("c1kiosk: slot B, tries left 9", seen, 2 * HOUR)
    _goes_back(machine, before)
    machine.wait(
        lambda: "update-given-up" in machine.ssh("journalctl -b -u 'c1kiosk-update@*'").stdout, "no second try"
    )
