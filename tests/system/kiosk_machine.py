"""A kiosk's disk in a machine of its own: QEMU's arm64 `virt`, started by U-Boot as a Pi is, reached over ssh.

The image is used as it is built; only a technician's key is put on its data partition, as a technician would. A start
takes minutes, so what starts a whole image runs with C1KIOSK_APPLIANCE=1 only.

The machine's clock counts its instructions (QEMU's -icount), two nanoseconds each, and goes on by itself while it has
nothing to do: however busy the host is, a service that may take two minutes to start has the same number of
instructions for it, and the time that a start took is a figure of the program and not of the host.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
DATA_PARTITION = 4
SECTOR = 512
START_SECONDS = 3600
"""An emulated start on a machine with two cores that do other work besides."""
COUNTED = ("-smp", "1", "-accel", "tcg,thread=single", "-icount", "shift=1", "-rtc", "clock=vm")
UNCOUNTED = ("-smp", "2", "-accel", "tcg,thread=multi")
PAUSE_SECONDS = 2.0


def offset_of(disk: Path, partition: int) -> int:
    """Where a partition begins, in bytes."""
    table = subprocess.run(["sfdisk", "--dump", disk], check=True, capture_output=True, text=True).stdout
    line = next(line for line in table.splitlines() if line.startswith(f"{disk}{partition} "))
    return int(line.split("start=")[1].split(",")[0]) * SECTOR


def put_on_data(disk: Path, files: Sequence[tuple[Path, str]]) -> None:
    """Copies files onto the data partition of a disk that is not in use."""
    where = f"{disk}?offset={offset_of(disk, DATA_PARTITION)}"
    commands = "".join(f"rm {target}\nwrite {source} {target}\n" for source, target in files)
    subprocess.run(["debugfs", "-w", "-f", "-", where], input=commands, check=True, capture_output=True, text=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Machine:
    """One kiosk. Use it as a context: leaving it is pulling the plug."""

    folder: Path
    disk: Path
    key: Path
    """The technician's private key."""
    port: int = field(default_factory=_free_port)
    extra: tuple[str, ...] = ()
    clock: tuple[str, ...] = COUNTED
    _process: subprocess.Popen[bytes] | None = None

    @property
    def serial(self) -> str:
        """Everything that came over the serial line since the machine was plugged in first."""
        path = self.folder / "serial.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def __enter__(self) -> Machine:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_the_plug()

    def plug_in(self) -> None:
        """Power on."""
        log = (self.folder / "serial.log").open("ab")
        command = [
            *("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-m", "2G", *self.clock),
            *("-display", "none", "-serial", "stdio", "-monitor", "none", "-bios", str(UBOOT)),
            *("-drive", f"file={self.disk},format=raw,if=none,id=card", "-device", "virtio-blk-pci,drive=card"),
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
            *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci", *self.extra),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        log.close()

    def pull_the_plug(self) -> None:
        """Power off, whatever it was doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ssh(
        self, command: str, *, given: Path | None = None, seconds: float = START_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """A command as root over ssh; `given` is its standard input."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=20", "-o", "BatchMode=yes", "-i", str(self.key), "-p", str(self.port)]
        line = ["ssh", *options, "root@127.0.0.1", command]
        with (given or Path("/dev/null")).open("rb") as source:
            done = subprocess.run(line, stdin=source, capture_output=True, timeout=seconds, check=False)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    def wait_for_ssh(self, seconds: float = START_SECONDS) -> None:
        """Until a technician can get in."""
        self.wait(lambda: self.ssh("true").returncode == 0, "ssh", seconds)

    def wait_for_serial(self, text: str, after: int = 0, seconds: float = START_SECONDS) -> None:
        """Until `text`, a regular expression, came over the serial line, after its first `after` characters."""
        self.wait(lambda: re.search(text, self.serial[after:]) is not None, text, seconds)

    def wait(self, holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Until something holds; an AssertionError with the end of the serial line when it does not in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self._process is not None and self._process.poll() is None, (
                f"the machine is off: {self.serial[-2000:]}"
            )
            if holds():
                return
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"not in {seconds} s: {what}\n{self.serial[-2000:]}")

    @property
    def slot(self) -> str:
        """A or B, as the running system has it."""
        return self.ssh("sed -n 's/.*rauc.slot=\\([AB]\\).*/\\1/p' /proc/cmdline").stdout.strip()

    @property
    def version(self) -> str:
        """Of the image that runs."""
        return self.ssh("sed -n 's/^IMAGE_VERSION=//p' /etc/os-release").stdout.strip()
