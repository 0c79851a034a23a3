"""Finds a receipt's code in a picture of the receipt: a photograph, a scan, or the print itself."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp

from firmware.errors import VerificationRefused
from firmware.records import Gray
from firmware.signing.receipt_code import PREFIX

MAX_PIXELS = 60_000_000
"""Largest picture: more than any phone gives (48 megapixels), small enough for a phone's worth of memory."""
SCALES = (1.0, 0.5, 2.0, 0.25)
"""A code may be too large in pixels (paper grain), or too small; turned ones are found at any angle."""


def read_code(data: bytes) -> str:
    """The text of the one receipt code in a JPEG, PNG or WebP. Raises VerificationRefused (`picture-...`)."""
    gray = _gray(data)
    for scale in SCALES:
        if gray.size * scale * scale > MAX_PIXELS:
            continue
        found = {text for text in _codes(gray, scale) if text.startswith(PREFIX)}
        if len(found) > 1:
            raise VerificationRefused("picture-several-codes", found=len(found))
        if found:
            return found.pop()
    raise VerificationRefused("picture-no-code")


def _codes(gray: Gray, scale: float) -> list[str]:
    resized = gray if scale == 1.0 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return [
        result.text
        for result in zxingcpp.read_barcodes(resized, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    ]


def _gray(data: bytes) -> Gray:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error as error:
        raise VerificationRefused("picture-unreadable") from error
    if picture is None or picture.size > MAX_PIXELS:
        raise VerificationRefused("picture-unreadable")
    return np.asarray(picture, np.uint8)
