"""Which disk this machine runs from: a Pi may start from USB, and its own partitions are no sticks.

python -m firmware.uplink.system_disk DEVICE    exit status 1 when this machine runs from that disk
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

SYSTEM = Path("/sys")
MOUNTS = Path("/proc/self/mountinfo")


def is_system_disk(device: str, system: Path = SYSTEM, mounts: Path = MOUNTS) -> bool:
    """Whether the block device lies on a disk of which something is mounted. A device that is gone is on none."""
    own = {disk for number in _mounted(mounts) for disk in _disks(system / "dev" / "block" / number)}
    return any(disk in own for disk in _disks(system / "class" / "block" / device))


def _mounted(mounts: Path) -> set[str]:
    """`major:minor` of everything that is mounted."""
    return {line.split()[2] for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()}


def _disks(entry: Path) -> Iterator[Path]:
    """The disks on which a block device lies, through mapped ones."""
    if not entry.exists():
        return
    place = entry.resolve()
    below = sorted((place / "slaves").glob("*"))
    if below:
        for one in below:
            yield from _disks(one)
    else:
        yield place.parent if (place / "partition").exists() else place


if __name__ == "__main__":
    sys.exit(f"{sys.argv[1]}: this machine runs from that disk" if is_system_disk(sys.argv[1]) else 0)
