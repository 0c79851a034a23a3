"""A bundle on real file systems of this machine: exFAT (in user space) and ext4; full, read-only, gone on the way."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware.signing.bundling import check
from firmware.uplink.stick import StickState, put
from tests.sticks import EveningKiosk, make_kiosk

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.getuid() != 0, reason="only root mounts"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("mkfs.exfat", "mount.exfat-fuse"))), reason="no exfatprogs or exfat-fuse here"
    ),
]
MEGABYTE = 1024 * 1024
PULLS = 12


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> EveningKiosk:
    return make_kiosk(tmp_path_factory.mktemp("kiosk"), records=2, size=1_000_000)


class Stick:
    """A file system in a file, on a loop device."""

    def __init__(self, folder: Path, megabytes: int, *make: str) -> None:
        self._image, self.mount = folder / "stick.img", folder / "mount"
        self.mount.mkdir()
        with self._image.open("wb") as file:
            file.truncate(megabytes * MEGABYTE)
        subprocess.run([*make, self._image], check=True, capture_output=True)
        command: list[str | Path] = ["losetup", "--show", "-f", self._image]
        self._loop = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        self._server: subprocess.Popen[bytes] | None = None

    def plug(self, *options: str) -> None:
        """exFAT, by a process that stands for the stick."""
        command = ["mount.exfat-fuse", "-d", "-o", ",".join(("rw", *options)), self._loop, str(self.mount)]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.mount.is_mount():
            assert self._server.poll() is None
            time.sleep(0.01)

    def mount_with(self, *options: str) -> None:
        """By the kernel."""
        subprocess.run(["mount", "-o", ",".join(options), self._loop, self.mount], check=True)

    def pull(self) -> None:
        """It is gone, whatever was under way."""
        assert self._server
        self._server.kill()
        self._server.wait()
        subprocess.run(["umount", "--lazy", self.mount], check=True)

    def unmount(self) -> None:
        """As the unit does."""
        if self.mount.is_mount():
            subprocess.run(["umount", self.mount], check=True)
        if self._server:
            self._server.wait()

    def close(self) -> None:
        """Nothing of it stays."""
        subprocess.run(["umount", "--lazy", "--quiet", self.mount], check=False)
        subprocess.run(["losetup", "-d", self._loop], check=True)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Stick]]:
    sticks: list[Stick] = []

    def make(megabytes: int, *command: str) -> Stick:
        sticks.append(Stick(tmp_path, megabytes, *command))
        return sticks[-1]

    yield make
    for each in sticks:
        each.close()


def bundles(where: Stick) -> list[Path]:
    return sorted(where.mount.glob("*.tar"))


def test_exfat_is_written_and_comes_again(made: Callable[..., Stick], kiosk: EveningKiosk) -> None:
    exfat = made(64, "mkfs.exfat")
    exfat.plug()
    assert put(kiosk.parcel(), exfat.mount) is StickState.WRITTEN
    exfat.unmount()
    exfat.plug()
    (path,) = bundles(exfat)
    check(path, kiosk.world.trust)
    assert put(kiosk.parcel(), exfat.mount) is StickState.ALREADY
    assert bundles(exfat) == [path]
    exfat.unmount()


def test_exfat_is_full(made: Callable[..., Stick], kiosk: EveningKiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    exfat = made(4, "mkfs.exfat")
    exfat.plug()
    assert put(kiosk.parcel(), exfat.mount) is StickState.FULL
    room = os.statvfs("/")
    monkeypatch.setattr(os, "statvfs", lambda _path: room)  # a stick that lies about its room
    assert put(kiosk.parcel(), exfat.mount) is StickState.FULL
    assert list(exfat.mount.iterdir()) == []
    exfat.unmount()


def test_exfat_is_locked(made: Callable[..., Stick], kiosk: EveningKiosk) -> None:
    exfat = made(64, "mkfs.exfat")
    exfat.plug("ro")
    assert put(kiosk.parcel(), exfat.mount) is StickState.READ_ONLY
    exfat.unmount()


def test_a_file_system_of_the_kernel_is_locked_or_full(made: Callable[..., Stick], kiosk: EveningKiosk) -> None:
    ext4 = made(8, "mke2fs", "-q", "-t", "ext4")
    ext4.mount_with("ro")
    assert put(kiosk.parcel(), ext4.mount) is StickState.READ_ONLY
    ext4.mount_with("remount", "rw")
    (ext4.mount / "holiday.jpg").write_bytes(bytes(3 * MEGABYTE))
    assert put(kiosk.parcel(), ext4.mount) is StickState.FULL
    assert bundles(ext4) == []


def test_the_stick_is_pulled_out_while_it_is_written(made: Callable[..., Stick], kiosk: EveningKiosk) -> None:
    """At random moments, until it was cut at least once half way: no half is ever taken for a whole one."""
    exfat, parcel, moments = made(64, "mkfs.exfat"), kiosk.parcel(), random.Random(3)
    outcomes = []
    for _ in range(PULLS):
        exfat.plug()
        for path in bundles(exfat):
            check(path, kiosk.world.trust)
            path.unlink()
        pulling = threading.Timer(moments.uniform(0, 0.4), exfat.pull)
        pulling.start()
        outcomes.append(put(parcel, exfat.mount))
        pulling.join()
    assert StickState.BROKEN in outcomes
    exfat.plug()
    assert put(parcel, exfat.mount) in (StickState.WRITTEN, StickState.ALREADY)
    (path,) = bundles(exfat)
    check(path, kiosk.world.trust)
    exfat.unmount()
