"""Where things lie on a device, and how files come there: whole, durable, and readable by whom the units expect."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from firmware.signing import durable
from provisioning.authority.issuing import ProvisioningRefused

READABLE = 0o640
"""By the group of the kiosk's users."""
TLS_KEYS = {"uplink": "c1kiosk-uplink", "lan": "c1kiosk-endpoint"}
"""Folder below tls/, and who reads the key in it."""
CREDENTIAL = "device-key.cred"
PIN = "pin.json"
TRIM_S = 120.0
"""Telling a 32 GB card which cells are free takes seconds."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where things lie on a device."""

    etc: Path = Path("/etc/c1kiosk")
    state: Path = Path("/var/lib/c1kiosk")
    program: Path = Path("/opt/c1kiosk")
    units: Path = field(default_factory=lambda: _units())
    """Drop-ins of this one device: kept where the root can be written, else made anew at every start."""
    owner: Callable[[str], tuple[int, int]] = lambda name: _owner(name)
    """User and group numbers of a user's name; of root, root and the kiosk's group."""
    trim: Callable[[Path], str] = lambda folder: _trim(folder)
    """Tells the card which cells of a folder's file system are free; returns what was said, empty when it cannot."""

    @property
    def signer(self) -> Path:
        """What only the signer may read."""
        return self.state / "signer"

    @property
    def key(self) -> Path:
        """Request and certificate of the device key."""
        return self.signer / "key"

    @property
    def ledger(self) -> Path:
        """Records."""
        return self.state / "ledger"


def _units() -> Path:
    kept = Path("/etc/systemd/system")
    return kept if os.access(kept, os.W_OK) else Path("/run/systemd/system")


def _owner(name: str) -> tuple[int, int]:
    try:
        group = pwd.getpwnam("c1kiosk-signer").pw_gid
        return pwd.getpwnam(name).pw_uid, group
    except KeyError as error:
        raise ProvisioningRefused("device-command", command="install.sh", status=1, said=f"no user {name}") from error


def _trim(folder: Path) -> str:
    where = ["/usr/bin/findmnt", "-no", "TARGET", "--target", str(folder)]
    mount = subprocess.run(where, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603
    command = ["/usr/sbin/fstrim", "-v", mount]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=TRIM_S)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""


def write(ground: Ground, path: Path, data: bytes, mode: int = READABLE) -> None:
    """A whole file or the one before, durable, of root and the kiosk's group."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if ground.units in path.parents else 0o750)
    incoming = path.with_name(f".{path.name}.new")
    incoming.unlink(missing_ok=True)
    durable.write(incoming, data)
    share(ground, incoming, mode)
    incoming.replace(path)
    durable.sync_folder(path.parent)


def share(ground: Ground, path: Path, mode: int = READABLE) -> None:
    """Of root, readable by the kiosk's group, and so is the folder around it."""
    user, group = ground.owner("root")
    units = ground.units in path.parents
    os.chown(path, user, user if units else group)
    path.chmod(mode)
    if not units and path.parent != ground.etc:
        os.chown(path.parent, user, group)


def systemd(what: str) -> None:
    """Where systemd runs: not in an image or a card that is only mounted."""
    if not Path("/run/systemd/system").exists():
        return
    words = {
        "reload": ["daemon-reload"],
        "restart": ["restart", "--no-block", "c1kiosk.target"],
        "stop": ["disable", "--now", "c1kiosk.target"],
    }
    subprocess.run(["/usr/bin/systemctl", *words[what]], check=True, capture_output=True)  # noqa: S603
