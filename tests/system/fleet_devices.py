"""Devices on a LAN: each is a network namespace with a real sshd in a root of its own, a layer over a shared one.

    office namespace: bridge 10.78.0.254/24  --- veth ---  10.78.0.N: device N, chroot in an overlay, sshd as root

The kernel is shared and systemd does not run in them; Debian's programs, users, disks and ssh are real. A device can
be unplugged (its link goes down), its card swapped (another root answers), its disk filled.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = "10.78.0"
OFFICE = f"{NETWORK}.254"
SSHD_WITHIN = 30.0
_SSHD = """
ListenAddress 0.0.0.0
PermitRootLogin prohibit-password
AuthorizedKeysFile /etc/ssh/authorized
UsePAM no
PidFile none
MaxStartups 100
"""


def possible() -> bool:
    """Whether this machine and this user can have such devices."""
    return os.getuid() == 0 and all(map(shutil.which, ("ip", "unshare", "ssh", "sshd", "ssh-keygen")))


@dataclass
class Device:
    """One device."""

    number: int
    folder: Path
    lower: str
    """Roots that it shares, as overlayfs takes them."""
    namespace: str
    running: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """Its file system."""
        return self.folder / "root"

    @property
    def address(self) -> str:
        """On the LAN."""
        return f"{NETWORK}.{self.number}"

    def mount(self, size: str) -> None:
        """The device's own layer is a file system of `size`, so that its disk can be full."""
        layer = self.folder / "layer"
        for path in (layer, self.root):
            path.mkdir(parents=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "layer", str(layer))
        for name in ("upper", "work"):
            (layer / name).mkdir()
        options = f"lowerdir={self.lower},upperdir={layer}/upper,workdir={layer}/work"
        _run("mount", "-t", "overlay", "-o", options, "overlay", str(self.root))

    def prepare(self, public_key: Path) -> None:
        """Its own number and ssh host key, and who may enter."""
        (self.root / "etc" / "machine-id").write_text(secrets.token_hex(16) + "\n")
        etc = self.root / "etc" / "ssh"
        for old in etc.glob("ssh_host_*"):
            old.unlink()
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / "ssh_host_ed25519_key"))
        (etc / "authorized").write_bytes(public_key.read_bytes())
        (etc / "sshd_config").write_text(_SSHD + "HostKey /etc/ssh/ssh_host_ed25519_key\n")
        (self.root / "run" / "sshd").mkdir(parents=True, exist_ok=True)

    def resize(self, size: str) -> None:
        """Room is made, or taken."""
        _run("mount", "-o", f"remount,size={size}", str(self.folder / "layer"))

    def start(self) -> None:
        """Power on: sshd listens when this returns."""
        script = 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; exec chroot "$1" /usr/sbin/sshd -D'
        command = ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        self.running = subprocess.Popen(
            [*command, "bash", "-c", script, "device", str(self.root)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + SSHD_WITHIN
        listening = ["ip", "netns", "exec", self.namespace, "ss", "-Hltn", "sport = :22"]
        while not subprocess.run(listening, capture_output=True, check=True).stdout:
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.1)

    def stop(self) -> None:
        """Power off."""
        if self.running is not None:
            os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
            self.running = None

    def plug(self, up: bool) -> None:
        """The cable, in the device's socket."""
        _run("ip", "-n", self.namespace, "link", "set", "lan", "up" if up else "down")

    def at(self, words: Sequence[str], said: str) -> subprocess.CompletedProcess[str]:
        """Somebody sits at the device itself and types; `said` is what is asked for."""
        script = 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; exec chroot "$@"'
        command = ["unshare", "--mount", "--pid", "--fork", "bash", "-c", script, "device", str(self.root), *words]
        return subprocess.run(command, input=said, capture_output=True, text=True, check=False)

    def inside(self, *command: str) -> str:
        """A program of the device, on the device."""
        done = subprocess.run(["chroot", str(self.root), *command], capture_output=True, check=True, text=True)
        return done.stdout


@dataclass
class Lan:
    """The office's network and the devices on it."""

    folder: Path
    office: str = field(default_factory=lambda: f"c1f-{os.getpid()}")
    devices: dict[int, Device] = field(default_factory=dict)

    def __enter__(self) -> Lan:
        self.folder.mkdir(parents=True, exist_ok=True)
        _run("ip", "netns", "add", self.office)
        self._office("ip", "link", "add", "lan", "type", "bridge")
        self._office("ip", "address", "add", f"{OFFICE}/24", "dev", "lan")
        for name in ("lan", "lo"):
            self._office("ip", "link", "set", name, "up")
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "laptop"))
        return self

    def add(self, number: int, lower: str, size: str = "4g") -> Device:
        """A device on the LAN, switched off."""
        device = Device(number, self.folder / f"device-{number}", lower, f"{self.office}-{number}")
        _run("ip", "netns", "add", device.namespace)
        port = f"port{number}"
        self._office("ip", "link", "add", port, "type", "veth", "peer", "name", "lan", "netns", device.namespace)
        self._office("ip", "link", "set", port, "master", "lan", "up")
        for words in (["address", "add", f"{device.address}/24", "dev", "lan"], ["link", "set", "lan", "up"],
                      ["link", "set", "lo", "up"]):  # fmt: skip
            _run("ip", "-n", device.namespace, *words)
        device.mount(size)
        device.prepare(self.folder / "laptop.pub")
        self.devices[number] = device
        return device

    def command(self, words: Sequence[str]) -> list[str]:
        """A command line that runs on the laptop, that is in the office's namespace."""
        return ["ip", "netns", "exec", self.office, *words]

    def __exit__(self, *_what: object) -> None:
        for device in self.devices.values():
            device.stop()
            for path in (device.root, device.folder / "layer"):
                subprocess.run(["umount", "--recursive", "--lazy", str(path)], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", device.namespace], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.office], check=False, capture_output=True)

    def _office(self, *words: str) -> None:
        _run("ip", "netns", "exec", self.office, *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
