"""Pictures of forms that the tests make themselves: a rendered page seen through a known homography."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.picture import frame_from_bytes
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.forms.render import render_page
from firmware.records import Frame, Matrix

Picture = NDArray[np.uint8]

C1, HASIL, DPR = "c1-ppwp-2019", "c.hasil-ppwp-2024", "c.hasil-dpr-demo"
TABLE = 70
"""Grey of what lies around a sheet."""


def layout(form: str) -> FormLayout:
    return shipped_layouts()[form]


@cache
def printed(form: str, number: int) -> tuple[Picture, float]:
    """A blank page and its pixels a millimetre: 12 on A4, 4 on the plano."""
    sheet = layout(form)
    dpi = 300 if sheet.width < 300 else 100
    return render_page(sheet, number, dpi), dpi / 25.4


def pose(
    form: str, size: tuple[int, int], turn: float = 0.0, lean: float = 0.0, fill: float = 0.92, seed: int = 0
) -> Matrix:
    """Page mm to pixels: turned by degrees, corners moved by up to `lean` of the page, filling the picture."""
    sheet, (width, height) = layout(form), size
    corners = np.array([(0, 0), (sheet.width, 0), (sheet.width, sheet.height), (0, sheet.height)], dtype=float)
    angle = np.radians(turn)
    quad = (corners - corners.mean(axis=0)) @ np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    quad *= fill / max(np.ptp(quad[:, 0]) / width, np.ptp(quad[:, 1]) / height)
    quad += np.random.default_rng(seed).uniform(-1, 1, (4, 2)) * lean * np.ptp(quad, axis=0)
    quad += np.array([width / 2, height / 2]) - (quad.max(axis=0) + quad.min(axis=0)) / 2
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), quad.astype(np.float32)), dtype=float)


def photograph(
    form: str, number: int, homography: Matrix, size: tuple[int, int], under: Picture | None = None, blur: float = 0.7
) -> Picture:
    """What a camera sees of a page on a table, or on the picture `under`."""
    sheet, scale = printed(form, number)
    fine = np.diag([2.0, 2.0, 1.0]) @ homography @ np.diag([1 / scale, 1 / scale, 1.0])
    table = np.full((size[1], size[0], 3), TABLE, np.uint8) if under is None else under
    seen = cv2.resize(table, (2 * size[0], 2 * size[1]))
    cv2.warpPerspective(sheet, fine, (2 * size[0], 2 * size[1]), seen, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    small = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), blur) if blur else small, np.uint8)


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def frame(picture: Picture) -> Frame:
    return frame_from_bytes(jpeg(picture), "test.jpg")
