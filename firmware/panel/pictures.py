"""Pictures for people: a page the right way up, and the boxes of a field. The pictures of the record stay untouched."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import FormLayout
from firmware.records import FieldStrip, Page

PAGE_HEIGHT = 1000
"""Pixels: sharp on a laptop, 150 kB."""
STRIP_HEIGHT = 260
"""Pixels: what a 1024x600 screen shows of one number."""
JPEG_QUALITY = 80
LIVE_QUALITY = 70
"""Of the live picture: 60 kB, six times a second, on this machine only."""


def upright(picture: NDArray[np.uint8], page: Page, layout: FormLayout) -> bytes:
    """`picture` (BGR, decoded upright from the page's frame) rectified to the sheet, as JPEG."""
    scale = PAGE_HEIGHT / layout.height
    to_picture = page.geometry.homography @ np.diag([1 / scale, 1 / scale, 1.0])
    size = (round(layout.width * scale), PAGE_HEIGHT)
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    return _jpeg(cv2.warpPerspective(picture, to_picture, size, flags=flags), JPEG_QUALITY)


def live_jpeg(bgr: NDArray[np.uint8]) -> bytes:
    """A preview for the screen."""
    return _jpeg(bgr, LIVE_QUALITY)


def strip_png(strip: FieldStrip) -> bytes:
    """The boxes of a field, enlarged for the screen, as PNG."""
    factor = STRIP_HEIGHT / strip.bgr.shape[0]
    large = cv2.resize(strip.bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return _encode(".png", large)


def _jpeg(picture: NDArray[np.uint8] | cv2.typing.MatLike, quality: int) -> bytes:
    return _encode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))


def _encode(kind: str, picture: NDArray[np.uint8] | cv2.typing.MatLike, settings: Sequence[int] = ()) -> bytes:
    done, data = cv2.imencode(kind, picture, settings)
    if not done:
        raise ValueError(f"cannot encode a {picture.shape} picture as {kind}")
    return data.tobytes()
