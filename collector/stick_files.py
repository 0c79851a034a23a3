"""Finds bundles on a stick that nobody has to trust: no link is followed, nothing but names is looked at.

A stick may hold anything: names with control characters or in no encoding, folders in folders without end, a million
files. What is too much is told as a refusal, and ends the search, not the import of what was found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from collector.submission import CollectorRefused

FOLDERS_DEEP = 8
"""A bundle lies at the top of a stick; people put sticks into folders of folders."""
MOST_ENTRIES = 100_000
"""Files and folders that are looked at: a stick that a kabupaten was collected on holds some thousands."""
ENDING = ".tar"
SHOWN_CHARACTERS = 120


@dataclass(slots=True)
class Found:
    """A file to take, or a folder that could not be searched and why."""

    path: Path
    refusal: CollectorRefused | None = None


@dataclass(slots=True)
class Search:
    """One search; what it has looked at counts over all folders."""

    looked: int = field(default=0, init=False)

    def within(self, path: Path) -> Iterator[Found]:
        """The bundles in a folder, by name; a file that is named itself is one, whatever its name."""
        if path.is_dir() and not path.is_symlink():
            yield from self._folder(path, 0)
        else:
            yield Found(path)

    def _folder(self, path: Path, deep: int) -> Iterator[Found]:
        if deep > FOLDERS_DEEP:
            yield Found(path, CollectorRefused("stick-too-deep", most=FOLDERS_DEEP))
            return
        try:
            entries = self._entries(path)
        except OSError as error:
            yield Found(path, CollectorRefused("stick-unreadable", problem=error.strerror or ""))
            return
        for name, is_folder in sorted(entries, key=lambda each: os.fsencode(each[0])):
            if is_folder:
                yield from self._folder(path / name, deep + 1)
            elif name.lower().endswith(ENDING):
                yield Found(path / name)
        if self.looked > MOST_ENTRIES:
            yield Found(path, CollectorRefused("stick-too-many", most=MOST_ENTRIES))

    def _entries(self, path: Path) -> list[tuple[str, bool]]:
        """Names in one folder and whether they are folders, as many as may still be looked at. Raises OSError."""
        listed: list[tuple[str, bool]] = []
        with os.scandir(path) as found:
            for entry in found:
                self.looked += 1
                if self.looked > MOST_ENTRIES:
                    break
                listed.append((entry.name, entry.is_dir(follow_symlinks=False)))
        return listed


def plain(text: str) -> str:
    """Without what could move a cursor or turn the writing round: that is spelled out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def shown(path: Path) -> str:
    """A name for people's eyes, its end if it is long."""
    text = plain(str(path))
    return text if len(text) <= SHOWN_CHARACTERS else "…" + text[-SHOWN_CHARACTERS + 1 :]
