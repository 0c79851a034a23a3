"""Sticks plugged into a running kiosk: Debian's kernel, udev and systemd, real FAT and exFAT, pulled out while written.

In an emulated machine, so with C1KIOSK_APPLIANCE=1 only. One machine for all of it: the tests are the hours of one
evening, in their order, and what the sticks hold in the end is taken to a collector.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.sealing import LAYOUT
from tests.sticks import EveningKiosk, make_kiosk
from tests.system import usb_guest
from tests.system.usb_guest import UsbGuest, crowded, examine, files_of, fill, stick

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        os.environ.get("C1KIOSK_APPLIANCE") != "1", reason="takes half an hour; set C1KIOSK_APPLIANCE=1"
    ),
    pytest.mark.skipif(
        not usb_guest.possible(), reason="needs root, mmdebstrap, QEMU, mtools, dosfstools, exfatprogs and exfat-fuse"
    ),
]
RECORDS, PICTURE_BYTES = 4, 1_500_000
PICTURES = RECORDS * len(LAYOUT.pages)
PULLS = 2
KINDS = ("exfat", "vfat")


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> EveningKiosk:
    return make_kiosk(tmp_path_factory.mktemp("kiosk"), RECORDS, PICTURE_BYTES)


@pytest.fixture(scope="module")
def guest(kiosk: EveningKiosk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsbGuest]:
    folder = tmp_path_factory.mktemp("guest")
    root = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", usb_guest.base().resolve(), root], check=True)
    usb_guest.install(root, kiosk.folder)
    usb_guest.disk(root, folder / "disk.img")
    with UsbGuest(folder, root, folder / "disk.img") as running:
        running.run("while ! test -S /run/c1kiosk/head.sock; do sleep 1; done")
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sticks themselves."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each stick that is taken to the collector."""
    return tmp_path_factory.mktemp("brought")


def put_in(guest: UsbGuest, sticks: dict[str, Path], locked: Sequence[str] = (), told: int = 0) -> list[str]:
    """Plugs sticks in, all at once, and pulls them out when they, or so many, are told to be loose: what was told."""
    guest.forget()
    for name, path in sticks.items():
        guest.plug(name, path, name not in locked)
    notes = guest.released(told or len(sticks))
    assert guest.run("findmnt -n -t vfat,exfat,ext4 | grep -v /dev/vda") == ""
    for name in sticks:
        guest.pull(name)
    assert all(note["records"] == RECORDS for note in notes if note["state"] != "unreadable")
    return sorted(note["state"] for note in notes)


def verified(kiosk: EveningKiosk, folder: Path) -> list[str]:
    """The names of the bundles in a folder, each of which has to hold for `c1kiosk verify`."""
    bundles = sorted(path for path in folder.glob("*.tar") if path.is_file())
    command = Path(sys.executable).with_name("c1kiosk")
    for bundle in bundles:
        done = subprocess.run(
            [command, "verify", "--trust", kiosk.world.trust_folder, bundle],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return [bundle.name for bundle in bundles]


def test_two_sticks_at_once(guest: UsbGuest, kiosk: EveningKiosk, images: Path, brought: Path) -> None:
    """exFAT and FAT32: written onto mounts with nothing allowed, unmounted, told."""
    sticks = {kind: stick(images / f"{kind}.img", kind, 128) for kind in KINDS}
    assert put_in(guest, sticks) == ["written", "written"]
    for kind, path in sticks.items():
        examine(path, kind)
        assert len(verified(kiosk, files_of(path, kind, brought / kind))) == 1
    log = guest.run("journalctl -b -u 'c1kiosk-stick@*' --no-pager -o cat")
    assert not any(word in log for word in ("Failed", "Traceback", "warning")), log


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_sticks_are_pulled_out_while_they_are_written(
    guest: UsbGuest, kiosk: EveningKiosk, tmp_path: Path, brought: Path
) -> None:
    """At random moments; the screen says so, nothing half has a bundle's name, and the next time they are whole."""
    sticks = {kind: stick(tmp_path / f"{kind}.img", kind, 128) for kind in KINDS}
    moments, states = random.Random(5), set()
    for number in range(PULLS):
        guest.forget()
        for kind, path in sticks.items():
            guest.plug(f"{kind}{number}", path)
        written_to(guest, moments.randint(0, 80))
        for kind in sticks:
            guest.pull(f"{kind}{number}")
        states |= {note["state"] for note in guest.released(len(sticks))}
        for kind, path in sticks.items():
            verified(kiosk, files_of(path, kind, tmp_path / f"{kind}{number}"))
    assert "pulled" in states and states <= {"pulled", "written", "already"}, states
    assert set(put_in(guest, sticks)) <= {"written", "already"}
    for kind, path in sticks.items():
        found = files_of(path, kind, brought / f"pulled-{kind}")
        (name,) = verified(kiosk, found)
        assert [each.name for each in found.iterdir()] == [name]  # and no half


def written_to(guest: UsbGuest, percent: int) -> None:
    """Waits until both are told of and one of them is written this far."""
    deadline = time.monotonic() + usb_guest.START_SECONDS
    while True:
        notes = guest.notes().values()
        if len(notes) == len(KINDS) and any(note["loose"] or note["percent"] >= percent for note in notes):
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_one_comes_again_and_one_was_prepared_by_somebody(
    guest: UsbGuest, images: Path, tmp_path: Path, brought: Path
) -> None:
    """The first stays as it is. On the other the bundle's name is a folder, the next a spoiled copy; strange names,
    a half of ours, a half of another."""
    (name,) = (path.stem for path in (brought / "exfat").glob("*.tar"))
    there = tmp_path / "there"
    deep = there.joinpath(f"{name}.tar", *map(str, range(20)))
    deep.mkdir(parents=True)
    spoiled = bytearray((brought / "exfat" / f"{name}.tar").read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    (there / f"{name}-2.tar").write_bytes(spoiled)
    owner, half = name[: -len("000004-000000000000")], "000001-aaaaaaaaaaaa.tar.part"
    strange = ("AUTORUN.INF", "$(reboot).tar", "-rf", "é" * 120, "\u202egpj.tar", f"c1kiosk-other-{half}")
    for each in (*strange, f"{owner}{half}"):
        (there / each).write_bytes(b"strange")
    (deep / "bundle.tar").write_bytes(b"strange")
    path = stick(tmp_path / "stick.img", "vfat", 256)
    fill(path, there)
    assert put_in(guest, {"again": images / "exfat.img", "prepared": path}) == ["already", "written"]
    assert contents(files_of(images / "exfat.img", "exfat", tmp_path / "again")) == contents(brought / "exfat")
    examine(path, "vfat")
    found = files_of(path, "vfat", brought / "prepared")
    (there / f"{owner}{half}").unlink()
    left = contents(found)
    assert left.pop(f"{name}-3.tar") == hashlib.sha256((brought / "exfat" / f"{name}.tar").read_bytes()).hexdigest()
    assert left == contents(there)


def test_one_is_full_one_is_locked_one_is_crowded(guest: UsbGuest, tmp_path: Path) -> None:
    """The crowded one has other file systems than sticks have: of its partitions the first four are told of."""
    small, locked = stick(tmp_path / "small.img", "exfat", 16), stick(tmp_path / "locked.img", "vfat", 128)
    linux = crowded(tmp_path / "linux.img", partitions=6)
    before = [path.read_bytes() for path in (locked, linux)]
    states = put_in(guest, {"small": small, "locked": locked, "linux": linux}, locked=("locked",), told=6)
    assert states == ["full", "read-only", *["unreadable"] * 4]
    assert [path.read_bytes() for path in (locked, linux)] == before
    examine(small, "exfat")
    assert contents(files_of(small, "exfat", tmp_path / "small")) == {}


def test_the_kiosks_own_disk_is_no_stick(guest: UsbGuest) -> None:
    ask = "cd /; /opt/c1kiosk/.venv/bin/python -m firmware.uplink.system_disk"
    assert guest.run(f"{ask} vda 2>&1; echo $?").splitlines() == ["vda: this machine runs from that disk", "1"]


def test_a_collector_takes_what_was_brought(kiosk: EveningKiosk, brought: Path, tmp_path: Path) -> None:
    """All of it from each stick, once; the spoiled and the strange files are refused, each with its reason."""
    first, again = (imported(kiosk, brought, tmp_path / "collector") for _ in range(2))
    bundles = sum(1 for row in first["files"] if not row["refused"])
    assert bundles == len(list(brought.iterdir())) == 5
    records = RECORDS * bundles
    assert counts(first) == {"new": RECORDS, "here": records - RECORDS, "pictures": PICTURES, "missing": 0}
    assert counts(again) == {"new": 0, "here": records, "pictures": 0, "missing": 0}
    refused = {Path(row["file"]).name: row["refused"][0]["code"] for row in first["files"] if row["refused"]}
    assert len(refused) == first["total"]["refused"] == again["total"]["refused"] == 4
    assert set(refused.values()) <= {"bundle-index", "bundle-form", "bundle-picture", "stick-too-deep"}, refused


def imported(kiosk: EveningKiosk, brought: Path, data: Path) -> dict[str, Any]:
    """What `collector.stick` says of it all."""
    options: list[str | Path] = ["--data", data, "--trust", kiosk.world.trust_folder, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "collector.stick", *options, *sorted(brought.iterdir())],
        capture_output=True,
        text=True,
        check=False,
        cwd=usb_guest.ROOT,
    )
    assert done.returncode == 1, done.stderr  # since something was refused
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def counts(result: dict[str, Any]) -> dict[str, int]:
    return {name: result["total"][name] for name in ("new", "here", "pictures", "missing")}
