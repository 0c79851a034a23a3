"""The disk that holds the records: writable, whole, not worn out, with room for a day."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware.day.opening import FREE_BYTES_LEAST
from firmware.selftest.finding import Outcome, bad, good, note
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.tree import Tree, Unknown

WORN_FROM = 9
"""Of an eMMC's life time: 1 is up to 10 % used, 9 is 80 to 90 %."""
RESERVE_NORMAL = 1
"""Of an eMMC's reserve (pre_eol_info): 2 is 80 % used, 3 is 90 %."""
_PROBE = bytes(4096)


@dataclass(frozen=True, slots=True)
class Mount:
    """The file system that a folder is on."""

    point: str
    device: str
    """major:minor."""
    options: frozenset[str]
    kind: str


def space(kiosk: Kiosk) -> Outcome:
    """Room for the day: the same limit as before a day (day/opening.py)."""
    free = kiosk.free(kiosk.config.state)
    seen = f"{free / 1024**3:.1f} GiB"
    least = f"{FREE_BYTES_LEAST / 1024**3:.0f}"
    return good(seen) if free >= FREE_BYTES_LEAST else bad("space-low", seen, free=seen, least=least)


def disk(kiosk: Kiosk) -> Outcome:
    """What the kernel knows of the disk, then a block written to it and taken off again."""
    mount = _mount_of(kiosk.tree, kiosk.config.state)
    name = kiosk.tree.path(f"/sys/dev/block/{mount.device}").resolve().name
    if "rw" not in mount.options:
        return bad("disk-read-only", name)
    errors = kiosk.tree.number(f"/sys/fs/ext4/{name}/errors_count") if mount.kind == "ext4" else None
    if errors:
        return bad("disk-errors", name, errors=errors)
    try:
        _probe(kiosk.config.state)
    except OSError as problem:
        return bad("disk-not-writable", name, problem=problem.strerror or "")
    if errors is None:
        return note("disk-untold", f"{name}, {mount.kind}")
    return _wear(kiosk.tree, name)


def _wear(tree: Tree, name: str) -> Outcome:
    """SD cards tell nothing about their age; eMMC does."""
    device = f"/sys/class/block/{re.sub('p[0-9]+$', '', name)}/device"
    life, reserve = _hexadecimal(tree, f"{device}/life_time"), _hexadecimal(tree, f"{device}/pre_eol_info")
    worn = max(life, default=0)
    if worn >= WORN_FROM or max(reserve, default=0) > RESERVE_NORMAL:
        return bad("disk-worn", name)
    return good(f"{name}, {worn * 10} %" if worn else name)


def _hexadecimal(tree: Tree, path: str) -> list[int]:
    found = tree.text(path)
    words = found.split() if found else []
    if not all(re.fullmatch(r"0x[0-9a-fA-F]{1,2}", word) for word in words):
        raise Unknown(f"{path}: {str(found)[:40]!r}")
    return [int(word, 16) for word in words]


def _mount_of(tree: Tree, folder: Path) -> Mount:
    """The mount with the longest path above `folder`. Raises Unknown."""
    text = tree.text("/proc/self/mountinfo") or ""
    mounts = [_mount(line) for line in text.splitlines()]
    above = [entry for entry in mounts if folder.resolve().is_relative_to(entry.point)]
    if not above:
        raise Unknown("/proc/self/mountinfo")
    # Of several on one point, the last one covers the others.
    return max(reversed(above), key=lambda entry: len(entry.point))


def _mount(line: str) -> Mount:
    """One line, see proc_pid_mountinfo(5): fields, optional fields up to a dash, then kind, source, options."""
    try:
        fields, (kind, _source, options) = line.split(" - ")[0].split(), line.split(" - ")[1].split()
        own = fields[5].split(",")
        kept = [option for option in (*own, *options.split(",")) if option not in ("rw", "ro")]
        access = "ro" if "ro" in (*own, *options.split(",")) else "rw"
        return Mount(fields[4].replace("\\040", " "), fields[2], frozenset((access, *kept)), kind)
    except (IndexError, ValueError) as problem:
        raise Unknown("/proc/self/mountinfo") from problem


def _probe(folder: Path) -> None:
    """Writes a block through to the disk; nothing stays."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_PROBE)
        file.flush()
        os.fsync(file.fileno())
