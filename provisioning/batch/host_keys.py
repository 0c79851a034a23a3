"""The devices' ssh keys, pinned: `known_hosts` of a batch names each by its serial, so that an address may change.

A key is asked for once, on the bench, where a person sees which device the cable ends in. A device that answers with
another key later is refused, here and by ssh: its card was swapped, or it is another device.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.signing import durable
from provisioning.authority.issuing import ProvisioningRefused

KIND = "ssh-ed25519"
SCAN_S = 60.0


@dataclass(frozen=True, slots=True)
class Pinned:
    """What became of a device's key."""

    pinned: bool
    fingerprint: str
    said: str


def pin(path: Path, hosts: Mapping[str, str], port: int) -> dict[str, Pinned]:
    """Adds the keys of devices (host by serial) that are not known yet. Raises ProvisioningRefused."""
    known, answers = _known(path), _scan(sorted(set(hosts.values())), port)
    found: dict[str, Pinned] = {}
    for serial, host in hosts.items():
        key, before = answers.get(host), known.get(serial)
        if key is None:
            found[serial] = Pinned(before is not None, _fingerprint(before), "does not answer")
        elif before is None:
            known[serial] = key
            found[serial] = Pinned(True, _fingerprint(key), "new")
        else:
            found[serial] = Pinned(before == key, _fingerprint(before), "known" if before == key else "ANOTHER KEY")
    _write(path, known)
    return found


def _known(path: Path) -> dict[str, str]:
    """Key by serial."""
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {name: key for name, kind, key in (line.split() for line in lines) if kind == KIND}


def _scan(hosts: list[str], port: int) -> dict[str, str]:
    if not hosts:
        return {}
    command = ["ssh-keyscan", "-T", "5", "-p", str(port), "-t", "ed25519", *hosts]
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=SCAN_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProvisioningRefused("device-command", command="ssh-keyscan", status=-1, said=str(error)) from error
    lines = (line.split() for line in done.stdout.splitlines() if not line.startswith("#"))
    return {name.strip("[]").split("]")[0]: key for name, _kind, key in lines}


def _write(path: Path, known: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    incoming = path.with_name(f".{path.name}.new")
    incoming.unlink(missing_ok=True)
    durable.write(incoming, "".join(f"{name} {KIND} {key}\n" for name, key in sorted(known.items())).encode("ascii"))
    incoming.replace(path)


def _fingerprint(key: str | None) -> str:
    if key is None:
        return "-"
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode().rstrip("=")
