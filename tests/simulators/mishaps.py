"""Sheets as people lay them down wrong, for the demo's desk: made from a photograph of a page, or of none at all."""

from __future__ import annotations

import cv2
import numpy as np

from tests.simulators.paper.level import Bgr

TABLE = (80, 90, 95)
"""Colour of the table, BGR."""
FAR, CUT, DARK = 0.4, 0.6, 0.2
"""Size of a page that is too far away; part of one that is seen; light that is left."""


def mishaps(page: bytes) -> list[tuple[str, bytes]]:
    """(file name, JPEG): nothing on the table, a page too far away, cut off, in the dark, and moved meanwhile."""
    picture = np.asarray(cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    kernel = np.full((1, 45), 1 / 45, np.float32)
    made: dict[str, cv2.typing.MatLike] = {
        "empty-table.jpg": np.full_like(picture, TABLE),
        "far-away.jpg": _far(picture),
        "cut-off.jpg": picture[: int(CUT * len(picture))],
        "in-the-dark.jpg": cv2.convertScaleAbs(picture, alpha=DARK),
        "moving.jpg": cv2.filter2D(picture, -1, kernel),
    }
    return [(name, cv2.imencode(".jpg", wrong)[1].tobytes()) for name, wrong in made.items()]


def _far(picture: Bgr) -> Bgr:
    small = cv2.resize(picture, None, fx=FAR, fy=FAR, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    table = np.full_like(picture, TABLE)
    top, left = (len(table) - height) // 2, (table.shape[1] - width) // 2
    table[top : top + height, left : left + width] = small
    return table
