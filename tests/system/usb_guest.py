"""A kiosk in a machine of its own, into which USB sticks are plugged while it runs.

QEMU with Debian's kernel, udev and systemd, real vfat and exfat, our unit and rule as they are installed; a machine
that runs tests need not have any of it. Commands reach the guest by a virtual serial port; sticks come and go by
QEMU's own control socket.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE = ROOT / "build" / "roots" / "bookworm-usb"
PACKAGES = "systemd,systemd-sysv,udev,dbus,linux-image-amd64,python3,kmod,mount,util-linux"
START_SECONDS = 3600.0
"""Everything is emulated; it takes a minute on a machine with nothing else to do, and many on one that has."""
KERNEL_OPTIONS = "root=/dev/vda rw console=ttyS0 quiet mitigations=off no5lvl"
"""What guards a real processor only makes an emulated one slower."""
MEGABYTE = 1024 * 1024
SPARE_BYTES = 400 * MEGABYTE
PROBE = """
import base64, contextlib, json, pathlib, subprocess
port = open("/dev/virtio-ports/probe", "r+b", buffering=0)
port.write(b'{"ready": true}\\n')
for line in iter(port.readline, b""):
    if line == b"notes\\n":
        notes = []
        for path in pathlib.Path("/run/c1kiosk/stick").glob("[a-z]*.json"):
            with contextlib.suppress(FileNotFoundError):
                notes.append(path.read_text())
        port.write(json.dumps([0, notes]).encode() + b"\\n")
        continue
    done = subprocess.run(base64.b64decode(line), shell=True, capture_output=True)
    port.write(json.dumps([done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")]).encode() + b"\\n")
"""
PROBE_UNIT = """
[Unit]
After=systemd-udevd.service
[Service]
ExecStart=/usr/bin/python3 /probe.py
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""
LEDGER_UNIT = """
[Unit]
Description=Holds the ledger and the outbox open as the station and the uplink do
[Service]
User=c1kiosk-station
Group=c1kiosk
UMask=0007
ExecStart=/opt/c1kiosk/.venv/bin/python -c "import time; from pathlib import Path; \
from firmware.ledger.outbox import Outbox; from firmware.ledger.store import Ledger; \
ledger = Ledger.open(Path('/var/lib/c1kiosk/ledger')); outbox = Outbox.open(Path('/var/lib/c1kiosk/outbox')); \
ledger.records(); outbox.deliveries(); time.sleep(1e9)"
[Install]
WantedBy=multi-user.target
"""
PATIENCE_UNIT = """
[Service]
TimeoutStartSec=30min
TimeoutStopSec=30min
WatchdogSec=30min
"""
"""Emulated, everything takes twenty times as long: a signer that has not answered itself within 30 s is no hung one,
nor a stick's unit that has not ended within 90 s."""


def possible() -> bool:
    """Whether this machine and this user can make and run one."""
    needed = (
        "mmdebstrap qemu-system-x86_64 mke2fs sfdisk mkfs.exfat mkfs.vfat fsck.exfat fsck.vfat mount.exfat-fuse mcopy"
    )
    return os.getuid() == 0 and all(map(shutil.which, needed.split()))


def base() -> Path:
    """A Debian with a kernel; made on first use."""
    if not BASE.exists():
        new = BASE.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", new], check=True
        )
        new.rename(BASE)
    return BASE


def install(root: Path, kiosk: Path) -> None:
    """Puts the program, its units and a kiosk's state into a root, where a device has them."""
    site = root / "opt/c1kiosk/.venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    for source in _needed():
        target = site / source.name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    shutil.copytree(ROOT / "firmware", site / "firmware", ignore=shutil.ignore_patterns("__pycache__", "web"))
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", site], check=True
    )
    binaries = root / "opt/c1kiosk/.venv/bin"
    binaries.mkdir()
    (binaries / "python").symlink_to("/usr/bin/python3")
    (binaries.parent / "pyvenv.cfg").write_text("home = /usr/bin\n")
    script = binaries / "c1kiosk"
    script.write_text("#!/opt/c1kiosk/.venv/bin/python\nfrom firmware.cli import main\nmain()\n")
    script.chmod(0o755)
    units = root / "etc/systemd/system"
    for name, folder in (
        ("c1kiosk-stick@.service", units),
        ("c1kiosk-signer.service", units),
        ("system-sticks.slice", units),
        ("99-c1kiosk-stick.rules", root / "etc/udev/rules.d"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "systemd" / name, folder)
    (root / "probe.py").write_text(PROBE)
    (units / "probe.service").write_text(PROBE_UNIT)
    (units / "c1kiosk-ledger.service").write_text(LEDGER_UNIT)
    for unit in ("c1kiosk-signer.service", "c1kiosk-stick@.service"):
        (units / f"{unit}.d").mkdir()
        (units / f"{unit}.d" / "emulated.conf").write_text(PATIENCE_UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in ("probe.service", "c1kiosk-ledger.service", "c1kiosk-signer.service"):
        (wants / unit).symlink_to(f"../{unit}")
    for name in ("sysusers", "tmpfiles"):
        (root / f"etc/{name}.d").mkdir(exist_ok=True)
        shutil.copy(ROOT / "systemd" / f"{name}.conf", root / f"etc/{name}.d/c1kiosk.conf")
    _state(root, kiosk)


def _needed() -> list[Path]:
    """What our two processes import from where packages are installed."""
    code = (
        "import sys, sysconfig, pathlib; import firmware.cli, firmware.uplink.stick_steps, firmware.signing.service\n"
        "import firmware.signing.development_key, firmware.uplink.stick_parcel, httpcore, h11, anyio, certifi\n"
        "home = pathlib.Path(sysconfig.get_path('purelib')); tops = {m.split('.')[0] for m in list(sys.modules)}\n"
        "print(*[p for p in home.iterdir() if p.name.split('.')[0] in tops and p.name != 'firmware'], sep='\\n')\n"
        "print(*home.glob('numpy.libs'), *home.glob('c1kiosk-*.dist-info'), *home.glob('flask-*.dist-info'),"
        " *home.glob('Flask-*.dist-info'), sep='\\n')"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return [Path(line) for line in dict.fromkeys(out.split("\n")) if line]


def _state(root: Path, kiosk: Path) -> None:
    """The state of tests/sticks.py, with the owners that the units expect."""
    subprocess.run(["systemd-sysusers", f"--root={root}"], check=True, capture_output=True)
    ids = {line.split(":")[0]: int(line.split(":")[2]) for line in (root / "etc/passwd").read_text().splitlines()}
    group = next(
        int(line.split(":")[2]) for line in (root / "etc/group").read_text().splitlines() if line.startswith("c1kiosk:")
    )
    etc, state = root / "etc/c1kiosk", root / "var/lib/c1kiosk"
    etc.mkdir(exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    shutil.copytree(kiosk / "trust", etc / "trust")
    text = (
        (kiosk / "kiosk.toml").read_text().replace('"state"', '"/var/lib/c1kiosk"').replace('"run"', '"/run/c1kiosk"')
    )
    (etc / "kiosk.toml").write_text(text)
    shutil.copytree(kiosk / "state" / "ledger", state / "ledger")
    shutil.copytree(kiosk / "state" / "outbox", state / "outbox")
    shutil.copytree(kiosk / "signer", state / "signer")
    shutil.copytree(kiosk / "key", state / "signer" / "key")
    for folder, user in (("ledger", "station"), ("outbox", "uplink"), ("signer", "signer")):
        for path in (state / folder, *(state / folder).rglob("*")):
            os.chown(path, ids[f"c1kiosk-{user}"], group)
            folders, files = (0o700, 0o600) if folder == "signer" else (0o2770, 0o660)
            path.chmod(folders if path.is_dir() else files)


def disk(root: Path, path: Path) -> None:
    """A file system with this content."""
    used = int(subprocess.run(["du", "-sb", root], check=True, capture_output=True, text=True).stdout.split()[0])
    size = f"{(used * 5 // 4 + SPARE_BYTES) // MEGABYTE}M"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, path, size], check=True)


def stick(path: Path, kind: str, megabytes: int) -> Path:
    """A stick with one partition, as they are sold: exFAT or FAT32."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.truncate(megabytes * MEGABYTE)
    make = {"exfat": ["mkfs.exfat"], "vfat": ["mkfs.vfat", "-F", "32"]}[kind]
    subprocess.run([*make, part], check=True, capture_output=True)
    with path.open("wb") as file, part.open("rb") as inner:
        file.truncate(MEGABYTE)
        file.seek(MEGABYTE)
        shutil.copyfileobj(inner, file, MEGABYTE)
    table = f"start=2048, type={'c' if kind == 'vfat' else '7'}\n"
    subprocess.run(["sfdisk", "-q", path], input=table, text=True, check=True, capture_output=True)
    part.unlink()
    return path


def crowded(path: Path, partitions: int) -> Path:
    """A stick of many partitions, each a file system of Linux."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.truncate(2 * MEGABYTE)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", part], check=True, capture_output=True)
    path.write_bytes(bytes(MEGABYTE) + part.read_bytes() * partitions + bytes(MEGABYTE))
    table = "label: gpt\n" + "".join(f"start={1 + 2 * number}MiB, size=2MiB\n" for number in range(partitions))
    subprocess.run(["sfdisk", "-q", path], input=table, text=True, check=True, capture_output=True)
    part.unlink()
    return path


def fill(path: Path, folder: Path) -> None:
    """Puts the files and folders of a folder onto a FAT stick."""
    command: list[str | Path] = ["mcopy", "-s", "-i", f"{path}@@1M", *sorted(folder.iterdir()), "::"]
    subprocess.run(command, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"})


@contextmanager
def _partition(path: Path) -> Iterator[str]:
    """The stick's partition as a block device of this machine."""
    command: list[str | Path] = ["losetup", "--show", "-f", "-r", "-o", str(MEGABYTE), path]
    loop = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield loop
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)


def files_of(path: Path, kind: str, folder: Path) -> Path:
    """What is on a stick, read by other programs than the kiosk's kernel: mtools, and exFAT in user space."""
    folder.mkdir()
    if kind == "vfat":
        command: list[str | Path] = ["mcopy", "-s", "-n", "-i", f"{path}@@1M", "::/", folder]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
        return folder
    mount = folder.with_suffix(".mount")
    mount.mkdir()
    with _partition(path) as partition:
        subprocess.run(["mount.exfat-fuse", "-o", "ro", partition, mount], check=True, capture_output=True)
        try:
            shutil.copytree(mount, folder, dirs_exist_ok=True)
        finally:
            subprocess.run(["umount", mount], check=True)
            mount.rmdir()
    return folder


def examine(path: Path, kind: str) -> None:
    """The stick's file system is whole, and was unmounted."""
    with _partition(path) as partition:
        subprocess.run([f"fsck.{kind}", "-n", partition], check=True, capture_output=True)


@dataclass
class UsbGuest:
    """The machine. Use it as a context: leaving it is pulling the plug."""

    folder: Path
    root: Path
    disk: Path
    _process: subprocess.Popen[bytes] | None = None
    _sockets: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> UsbGuest:
        kernel, initrd = (next((self.root / "boot").glob(name)) for name in ("vmlinuz-*", "initrd.img-*"))
        command = [
            *(
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-cpu",
                "max",
                "-smp",
                "2",
                "-m",
                "1G",
                "-nodefaults",
                "-display",
                "none",
                "-no-reboot",
            ),
            *("-kernel", kernel, "-initrd", initrd, "-append", KERNEL_OPTIONS),
            *("-drive", f"if=virtio,format=raw,file={self.disk}", "-device", "qemu-xhci,id=usb"),
            *("-serial", f"file:{self.folder / 'serial.log'}", "-device", "virtio-serial"),
            *("-chardev", f"socket,id=probe,server=on,wait=off,path={self.folder / 'probe'}"),
            *("-device", "virtserialport,chardev=probe,name=probe"),
            *("-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"),
        ]
        self._process = subprocess.Popen([str(each) for each in command])
        deadline = time.monotonic() + START_SECONDS
        for name in ("qmp", "probe"):
            self._sockets[name] = self._connected(name, deadline)
        self._line("qmp")
        self._qmp("qmp_capabilities")
        assert self._line("probe") == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._sockets.values():
            opened.close()
        assert self._process
        self._process.kill()
        self._process.wait()

    def _connected(self, name: str, deadline: float) -> Any:
        while True:
            assert self._process and self._process.poll() is None, "QEMU has ended"
            assert time.monotonic() < deadline
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self.folder / name))
            except OSError:
                connection.close()
                time.sleep(0.2)
            else:
                connection.settimeout(START_SECONDS)
                return connection.makefile("rwb")

    def _line(self, name: str) -> Any:
        return json.loads(self._sockets[name].readline())

    def _qmp(self, command: str, **arguments: Any) -> Any:
        self._sockets["qmp"].write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._sockets["qmp"].flush()
        while "return" not in (answer := self._line("qmp")):
            assert "error" not in answer, answer
        return answer["return"]

    def run(self, command: str) -> str:
        """What a shell command in the guest says; its status does not matter."""
        return str(self._ask(base64.b64encode(command.encode())))

    def _ask(self, line: bytes) -> Any:
        self._sockets["probe"].write(line + b"\n")
        self._sockets["probe"].flush()
        _status, out = self._line("probe")
        return out

    def plug(self, name: str, path: Path, writable: bool = True) -> None:
        """A stick goes in."""
        drive = {"driver": "raw", "node-name": name, "read-only": not writable}
        self._qmp("blockdev-add", **drive, file={"driver": "file", "filename": str(path)})
        self._qmp("device_add", driver="usb-storage", id=name, drive=name, bus="usb.0", removable=True)

    def pull(self, name: str) -> None:
        """A stick is pulled out."""
        self._qmp("device_del", id=name)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._qmp("blockdev-del", **{"node-name": name})
            except AssertionError:  # still in use: the guest's driver lets go a moment later
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                return

    def notes(self) -> dict[str, dict[str, Any]]:
        """What is told of sticks, by device."""
        found = [json.loads(each) for each in self._ask(b"notes")]
        return {note["device"]: note for note in found}

    def released(self, sticks: int = 1) -> list[dict[str, Any]]:
        """The notes, once so many sticks may be pulled out."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            notes = [note for note in self.notes().values() if note["loose"]]
            if len(notes) >= sticks:
                return notes
            assert time.monotonic() < deadline, self.run("journalctl -b -n 80 --no-pager; lsblk -f")
            time.sleep(0.3)

    def forget(self) -> None:
        """What was told of earlier sticks is not taken for what is told of the next."""
        self.run("rm -f /run/c1kiosk/stick/*.json")
