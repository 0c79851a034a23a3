"""Files that are there completely or not at all, and stay after a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def create(path: Path, data: bytes) -> None:
    """A new private file at `path`, durable on return. Raises FileExistsError: nothing is ever overwritten."""
    incoming = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(incoming, data)
        os.link(incoming, path)
    finally:
        incoming.unlink(missing_ok=True)
    sync_folder(path.parent)


def rename(path: Path, target: Path) -> None:
    """Gives a durable file its final name, durable on return. Nothing may have that name: it would be replaced."""
    path.rename(target)
    sync_folder(target.parent)


def replace(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Puts `data` in the place of what is at `path`, whole or not at all; durable on return."""
    incoming = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(incoming, data)
        incoming.chmod(mode)
        incoming.replace(path)
    finally:
        incoming.unlink(missing_ok=True)
    sync_folder(path.parent)


def append(path: Path, size: int, data: bytes) -> None:
    """Adds `data` to the private file at `path`, whose whole lines end at `size`; on disk on return.

    What stands beyond `size` was torn by a power cut or a full disk and is taken off.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        sync_folder(path.parent)


def write(path: Path, data: bytes) -> None:
    """A new private file with its content on disk; its name is durable once the folder is synced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
