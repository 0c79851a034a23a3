"""Whether a second form lies beside the page that was found, whole or in part.

A form is a table on paper: many places where a horizontal and a vertical printed line cross. Letters and other things
on a desk have lines of one direction or none. So the crossings outside of the page are counted, in a small picture that
is turned upright by those lines. Nothing is identified: half of a form and a form that nobody knows count as well.
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware.capture.rulings import Floats
from firmware.capture.structure import LINE_PIXELS, LONG_SIDE, THIN_PIXELS, edge_angle, line_runs
from firmware.records import Gray

LEAST_CROSSINGS = 8
"""Outside of the page. Rendered pages alone on a cluttered desk, mild to hard, and real scans: none; with the margin of
another page in view: 7 and less; with a third of another page or more: 12 and more."""
LEAST_ROOM = 0.03
"""Part of the picture outside of the page in which nothing of another form can be told."""
PAPER_SHARE = 0.5
"""Ground at least this part as bright as the page's own paper is paper: not wood, whose grain has lines."""
DIRECTIONS = 2
"""Sheets and other things that lie turned differently, the one with most line first."""
INK = 382.0
HALF = 32
"""A line is a twelfth darker than its paper (INK times that part is HALF): half as much as in structure.py, because a
thin line that is turned is spread over two pixels."""
AROUND = 0.01
"""Part of the picture's longer side around the found page that still counts as the page: sheets curl."""


def is_another_beside(gray: Gray, outline: Floats) -> bool:
    """True when a second form is seen outside of `outline` (n, 2), the corners of the page in pixels."""
    return _crossings_beside(gray, outline) >= LEAST_CROSSINGS


def _crossings_beside(gray: Gray, outline: Floats) -> int:
    factor = min(1.0, LONG_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else gray
    page = np.zeros(small.shape, np.uint8)
    cv2.fillConvexPoly(page, np.round(outline * factor).astype(np.int32), 255)
    if not page.any():
        return 0
    level = float(np.median(small[page > 0]))
    around = round(AROUND * max(small.shape))
    elsewhere = cv2.erode(cv2.bitwise_not(page), np.ones((2 * around + 1, 2 * around + 1), np.uint8))
    if np.count_nonzero(elsewhere) < LEAST_ROOM * elsewhere.size:
        return 0
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((THIN_PIXELS, THIN_PIXELS), np.uint8))
    ink = cv2.divide(cv2.subtract(paper, small), paper, scale=INK)
    return _crossings(np.where((paper >= PAPER_SHARE * level) & (elsewhere > 0), ink, np.uint8(0)))


def _crossings(ink: Gray) -> int:
    """Of lines in a picture of ink, turned upright by the lines themselves: the most of one sheet."""
    most = 0
    for _ in range(DIRECTIONS):
        if np.count_nonzero(ink) < 2 * LINE_PIXELS:
            break
        upright = _turned(ink)
        runs = line_runs((upright > HALF).astype(np.uint8))
        down, right = (cv2.dilate(along, np.ones((3, 3), np.uint8)) > 0 for along in runs)
        most = max(most, cv2.connectedComponents((down & right).astype(np.uint8))[0] - 1)
        ink = np.where(down | right, np.uint8(0), upright)
    return most


def _turned(ink: Gray) -> Gray:
    height, width = ink.shape
    side = int(np.hypot(height, width)) + 1
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), edge_angle(ink.astype(np.float32)), 1.0)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    return np.asarray(cv2.warpAffine(ink, turn, (side, side)), np.uint8)
