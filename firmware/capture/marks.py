"""Corner marks: solid dark squares, one or two to a corner, found by what they look like on paper.

The surroundings of a mark's predicted place are rectified with the homography known so far and compared with the
mark's own drawing at every place. That stands a homography that is a fifth wrong in scale and shear.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from firmware.capture.rulings import Floats, project
from firmware.forms.layout import Mark, Rect
from firmware.records import Gray, Matrix

SIDE_PIXELS = 8
"""Side of a mark's square in the rectified picture."""
PAPER_AROUND = 0.35
"""Blank paper in the template around the squares, in sides."""
LEAST_LIKENESS = 0.5
"""Correlation with the drawing, -1..1; text and table corners reach 0.45."""
LEAST_CONTRAST = 0.3
"""The squares are darker than the blank around them by this part of its brightness."""
STILL_THERE = 1.2
"""A mark counts as visible this close to its place, in sides: less than a row of cells, more than curled edges need."""


@dataclass(frozen=True, slots=True)
class Found:
    """A place that looks like the mark: centres of its squares in picture pixels, in the order of `squares`."""

    picture: Floats
    likeness: float
    moved: float
    """mm from the predicted place."""


def square_centres(mark: Mark) -> Floats:
    """(n, 2) page mm."""
    return np.array([(s.x + s.w / 2, s.y + s.h / 2) for s in mark.squares])


def find_mark(gray: Gray, homography: Matrix, mark: Mark, radius: float, most: int) -> list[Found]:
    """Up to `most` places within `radius` mm of the predicted one, the likeliest first."""
    bounds = _bounds(mark)
    scale = SIDE_PIXELS / mark.squares[0].w
    template = _template(mark, bounds, scale)
    area = Rect(bounds.x - radius, bounds.y - radius, bounds.w + 2 * radius, bounds.h + 2 * radius)
    patch = _rectified(gray, homography, area, scale)
    likeness = cv2.matchTemplate(patch, template, cv2.TM_CCOEFF_NORMED)
    found: list[Found] = []
    for _ in range(most):
        _, best, _, (x, y) = cv2.minMaxLoc(likeness)
        if best < LEAST_LIKENESS:
            break
        window = patch[y : y + template.shape[0], x : x + template.shape[1]]
        ink, blank = float(window[template < 128].mean()), float(window[template >= 128].mean())
        if ink < (1 - LEAST_CONTRAST) * blank:
            move = np.array([x, y]) / scale + (area.x, area.y) - (bounds.x, bounds.y)
            place = project(homography, square_centres(mark) + move)
            found.append(Found(place, float(best), float(np.linalg.norm(move))))
        cv2.circle(likeness, (x, y), SIDE_PIXELS, -1.0, cv2.FILLED)
    return found


def is_there(gray: Gray, homography: Matrix, mark: Mark) -> bool:
    """True when the mark is where `homography` puts it."""
    return bool(find_mark(gray, homography, mark, STILL_THERE * mark.squares[0].w, 1))


def _bounds(mark: Mark) -> Rect:
    """The squares' bounding box with the blank paper around it."""
    blank = PAPER_AROUND * mark.squares[0].w
    left, top = (min(getattr(s, k) for s in mark.squares) - blank for k in ("x", "y"))
    right = max(s.x + s.w for s in mark.squares) + blank
    bottom = max(s.y + s.h for s in mark.squares) + blank
    return Rect(left, top, right - left, bottom - top)


def _template(mark: Mark, bounds: Rect, scale: float) -> Gray:
    drawing = np.full((round(bounds.h * scale), round(bounds.w * scale)), 255, dtype=np.uint8)
    for s in mark.squares:
        x0, y0 = round((s.x - bounds.x) * scale), round((s.y - bounds.y) * scale)
        drawing[y0 : y0 + round(s.h * scale), x0 : x0 + round(s.w * scale)] = 0
    return drawing


def _rectified(gray: Gray, homography: Matrix, area: Rect, scale: float) -> Gray:
    """`area` (page mm) at `scale` pixels a millimetre; mid grey outside of the picture."""
    to_page = np.array([[1 / scale, 0, area.x + 0.5 / scale], [0, 1 / scale, area.y + 0.5 / scale], [0, 0, 1.0]])
    size = (int(area.w * scale) + 1, int(area.h * scale) + 1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpPerspective(gray, homography @ to_page, size, flags=flags, borderValue=128)
    return np.asarray(patch, dtype=np.uint8)
