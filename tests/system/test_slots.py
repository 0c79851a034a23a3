"""Which slot starts: U-Boot itself, with boot.cmd as it stands on a kiosk's disk, in QEMU's arm64 machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.kiosk_machine import UBOOT, UNCOUNTED, Machine

PARTS = ("qemu-system-aarch64", "mkimage", "mkenvimage", "mcopy", "mkfs.vfat", "sfdisk")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not UBOOT.exists() or not all(map(shutil.which, PARTS)), reason="no U-Boot or QEMU for arm64"),
]

BOOT_COMMANDS = Path("provisioning/image/boot/boot.cmd")
MIB = 1 << 20
BOOT_MIB = 40
SECONDS = 120
TABLE = f"label: gpt\nfirst-lba: 2048\nsize={BOOT_MIB}MiB, name=boot, attrs=LegacyBIOSBootable\nsize=1MiB\nsize=1MiB\n"


def _run(*command: str | Path, given: str = "") -> None:
    subprocess.run(command, input=given.encode(), check=True, capture_output=True)


class Card:
    """A disk with a boot partition and two slots that hold nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.disk, self._boot = folder, folder / "disk.img", folder / "boot.vfat"
        _run("truncate", "-s", str(BOOT_MIB * MIB), self._boot)
        _run("mkfs.vfat", "-F", "32", self._boot)
        _run("truncate", "-s", str((BOOT_MIB + 4) * MIB), self.disk)
        _run("sfdisk", "--quiet", self.disk, given=TABLE)
        _run("mkimage", "-q", "-A", "arm64", "-T", "script", "-C", "none", "-d", BOOT_COMMANDS, folder / "boot.scr")
        _run("mcopy", "-i", self._boot, folder / "boot.scr", "::")

    def write(self, slots: bytes) -> None:
        """What slots.env holds."""
        (self.folder / "slots.env").write_bytes(slots)
        _run("mcopy", "-o", "-i", self._boot, self.folder / "slots.env", "::")
        _run("dd", f"if={self._boot}", f"of={self.disk}", "bs=1M", "seek=1", "conv=notrunc", "status=none")

    def slots(self, order: str, a: int, b: int) -> bytes:
        """As RAUC writes them."""
        out = self.folder / "made.env"
        _run(
            "mkenvimage",
            "-s",
            "0x4000",
            "-o",
            out,
            "-",
            given=f"BOOT_ORDER={order}\nBOOT_A_LEFT={a}\nBOOT_B_LEFT={b}\n",
        )
        return out.read_bytes()

    def tried(self, starts: int) -> list[str]:
        """The slots of the first starts, as U-Boot says them; each fails, for there is no kernel in any."""

        def said() -> list[str]:
            return [line for line in machine.serial.splitlines() if line.startswith("c1kiosk: ")]

        with Machine(self.folder, self.disk, Path("/dev/null"), clock=UNCOUNTED) as machine:
            machine.wait(lambda: sum("tries left" in line for line in said()) >= starts, "a slot", SECONDS)
        return [line.removeprefix("c1kiosk: ") for line in said()]


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def test_a_slot_on_trial_does_not_start(card: Card) -> None:
    card.write(card.slots("B A", a=9, b=3))
    assert card.tried(2)[:3] == ["slot B, tries left 3", "slot B does not start", "slot A, tries left 9"]


def test_the_file_with_the_slots_is_torn(card: Card) -> None:
    card.write(card.slots("B A", a=9, b=3)[:4096].ljust(16384, b"\0"))
    assert card.tried(1)[0] == "slot A, tries left 9"


def test_no_slot_is_left(card: Card) -> None:
    card.write(card.slots("B A", a=0, b=0))
    assert card.tried(2)[:2] == ["no slot is left; both are tried again", "slot B, tries left 1"]
