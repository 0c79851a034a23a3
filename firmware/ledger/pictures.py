"""Pictures as files named by their SHA-256: `<folder>/ab/abcdef...`, never re-encoded.

A name exists only when the whole content is on disk: written beside, synced, renamed, and the folder synced.
What a power cut leaves in `.incoming` was never promised to anybody and is swept away on opening.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

from firmware.errors import LedgerRefused
from firmware.ledger.database import disk_faults
from firmware.signing.durable import sync_folder

PICTURE_BYTES_MAX = 64 * 1024 * 1024
"""Largest picture kept, in bytes: twice a 24-megapixel PNG; a mistake must not fill the disk."""

_NAME = re.compile(r"[0-9a-f]{64}")


class PictureFiles:
    """The content-addressed folder. Faults of the disk are raised as LedgerRefused (ledger-full, ledger-fault)."""

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self._folder = folder
        self._incoming = folder / ".incoming"
        if not readonly:
            with disk_faults():
                self._incoming.mkdir(parents=True, exist_ok=True)
                for leftover in self._incoming.iterdir():
                    leftover.unlink()
                sync_folder(folder)
                sync_folder(folder.parent)

    def put(self, data: bytes) -> str:
        """Keeps `data` and returns its SHA-256 (hexadecimal) once it is durable. Known content is not written again."""
        if not 0 < len(data) <= PICTURE_BYTES_MAX:
            raise LedgerRefused("ledger-picture-size", bytes=len(data), most=PICTURE_BYTES_MAX)
        name = hashlib.sha256(data).hexdigest()
        path = self._path(name)
        with disk_faults():
            if not (path.exists() and path.read_bytes() == data):
                self._write(path, data)
            sync_folder(path.parent)
        return name

    def get(self, name: str) -> bytes:
        """The picture. Raises LedgerRefused: ledger-picture-missing, or ledger-picture-damaged on another content."""
        path = self._path(name)
        with disk_faults():
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                raise LedgerRefused("ledger-picture-missing", picture=name) from error
        if hashlib.sha256(data).hexdigest() != name:
            raise LedgerRefused("ledger-picture-damaged", picture=name)
        return data

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise LedgerRefused("ledger-picture-missing", picture=name)
        return self._folder / name[:2] / name

    def _write(self, path: Path, data: bytes) -> None:
        incoming = self._incoming / uuid.uuid4().hex
        try:
            _write_synced(incoming, data)
            self._make_shelf(path.parent)
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)

    def _make_shelf(self, shelf: Path) -> None:
        if not shelf.exists():
            shelf.mkdir(exist_ok=True)
            sync_folder(self._folder)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
