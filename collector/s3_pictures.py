"""Whole pictures in any store that speaks S3 (obstore: one library for all of them, typed, without dependencies).

    [pictures]
    endpoint = "https://s3.example.id"      over plain http only on the loopback
    bucket = "c1-pictures"                  exists, and the key may read and write objects in it
    region = "ap-southeast-3"
    key = "c1-collector"                    the access key's name
    secret = "s3.secret"                    a file that holds the secret key and nothing else

An object is named by the SHA-256 of its content, `ab/abcdef...`, and made only where none is (If-None-Match). The
server gets the checksum with it (x-amz-checksum-sha256) and refuses content that has another: what it answered for is
there, whole. One request brings one picture, so one that broke off leaves nothing; pieces on their way stay on the
collector's disk (uploads.py) until the whole is there. A picture that is there already is read and compared before
anybody is told that it is kept, and every picture that is given out is compared with its name.

`check` asks at the start whether the store keeps to this: one that ignores the condition would overwrite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from collector.pictures import named
from collector.settings import PicturesSettings
from collector.submission import CollectorRefused

REQUEST_SECONDS = 30
"""For one picture there or back: 64 MiB at 20 Mbit/s."""
RETRIES = 2
"""Before a sender is told to come again later: it does, with the last piece."""
RETRY_SECONDS = 20
"""In which they happen: kiosks wait for an answer."""
PROBE = "c1kiosk-probe"
"""An object that `check` makes and leaves; no picture has this name."""


class S3Pictures:
    """See PictureStore. A store that cannot be reached, refuses, or holds something else under a name: OSError."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def open(cls, said: PicturesSettings, folder: Path) -> Self:
        """The store of collector.toml in `folder`. Raises CollectorRefused("collector-pictures")."""
        try:
            secret = (folder / said.secret).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CollectorRefused("collector-pictures", problem=f"{said.secret}: {error}") from error
        opened = cls(
            S3Store(
                said.bucket,
                endpoint=said.endpoint,
                region=said.region,
                access_key_id=said.key,
                secret_access_key=secret,
                checksum_algorithm="SHA256",
                client_options={"allow_http": True, "timeout": timedelta(seconds=REQUEST_SECONDS)},
                retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
            )
        )
        opened.check()
        return opened

    def check(self) -> None:
        """The store is there, takes objects, and does not overwrite. Raises CollectorRefused("collector-pictures")."""
        try:
            with _failing():
                if self._make(PROBE, b"first") and self._make(PROBE, b"second"):
                    raise OSError("it overwrites objects: it does not know If-None-Match")
        except OSError as error:
            raise CollectorRefused("collector-pictures", problem=str(error)) from error

    def keep(self, sha256: bytes, whole: Path) -> None:
        """See PictureStore."""
        data = whole.read_bytes()
        _compare(sha256, data)
        with _failing():
            new = self._make(named(sha256), data)
        if not new and self.read(sha256) is None:
            raise OSError(f"the picture store has {sha256.hex()} and gives nothing")
        whole.unlink()

    def read(self, sha256: bytes) -> bytes | None:
        """See PictureStore."""
        try:
            with _failing():
                data = bytes(obstore.get(self._store, named(sha256)).bytes())
        except FileNotFoundError:
            return None
        _compare(sha256, data)
        return data

    def _make(self, name: str, data: bytes) -> bool:
        """Whether the object is new."""
        try:
            obstore.put(self._store, name, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True


@contextmanager
def _failing() -> Iterator[None]:
    """Whatever goes wrong on the way to the store is an OSError, as with a disk."""
    try:
        yield
    except BaseError as error:
        raise OSError(f"the picture store: {str(error).splitlines()[0]}") from error


def _compare(sha256: bytes, data: bytes) -> None:
    if hashlib.sha256(data).digest() != sha256:
        raise OSError(f"not the picture {sha256.hex()}")
