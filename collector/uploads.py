"""Pictures on their way: resumable, each piece checked, and a byte counts only when it is on disk.

A picture grows in `<folder>/incoming/<sha256>`. A piece whose checksum holds is written behind the bytes that count,
synced, and only then counted (`uploads.offset`, committed). What a kill left behind the counted bytes is overwritten.
With the last piece the whole is checked; only then it is kept under its name and stands among the `pictures`.
One process at a time works on a picture (flock); the incoming folder is shared by all processes of a collector.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from collector.database import writing
from collector.pictures import PictureStore
from collector.store import RecordStore
from collector.submission import CollectorRefused
from collector.tables import pictures, uploads
from firmware.ledger.pictures import PICTURE_BYTES_MAX
from firmware.signing.encoding import MAX_BYTES

PIECE_BYTES_MAX = MAX_BYTES
"""Largest piece: it is held in memory until its checksum is known; 1 MiB is two minutes at 64 kbit/s."""
_BLOCK = 1024 * 1024
"""Bytes read at a time for the hash of the whole."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a picture has come: all of it when `offset` is `length`."""

    offset: int
    length: int


class Uploads:
    """Pictures on their way into `keeper`. A failing disk raises OSError, a failing database SQLAlchemyError."""

    def __init__(self, store: RecordStore, keeper: PictureStore) -> None:
        self._store = store
        self._keeper = keeper
        self._folder = store.folder / "incoming"
        self._folder.mkdir(exist_ok=True)

    def progress(self, picture: bytes) -> Progress | None:
        """How much of a picture is here; None when nothing was announced."""
        whole = sa.select(pictures.c.bytes).where(pictures.c.sha256 == picture)
        begun = sa.select(uploads.c.offset, uploads.c.length).where(uploads.c.picture == picture)
        with self._store.reading.connect() as connection:
            size = connection.execute(whole).scalar()
            if size is not None:
                return Progress(size, size)
            row = connection.execute(begun).first()
        return None if row is None else Progress(row.offset, row.length)

    def announce(self, picture: bytes, record: bytes, length: int, now: int) -> Progress:
        """A picture will come that a stored record names. Raises CollectorRefused (`collector-unknown-record`,
        `collector-picture-unnamed`, `collector-picture-size`). Announced again, it goes on where it was."""
        if self._store.device_of(record) is None:
            raise CollectorRefused("collector-unknown-record", record=record.hex())
        if not self._store.names_picture(record, picture):
            raise CollectorRefused("collector-picture-unnamed", picture=picture.hex(), record=record.hex())
        if not 0 < length <= PICTURE_BYTES_MAX:
            raise CollectorRefused("collector-picture-size", bytes=length, most=PICTURE_BYTES_MAX)
        known = self.progress(picture)
        if known is not None and (known.length == length or known.offset == known.length):
            return known
        with writing(self._store.engine) as connection:
            connection.execute(uploads.delete().where(uploads.c.picture == picture))
            connection.execute(
                uploads.insert().values(picture=picture, record=record, length=length, offset=0, changed_at=now)
            )
        return Progress(0, length)

    def record_of(self, picture: bytes) -> bytes | None:
        """The record for which a picture on its way was announced."""
        query = sa.select(uploads.c.record).where(uploads.c.picture == picture)
        with self._store.reading.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else bytes(found)

    def add(self, picture: bytes, offset: int, piece: bytes, sha256: bytes, now: int) -> Progress:
        """One piece, on disk on return. Raises CollectorRefused: `collector-picture-unknown`, `collector-offset`,
        `collector-upload-busy`, `collector-checksum`, `collector-picture-size`, and with the last piece
        `collector-picture-hash`, after which the picture has to come anew."""
        if hashlib.sha256(piece).digest() != sha256:
            raise CollectorRefused("collector-checksum", picture=picture.hex())
        known = self._expected(picture, offset, len(piece))
        if known.offset == known.length:
            return known
        with self._alone(picture) as file:
            known = self._expected(picture, offset, len(piece))
            if os.fstat(file.fileno()).st_size < known.offset:
                return self._taken_away(picture, known, now)
            _write(file, offset, piece)
            reached = Progress(offset + len(piece), known.length)
            if reached.offset == reached.length:
                self._finish(picture, file, reached.length, now)
            else:
                self._count(picture, reached.offset, now)
            return reached

    def _expected(self, picture: bytes, offset: int, size: int) -> Progress:
        known = self.progress(picture)
        if known is None:
            raise CollectorRefused("collector-picture-unknown", picture=picture.hex())
        if offset != known.offset:
            raise CollectorRefused("collector-offset", offset=offset, expected=known.offset)
        if offset + size > known.length:
            raise CollectorRefused("collector-picture-size", bytes=offset + size, most=known.length)
        return known

    def _taken_away(self, picture: bytes, known: Progress, now: int) -> Progress:
        """Counted bytes are not in the file: it was kept, and a kill came before that was written down."""
        if self._keeper.read(picture) is None:
            self._count(picture, 0, now)
            raise CollectorRefused("collector-offset", offset=known.offset, expected=0)
        self._note(picture, known.length, now)
        return Progress(known.length, known.length)

    def _count(self, picture: bytes, offset: int, now: int) -> None:
        with writing(self._store.engine) as connection:
            change = uploads.update().where(uploads.c.picture == picture)
            connection.execute(change.values(offset=offset, changed_at=now))

    def _finish(self, picture: bytes, file: BinaryIO, length: int, now: int) -> None:
        if _hash(file) != picture:
            self._count(picture, 0, now)
            raise CollectorRefused("collector-picture-hash", picture=picture.hex())
        self._keeper.keep(picture, self._path(picture))
        self._note(picture, length, now)

    def _note(self, picture: bytes, length: int, now: int) -> None:
        with writing(self._store.engine) as connection:
            connection.execute(uploads.delete().where(uploads.c.picture == picture))
            last = connection.execute(sa.select(sa.func.max(pictures.c.number))).scalar()
            number = 0 if last is None else last + 1
            connection.execute(pictures.insert().values(number=number, sha256=picture, bytes=length, received_at=now))

    @contextmanager
    def _alone(self, picture: bytes) -> Iterator[BinaryIO]:
        """The growing file, while nobody else writes to it."""
        descriptor = os.open(self._path(picture), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CollectorRefused("collector-upload-busy", picture=picture.hex()) from error
            if not self._is_still(file, picture):
                raise CollectorRefused("collector-upload-busy", picture=picture.hex())
            yield file

    def _is_still(self, file: BinaryIO, picture: bytes) -> bool:
        """The open file is the growing one: between opening and locking it may have been kept under its name."""
        path = self._path(picture)
        return path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))

    def _path(self, picture: bytes) -> Path:
        return self._folder / picture.hex()


def _write(file: BinaryIO, offset: int, piece: bytes) -> None:
    """What stands behind `offset` was never counted."""
    file.truncate(offset)
    file.seek(offset)
    file.write(piece)
    file.flush()
    os.fsync(file.fileno())


def _hash(file: BinaryIO) -> bytes:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.digest()
