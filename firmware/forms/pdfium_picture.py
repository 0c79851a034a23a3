"""Turns a page of a PDF into a picture, by pypdfium2."""

from __future__ import annotations

import numpy as np
import pypdfium2
from numpy.typing import NDArray

POINTS_PER_INCH = 72


def picture(pdf: bytes, page: int, dpi: float) -> NDArray[np.uint8]:
    """Page number `page` (from 1) of a PDF: shape (height, width, 3), BGR. The page fills the picture exactly."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        bitmap = document[page - 1].render(scale=dpi / POINTS_PER_INCH, rev_byteorder=False)
        return np.ascontiguousarray(bitmap.to_numpy()[..., :3])
    finally:
        document.close()
