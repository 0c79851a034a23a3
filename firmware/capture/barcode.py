"""Code 128 through zxing-cpp (Apache-2.0); the only place that imports it for pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zxingcpp

from firmware.capture.rulings import Floats
from firmware.records import Gray


@dataclass(frozen=True, slots=True)
class Barcode:
    """A barcode's text and its corners in pixels, (4, 2): top left, top right, bottom right, bottom left."""

    text: str
    corners: Floats


def read_code128(gray: Gray) -> list[Barcode]:
    """All valid Code 128 barcodes in a picture, at any rotation."""
    found = zxingcpp.read_barcodes(gray, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.Code128))
    return [Barcode(code.text, _corners(code.position)) for code in found if code.valid]


def _corners(position: zxingcpp.Position) -> Floats:
    points = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return np.array([(point.x, point.y) for point in points], dtype=np.float64)
