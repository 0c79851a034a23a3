"""Where hand-overs lie: `<number>-<first 16 digits of its hash>.cose`, one file an event, of one device.

On a device it is `/etc/c1kiosk/custody`, on a laptop a folder for each device. Events are only ever added: `add` takes
what extends the chain that is there, leaves out what it has already, and refuses everything when anything does not fit;
then nothing is written. A power cut leaves the events before it, and adding the same files again goes on.
Who can write into the folder can take events away: the end of the chain is what its last receiver holds (custody.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from firmware.errors import VerificationRefused
from firmware.signing import durable
from firmware.signing.custody import Custody, check_chain
from firmware.signing.handover import MAX_EVENT_BYTES, MAX_EVENTS, Event
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust

SUFFIX = ".cose"
READABLE = 0o644
"""The station shows the chain; nothing in it is secret."""
READABLE_FOLDER = 0o755


def read(folder: Path) -> list[bytes]:
    """The events in a folder, none when it is not there. Raises VerificationRefused("custody-unreadable")."""
    try:
        paths = sorted(folder.glob(f"*{SUFFIX}"))
        return [read_file(path) for path in paths[: MAX_EVENTS + 1]]
    except OSError as error:
        raise VerificationRefused("custody-unreadable", file=str(folder), problem=str(error.strerror)) from error


def read_file(path: Path) -> bytes:
    """One event's bytes; what is too long is refused when it is opened. Raises VerificationRefused."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_EVENT_BYTES + 1)
    except OSError as error:
        raise VerificationRefused("custody-unreadable", file=str(path), problem=str(error.strerror)) from error


def load(folder: Path, trust: OfficerTrust, label: Label) -> Custody:
    """The custody in a folder, checked; raises VerificationRefused."""
    return check_chain(read(folder), trust, label)


def add(folder: Path, events: Iterable[bytes], trust: OfficerTrust, label: Label) -> tuple[Custody, int]:
    """Adds what extends the chain; returns the chain as it is now, and how many events are new. Raises Refused."""
    have = set(read(folder))
    custody = check_chain([*have, *events], trust, label)
    new = [event for event in custody.events if event.data not in have]
    try:
        _make(folder)
        for event in new:
            _keep(folder, event)
    except OSError as error:
        raise VerificationRefused("custody-unreadable", file=str(folder), problem=str(error.strerror)) from error
    return custody, len(new)


def file_name(event: Event) -> str:
    """Of an event."""
    return f"{event.said.number:03d}-{event.sha256.hex()[:16]}{SUFFIX}"


def _make(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=READABLE_FOLDER, parents=True)
        folder.chmod(READABLE_FOLDER)
        _give(folder)


def _keep(folder: Path, event: Event) -> None:
    path = folder / file_name(event)
    durable.create(path, event.data)
    path.chmod(READABLE)
    _give(path)


def _give(path: Path) -> None:
    """To whom the folder around it belongs: events are added as root."""
    owner = path.parent.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
