"""Reads what the kernel tells in /sys, /proc and the device tree, strictly: a value has its form or it is not known.

The root of the tree is a parameter, so that any board can be laid out in a folder. What is not there is None; what is
there and makes no sense raises Unknown, for a check that cannot read a value has not passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 1024 * 1024
"""Of one file: the largest that is read, /proc/self/mountinfo, has a few thousand."""
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class Unknown(Exception):
    """A file of the kernel holds something that is not understood; the text names it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The file system of a board, as seen from `root`."""

    root: Path

    def path(self, name: str) -> Path:
        """The absolute `name` below the root."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """The text of a file without its line end, or a device tree's NUL; None when it is not there."""
        try:
            with self.path(name).open("rb") as file:
                data = file.read(MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:  # an attribute that its driver cannot answer now
            raise Unknown(f"{name}: {problem.strerror}") from problem
        try:
            return data.decode("ascii").rstrip("\n\0")
        except UnicodeDecodeError as problem:
            raise Unknown(name) from problem

    def number(self, name: str) -> int | None:
        """A whole decimal number, alone in its file; None when the file is not there. Raises Unknown."""
        found = self.text(name)
        if found is None:
            return None
        if not _INTEGER.fullmatch(found):
            raise Unknown(f"{name}: {found[:40]!r}")
        return int(found)

    def entries(self, folder: str) -> Iterator[str]:
        """The names in a folder as absolute names, sorted; none when it is not there."""
        try:
            names = sorted(entry.name for entry in self.path(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from (f"{folder}/{name}" for name in names)
