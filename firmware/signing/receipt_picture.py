"""Finds a code in a picture of a receipt or label: a photograph, a scan, or the print itself."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import zxingcpp

from firmware.capture.picture import decode, frame_from_bytes
from firmware.errors import VerificationRefused
from firmware.records import Gray, RefusedPage
from firmware.signing.receipt_code import PREFIX

MIN_SIDE = 80
"""Pixels: a code of version 10 with one pixel a module is that small."""
MAX_SCALED_PIXELS = 60_000_000
"""Largest picture that is searched after scaling: a phone photograph is not blown up."""
SCALES = (1.0, 0.5, 2.0, 0.25)
"""A code may be too large in pixels (paper grain), or too small; turned ones are found at any angle."""
MENDS = (0, 5, 3)
"""Pixels of the white lines that are closed before another look: dead dots of a print head leave such lines, and one
through a corner mark hides the whole code."""


def read_code(data: bytes) -> str:
    """The text of the one receipt code in a JPEG, PNG or WebP. Raises VerificationRefused (`picture-...`)."""
    found = codes_in(data, PREFIX)
    if len(found) > 1:
        raise VerificationRefused("picture-several-codes", found=len(found))
    if not found:
        raise VerificationRefused("picture-no-code")
    return found.pop()


def codes_in(data: bytes, prefix: str) -> set[str]:
    """The texts that begin with `prefix`, of the first look that finds any; raises VerificationRefused."""
    gray = _gray(data)
    for mend, scale in product(MENDS, SCALES):
        if gray.size * scale * scale > MAX_SCALED_PIXELS:
            continue
        if found := {text for text in _codes(gray, scale, mend) if text.startswith(prefix)}:
            return found
    return set()


def _codes(gray: Gray, scale: float, mend: int) -> list[str]:
    resized = gray if scale == 1.0 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if mend:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (mend, mend))
        resized = cv2.morphologyEx(resized, cv2.MORPH_OPEN, kernel)
    return [
        result.text
        for result in zxingcpp.read_barcodes(resized, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    ]


def _gray(data: bytes) -> Gray:
    picture = decode(frame_from_bytes(data, "receipt"), MIN_SIDE)
    if isinstance(picture, RefusedPage):
        raise VerificationRefused("picture-unreadable", reason=str(picture.reason))
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
