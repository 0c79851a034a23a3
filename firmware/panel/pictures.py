"""Pictures for people: a page the right way up, and the boxes of a field. The pictures of the record stay untouched."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import FormLayout
from firmware.records import FieldStrip, Page

PAGE_HEIGHT = 1000
"""Pixels: sharp on a laptop, 150 kB."""
JPEG_QUALITY = 80
STRIP_QUALITY = 90
"""Of the boxes of a field: 10 kB each, of which a screen shows nine. As PNG they are 50 kB."""
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


def strip_jpeg(strip: FieldStrip) -> bytes:
    """The boxes of a field; the browser enlarges them."""
    return _jpeg(strip.bgr, STRIP_QUALITY)


def _jpeg(picture: NDArray[np.uint8] | cv2.typing.MatLike, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise ValueError(f"cannot encode a {picture.shape} picture")
    return data.tobytes()
