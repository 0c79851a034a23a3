"""Where whole pictures are kept: content-addressed, written once, never re-encoded.

`PictureStore` is what the rest knows; PictureFolder keeps them as files, s3_pictures.py in any store that speaks S3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from firmware.signing.durable import sync_folder


class PictureStore(Protocol):
    """Pictures by SHA-256. A store that fails raises OSError."""

    def keep(self, sha256: bytes, whole: Path) -> None:
        """Takes the file `whole`, whose content is on disk and has this hash; durable on return, `whole` is gone.
        A picture that is there already stays as it is."""

    def read(self, sha256: bytes) -> bytes | None:
        """The picture; None when it is not here."""


class PictureFolder:
    """Files named by their hash: `<folder>/ab/abcdef...`. A name exists only when the whole content is on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, sha256: bytes, whole: Path) -> None:
        """See PictureStore; `whole` is on the same file system."""
        path = self._path(sha256)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
        whole.replace(path)
        sync_folder(path.parent)

    def read(self, sha256: bytes) -> bytes | None:
        """See PictureStore."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            return None

    def _path(self, sha256: bytes) -> Path:
        return self._folder / named(sha256)


def named(sha256: bytes) -> str:
    """Where a picture is: 256 folders of some ten thousand names each in a province."""
    name = sha256.hex()
    return f"{name[:2]}/{name}"
