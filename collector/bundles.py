"""Evidence bundles that come on a stick: what is in one goes into the store by the way that everything goes.

A bundle's form and index are checked whole (firmware/signing/archive.py) before anything of it is taken: a truncated,
spoiled or foreign file is refused, and nothing of it is stored. Then each record is verified and received as if its
kiosk had sent it, and each picture that a stored record names and that is not here is handed to the same uploads,
which check it by its hash. One bad record does not keep the others from coming. Nothing is unpacked onto a disk and no
name in a bundle becomes a path; members are read one at a time. Everything is stored once, so a bundle can be brought
again, by anybody, also while its kiosk sends the same, and after a kill it goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from collector.receiving import Arrival
from collector.store import RecordStore
from collector.submission import CollectorRefused, submission_of
from collector.uploads import Uploads
from firmware.errors import Refused
from firmware.signing import archive
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.bundle import MAX_HELD_BYTES
from firmware.signing.cose import SigningKey
from firmware.signing.trust import TrustRoots

MAX_BUNDLE_BYTES = 16 * 1024**3
"""A day's hundred records with thirty pages of 5 MB: what says that it is more is no kiosk's bundle."""
_RECORD = re.compile(r"records/[0-9]{6}\.cose")
_PICTURE = re.compile(r"pictures/([0-9a-f]{64})\.[a-z]+")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither a link nor a pipe that waits for a writer."""


@dataclass(slots=True)
class Imported:
    """What became of one file."""

    new: int = 0
    here: int = 0
    """Records that were in the store before."""
    pictures: int = 0
    """That were stored now."""
    missing: int = 0
    """Pictures of stored records of this bundle that are still not here."""
    refused: list[Refused] = field(default_factory=list)


class Importer:
    """Takes bundles. A failing disk of the collector raises OSError, a failing database SQLAlchemyError."""

    def __init__(
        self, store: RecordStore, uploads: Uploads, trust: TrustRoots, key: SigningKey, clock: Callable[[], float]
    ) -> None:
        self._store, self._uploads, self._trust, self._key, self._clock = store, uploads, trust, key, clock

    def take(self, path: Path) -> Imported:
        """One file. What is wrong with it is in `refused`."""
        done = Imported()
        try:
            with _open(path) as file:
                stored = self._records(_messages(file), done)
                wanted = {picture: record for record in stored for picture in self._missing(record)}
                if wanted:
                    file.seek(0)
                    self._pictures(file, wanted, done)
                done.missing = sum(len(self._missing(record)) for record in stored)
        except Refused as refusal:
            done.refused.append(refusal)
        return done

    def _missing(self, record: bytes) -> list[bytes]:
        return self._store.missing_pictures(record) or []

    def _records(self, messages: list[bytes], done: Imported) -> list[bytes]:
        """The hashes of those that are in the store now, in the order of their numbers."""
        stored = []
        for cose in messages:
            try:
                record = submission_of(hashlib.sha256(cose).hexdigest(), cose, self._trust)
                now = int(self._clock())
                held = self._store.receive(Arrival(record, acknowledge(record.sha256, now, self._key), now))
            except Refused as refusal:
                done.refused.append(refusal)
                continue
            done.new += held.new
            done.here += not held.new
            stored.append(record.sha256)
        return stored

    def _pictures(self, file: BinaryIO, wanted: dict[bytes, bytes], done: Imported) -> None:
        for member in _members(file):
            found = _PICTURE.fullmatch(member.name)
            picture = bytes.fromhex(found[1]) if found else b""
            if picture not in wanted:
                continue
            try:
                self._picture(picture, wanted[picture], member.data)
                done.pictures += 1
            except CollectorRefused as refusal:
                done.refused.append(refusal)

    def _picture(self, picture: bytes, record: bytes, data: bytes) -> None:
        """Stores a picture from where it is. Raises CollectorRefused (`collector-...`)."""
        now = int(self._clock())
        known = self._uploads.announce(picture, record, len(data), now)
        if known.offset < known.length:
            rest = data[known.offset :]
            self._uploads.add(picture, known.offset, rest, hashlib.sha256(rest).digest(), now)


def _open(path: Path) -> BinaryIO:
    """The file, if it is one that a bundle can be in. Raises CollectorRefused (`stick-...`)."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # asked before opening: opening a device can do things
            raise CollectorRefused("stick-no-file")
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except OSError as error:
        raise CollectorRefused("stick-unreadable", problem=error.strerror or "") from error
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BUNDLE_BYTES:
        file.close()
        if stat.S_ISREG(found.st_mode):
            raise CollectorRefused("stick-too-large", bytes=found.st_size, most=MAX_BUNDLE_BYTES)
        raise CollectorRefused("stick-no-file")
    return file


def _messages(file: BinaryIO) -> list[bytes]:
    """The records, by number, once all of the bundle was found to be as its index says. Raises Refused."""
    found: list[bytes] = []
    held = 0
    for member in _members(file):
        picture = _PICTURE.fullmatch(member.name)
        if picture and picture[1] != member.sha256:
            raise CollectorRefused("bundle-picture", name=member.name)
        if _RECORD.fullmatch(member.name):
            held += len(member.data)
            if held > MAX_HELD_BYTES:
                raise CollectorRefused("bundle-too-large", most=MAX_HELD_BYTES)
            found.append(member.data)
    return found


def _members(file: BinaryIO) -> Iterator[archive.Member]:
    """As archive.read; a stick that cannot be read is a refusal, not a failure of the collector."""
    members = archive.read(file)
    while True:
        try:
            member = next(members, None)
        except OSError as error:
            raise CollectorRefused("stick-unreadable", problem=error.strerror or "") from error
        if member is None:
            return
        yield member
