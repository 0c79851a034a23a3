"""What the stick's unit tells the screen: one small file for each stick, in /run, replaced as a whole.

The station reads them and believes nothing but their shape. A note is shown while its stick is plugged in; that one
was pulled out too early is shown for a while longer, since somebody has to plug it in again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from firmware.uplink.stick import StickState

FOLDER = "stick"
"""In the folder of the sockets."""
MOST_STICKS = 8
"""That are shown: a Pi has four sockets."""
MAX_BYTES = 4096
PULLED_SECONDS = 600.0
"""How long a pulled stick is spoken of."""
SYSTEM = Path("/sys/class/block")

_log = structlog.get_logger(__name__)


class StickNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of one stick."""

    device: str
    """Name of the block device, as `sda1`."""
    state: StickState
    loose: bool
    """It is unmounted: it may be pulled out."""
    percent: int = 0
    records: int = 0
    """In the bundle."""
    at: float = 0.0
    """Seconds since the machine started."""


def plugged(device: str) -> bool:
    """Whether the kernel has this block device."""
    return "/" not in device and (SYSTEM / device).exists()


def write_note(folder: Path, note: StickNote) -> None:
    """Puts the note where the station finds it. Raises OSError."""
    path = folder / f"{note.device}.json"
    beside = folder / f".{note.device}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(note))
    beside.replace(path)


def read_note(folder: Path, device: str) -> StickNote | None:
    """The note of one stick; None when there is none, or what is there is no note."""
    try:
        with open(folder / f"{device}.json", "rb", opener=_open) as file:
            note = msgspec.json.decode(file.read(MAX_BYTES), type=StickNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as problem:
        _log.warning("stick.note-unreadable", device=device, problem=str(problem))
        return None
    return note if note.device == device else None


def _open(name: str, flags: int) -> int:
    """Neither a link nor a pipe on which the station would wait for ever."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def notes_to_show(
    folder: Path, is_plugged: Callable[[str], bool] = plugged, now: Callable[[], float] = time.monotonic
) -> Sequence[StickNote]:
    """The notes of the sticks that are plugged in, and of those that were pulled out too early, by device."""
    names = sorted(path.stem for path in folder.glob("[a-z]*.json"))[:MOST_STICKS]
    notes = [note for name in names if (note := read_note(folder, name))]
    return [note for note in notes if is_plugged(note.device) or _still_told(note, now())]


def _still_told(note: StickNote, now: float) -> bool:
    return note.state is StickState.PULLED and now - note.at < PULLED_SECONDS


def forget_absent(folder: Path, is_plugged: Callable[[str], bool] = plugged) -> None:
    """Removes the notes of sticks that are gone. Raises OSError."""
    for path in folder.glob("[a-z]*.json"):
        if not is_plugged(path.stem):
            path.unlink(missing_ok=True)
