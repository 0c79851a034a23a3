"""Writes a kiosk's evidence bundle onto a USB stick: whole, or not at all under its name. Specification.

    c1kiosk-<TPS>-<device>-<log size>-<12 hexadecimal digits>.tar

The digits are the beginning of the SHA-256 of the bundle's index, which names size and hash of everything in it: one
name, one content. A bundle that is there and holds the same is not written again; nothing that exists is ever
overwritten, moved or followed, so older ones stay; a name that holds something else (spoiled, a folder, a link) gets
`-2`, `-3`. The bundle grows under its name with `.part` at the end, is synced, read back from the stick and compared,
and only then gets its name. `.part` files of this kiosk that an earlier stick pull left are removed, nobody else's.

Whoever reads the stick checks a bundle as a whole (signing/archive.py): what a pulled stick holds can be half, but
never taken for a whole one.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from firmware.errors import VerificationRefused
from firmware.signing import archive
from firmware.signing.durable import sync_folder

ENDING, PART = ".tar", ".part"
SPELLINGS = 9
"""Names tried for one bundle: somebody who spoils more than that does not want it on this stick."""
_NO_FOLLOW = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither a link nor a pipe that waits for a writer."""
_BUFFER = 1024 * 1024
"""Bytes that are written and read at a time."""
_NO_NAME = re.compile(r"[^a-z0-9]+")


class StickState(StrEnum):
    """What becomes of a stick; sentences under `stick.<value>` in messages/."""

    WRITING = "writing"
    WRITTEN = "written"
    ALREADY = "already"
    """This bundle is on it, whole."""
    EMPTY = "empty"
    """There is no record yet."""
    FULL = "full"
    READ_ONLY = "read-only"
    TOO_LARGE = "too-large"
    """FAT holds no file of 4 GiB."""
    BROKEN = "broken"
    """It gives errors, or gives back something else than was written."""
    PULLED = "pulled"
    """Before the end."""
    UNREADABLE = "unreadable"
    """Neither exFAT nor FAT."""
    FAULT = "fault"
    """Of the kiosk, not of the stick."""


_BY_ERROR = {
    errno.ENOSPC: StickState.FULL,
    errno.EDQUOT: StickState.FULL,
    errno.EROFS: StickState.READ_ONLY,
    errno.EACCES: StickState.READ_ONLY,
    errno.EPERM: StickState.READ_ONLY,
    errno.EFBIG: StickState.TOO_LARGE,
}
"""Anything else that a file system says: BROKEN."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A bundle before it is written."""

    owner: str
    """How the names of this kiosk's bundles begin."""
    records: int
    entries: archive.Entries
    member: Callable[[str], bytes]

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return f"{self.owner}{self.records:06d}-{archive.index_name(self.entries)}"


def owner_of(tps: str, serial: str) -> str:
    """How the names of a kiosk's bundles begin: lower case, since FAT knows no other difference."""
    return f"c1kiosk-{tps}-{_NO_NAME.sub('-', serial.lower())}-"


def put(parcel: Parcel, folder: Path, tell: Callable[[int], None] = lambda _percent: None) -> StickState:
    """Puts the bundle into the folder of a stick; `tell` hears how far it has come, in percent. Raises what `member`
    raises: the stick's own faults are states."""
    try:
        return _put(parcel, folder, tell)
    except OSError as error:
        return _BY_ERROR.get(error.errno or 0, StickState.BROKEN)


def _put(parcel: Parcel, folder: Path, tell: Callable[[int], None]) -> StickState:
    path = None
    for name in _names(parcel):
        if not os.path.lexists(folder / name):
            path = folder / name
            break
        if _holds(folder / name, parcel):
            return StickState.ALREADY
    if path is None:
        return StickState.BROKEN
    _sweep(parcel, folder)
    part = path.with_name(path.name + PART)
    try:
        return _write(parcel, path, part, tell)
    finally:
        with suppress(OSError):  # it has its name, or the stick is gone; what stays is swept next time
            part.unlink()


def _names(parcel: Parcel) -> Iterator[str]:
    yield parcel.name + ENDING
    for number in range(2, SPELLINGS + 1):
        yield f"{parcel.name}-{number}{ENDING}"


def _write(parcel: Parcel, path: Path, part: Path, tell: Callable[[int], None]) -> StickState:
    size = archive.bytes_of(parcel.entries)
    room = os.statvfs(path.parent)
    if room.f_bavail * room.f_frsize < size:
        return StickState.FULL
    with io.BufferedWriter(_Told(part, "xb", 0, size, tell), _BUFFER) as file:
        archive.write_entries(file, parcel.entries, parcel.member)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read back comes from the stick
    if not _holds(part, parcel, tell):
        return StickState.BROKEN
    part.rename(path)
    sync_folder(path.parent)
    return StickState.WRITTEN


def _holds(path: Path, parcel: Parcel, tell: Callable[[int], None] = lambda _percent: None) -> bool:
    """Whether the file is this bundle, every byte of it."""
    size = archive.bytes_of(parcel.entries)
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return False
    with io.BufferedReader(_Told(path, "rb", size, size, tell), _BUFFER) as file:
        try:
            return {entry.name: (len(entry.data), entry.sha256) for entry in archive.read(file)} == parcel.entries
        except VerificationRefused:
            return False


def _sweep(parcel: Parcel, folder: Path) -> None:
    """Removes what was left half of this kiosk's bundles."""
    with os.scandir(folder) as found:
        halves = [
            entry.path
            for entry in found
            if entry.name.startswith(parcel.owner)
            and entry.name.endswith(ENDING + PART)
            and entry.is_file(follow_symlinks=False)
        ]
    for path in halves:
        Path(path).unlink()


class _Told(io.FileIO):
    """A file that tells how far it has come: writing is the first half of the way, reading back the second."""

    def __init__(self, path: Path, mode: str, before: int, size: int, tell: Callable[[int], None]) -> None:
        super().__init__(path, mode, opener=lambda name, flags: os.open(name, flags | _NO_FOLLOW, 0o600))
        self._moved, self._size, self._tell = before, size, tell

    def write(self, data: Any) -> int:
        """As FileIO."""
        return self._count(super().write(data))

    def readinto(self, buffer: Any) -> int:
        """As FileIO."""
        return self._count(super().readinto(buffer))

    def _count(self, moved: int | None) -> int:
        self._moved += moved or 0
        self._tell(min(99, 50 * self._moved // self._size))
        return moved or 0
