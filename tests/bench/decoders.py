"""Readers of codes that a strip is tried with: the kiosk's own (zxing-cpp), and zbar."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware.errors import VerificationRefused
from firmware.signing.receipt_picture import read_code

Decoder = Callable[[Sequence[bytes]], list[str | None]]
"""Pictures to the text that each shows, None where none was found."""

ZBARIMG = "zbarimg"
"""Debian's package zbar-tools."""
NOTHING_FOUND = 4
"""Its exit status when some picture holds no code."""


def kiosk(pictures: Sequence[bytes]) -> list[str | None]:
    """As `c1kiosk verify` reads a picture."""
    return [_kiosk(picture) for picture in pictures]


def _kiosk(picture: bytes) -> str | None:
    try:
        return read_code(picture)
    except VerificationRefused:
        return None


def zbar(pictures: Sequence[bytes]) -> list[str | None]:
    """As zbarimg reads them; FileNotFoundError where it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.jpg" for index in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            path.write_bytes(picture)
        command = [ZBARIMG, "--quiet", "--xml", "--nodbus", "-Sdisable", "-Sqrcode.enable", *map(str, paths)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, NOTHING_FOUND):
        raise RuntimeError(f"{ZBARIMG} ended with {done.returncode}")
    found = {str(source.get("href")): data.text for source in _sources(done.stdout) for data in source.iter(_DATA)}
    return [found.get(str(path)) for path in paths]


_NAMES = "{http://zbar.sourceforge.net/2008/barcode}"
_DATA = f"{_NAMES}data"


def _sources(answer: bytes) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(answer).iter(f"{_NAMES}source"))


def installed() -> dict[str, Decoder]:
    """Those that are here, by name."""
    ours: dict[str, Decoder] = {"zxing-cpp": kiosk}
    return ours | {"zbar": zbar} if shutil.which(ZBARIMG) else ours
