"""Readers of codes that a strip is tried with: the kiosk's own (zxing-cpp), zbar, and what OpenCV has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

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


def opencv(pictures: Sequence[bytes]) -> list[str | None]:
    """As OpenCV's QRCodeDetectorAruco reads them."""
    detector = cv2.QRCodeDetectorAruco()
    found: list[str | None] = []
    for picture in pictures:
        gray = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert gray is not None
        found.append(detector.detectAndDecode(gray)[0] or None)
    return found


def installed() -> dict[str, Decoder]:
    """Those that are here, by name."""
    here: dict[str, Decoder] = {"zxing-cpp": kiosk, "zbar": zbar, "opencv": opencv}
    return here if shutil.which(ZBARIMG) else {name: decoder for name, decoder in here.items() if name != "zbar"}
