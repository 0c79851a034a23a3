"""Sticks plugged into a running kiosk: Debian's kernel, udev and systemd, real FAT and exFAT, pulled out while written.

In an emulated machine, so with C1KIOSK_APPLIANCE=1 only.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.signing.bundling import check
from tests.sticks import EveningKiosk, make_kiosk
from tests.system import usb_guest
from tests.system.usb_guest import UsbGuest, files_of, stick

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.environ.get("C1KIOSK_APPLIANCE") != "1", reason="takes minutes; set C1KIOSK_APPLIANCE=1"),
    pytest.mark.skipif(not usb_guest.possible(), reason="needs root, mmdebstrap, QEMU, dosfstools and exfatprogs"),
]
RECORDS, PICTURE_BYTES = 4, 4_000_000
PULLS = 6


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


def held(kiosk: EveningKiosk, path: Path, kind: str, folder: Path) -> list[str]:
    """The bundles on a stick, each of which has to hold."""
    found = sorted(files_of(path, kind, folder).glob("*.tar"))
    for bundle in found:
        check(bundle, kiosk.world.trust)
    return [bundle.name for bundle in found]


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_stick_is_plugged_in(guest: UsbGuest, kiosk: EveningKiosk, tmp_path: Path, kind: str) -> None:
    """Written by the unit's user onto a mount with nothing allowed, unmounted, and told."""
    path = stick(tmp_path / "stick.img", kind, 256)
    guest.plug(kind, path)
    assert guest.until("written")["records"] == RECORDS
    assert guest.run("findmnt -n -t vfat,exfat") == ""
    guest.pull(kind)
    names = held(kiosk, path, kind, tmp_path / "found")
    assert len(names) == 1
    guest.plug(kind, path)
    guest.until("already")
    guest.pull(kind)
    assert held(kiosk, path, kind, tmp_path / "again") == names
    log = guest.run("journalctl -b -u 'c1kiosk-stick@*' --no-pager -o cat")
    assert "Failed" not in log


def test_two_sticks_one_full_and_one_locked(guest: UsbGuest, tmp_path: Path) -> None:
    small, locked = stick(tmp_path / "small.img", "exfat", 16), stick(tmp_path / "locked.img", "vfat", 256)
    guest.plug("small", small)
    guest.plug("locked", locked, writable=False)
    guest.until("full")
    guest.until("read-only")
    assert {note["state"] for note in guest.notes().values() if note["loose"]} >= {"full", "read-only"}
    guest.pull("small")
    guest.pull("locked")


def test_a_stick_has_another_file_system(guest: UsbGuest, tmp_path: Path) -> None:
    path = stick(tmp_path / "stick.img", "ext4", 64)
    guest.plug("linux", path)
    guest.until("unreadable")
    assert guest.run("findmnt -n -S LABEL=none; mount | grep c1kiosk-stick") == ""
    guest.pull("linux")


def test_the_stick_is_pulled_out_while_it_is_written(guest: UsbGuest, kiosk: EveningKiosk, tmp_path: Path) -> None:
    """At random moments; the screen says so, nothing half has a bundle's name, and the next time it is whole."""
    path, moments, states = stick(tmp_path / "stick.img", "exfat", 256), random.Random(5), []
    for number in range(PULLS):
        guest.plug(f"pulled{number}", path)
        aim, deadline = moments.randint(0, 90), time.monotonic() + usb_guest.START_SECONDS
        while not any((n["state"] == "writing" and n["percent"] >= aim) or n["loose"] for n in guest.notes().values()):
            assert time.monotonic() < deadline
        guest.pull(f"pulled{number}")
        states.append(guest.until("pulled written already")["state"])
        held(kiosk, path, "exfat", tmp_path / f"found{number}")
        guest.run("rm -f /run/c1kiosk/stick/*.json")
    assert "pulled" in states
    assert guest.run("findmnt -n -t vfat,exfat") == ""
    guest.plug("last", path)
    guest.until("written already")
    guest.pull("last")
    assert len(held(kiosk, path, "exfat", tmp_path / "last")) == 1
