"""What a picture of the printed target (forms/target.py) says about focus and light.

Sharpness is told in lines across a digit box, as the reader needs it: cycles a millimetre on the paper at which half of
the contrast is left (MTF50), times the side of the box. So a near and a far camera, a large and a small form are judged
by one number. The worst place of the sheet counts, in its worse direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from firmware.capture.edges import mtf50
from firmware.capture.recognition import name, read_tags
from firmware.capture.rulings import Floats, project
from firmware.forms.layout import IdentityKind, Rect
from firmware.forms.target import GREYS, SQUARES, TAGS, WHITES, corners_of, square_corners
from firmware.records import Gray, Matrix

PATCH_MM = 4.0
"""Side of a piece of bare paper whose brightness is measured; around it is blank for 5 mm."""
SCALES = (1.0, 0.5, 0.25)
"""Parts of the picture's size in which tags are looked for: blurred ones are found where the blur is small again."""
GREY_PART = 0.5
"""Of a grey field, its middle."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Tags that are not seen, by id: none of the target is, or a part."""

    tags: tuple[int, ...]

    @property
    def all(self) -> bool:
        """There is no target in the picture."""
        return len(self.tags) == len(TAGS)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was measured on a target that is seen whole."""

    pixels_per_mm: float
    sharpness: tuple[float | None, ...]
    """Cycles a millimetre at half contrast at each of SQUARES; None where no edge could be measured."""
    whites: tuple[float, ...]
    """Brightness of the paper at each of WHITES, 0..255."""
    greys: tuple[float, ...]
    """Of the grey fields, from black on."""

    @property
    def worst(self) -> float:
        """The least of the sharpnesses; 0 when one could not be measured."""
        return min((value or 0.0) for value in self.sharpness)

    @property
    def evenness(self) -> float:
        """The darkest paper as a part of the lightest."""
        return min(self.whites) / max(self.whites, default=1.0) if max(self.whites) else 0.0

    @property
    def contrast(self) -> float:
        """How much darker black is than the paper beside it, as a part of the paper's brightness."""
        paper = max(self.greys[-1], 1.0)
        return (paper - self.greys[0]) / paper


def look(gray: Gray) -> Sighting | Missing:
    """The target in a picture, or which of its tags are missing."""
    found: dict[int, Floats] = {}
    for scale in SCALES:
        if len(found) < len(TAGS):
            small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
            found = _tags(np.asarray(small, np.uint8), scale) | found
    missing = tuple(number for number in TAGS if number not in found)
    return Missing(missing) if missing else _measured(gray, _homography(found))


def _tags(gray: Gray, scale: float) -> dict[int, Floats]:
    """Corners of the tags that are seen, by id, in pixels of the whole picture."""
    names = {name(IdentityKind.APRILTAG, str(number)): number for number in TAGS}
    seen = read_tags(gray, tuple(TAGS))
    return {names[text]: (corners + 0.5) / scale - 0.5 for text, corners in seen if text in names}


def _homography(found: Mapping[int, Floats]) -> Matrix:
    paper = np.concatenate([corners_of(TAGS[number]) for number in TAGS])
    pixels = np.concatenate([found[number] for number in TAGS])
    matrix, _ = cv2.findHomography(paper, pixels)
    return np.asarray(matrix, np.float64)


def _measured(gray: Gray, place: Matrix) -> Sighting:
    return Sighting(
        _scale(place, SQUARES[0]),
        tuple(_sharpness(gray, place, centre) for centre in SQUARES),
        tuple(_brightness(gray, place, _around(centre)) for centre in WHITES),
        tuple(_brightness(gray, place, _middle(box)) for box in GREYS),
    )


def _scale(place: Matrix, centre: tuple[float, float]) -> float:
    """Pixels a millimetre there."""
    x, y = centre
    middle, right, below = project(place, np.array([(x, y), (x + 1, y), (x, y + 1)]))
    return float(np.sqrt(abs(np.linalg.det(np.stack([right - middle, below - middle])))))


def _sharpness(gray: Gray, place: Matrix, centre: tuple[float, float]) -> float | None:
    corners = project(place, np.array(square_corners(centre)))
    edges = [mtf50(gray, start, end) for start, end in pairwise([*corners, corners[0]])]
    across = [_mean(edges[0::2]), _mean(edges[1::2])]
    known = [value for value in across if value is not None]
    return min(known) * _scale(place, centre) if len(known) == len(across) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _around(centre: tuple[float, float]) -> Rect:
    return Rect(centre[0] - PATCH_MM / 2, centre[1] - PATCH_MM / 2, PATCH_MM, PATCH_MM)


def _middle(box: Rect) -> Rect:
    width, height = box.w * GREY_PART, box.h * GREY_PART
    return Rect(box.x + (box.w - width) / 2, box.y + (box.h - height) / 2, width, height)


def _brightness(gray: Gray, place: Matrix, box: Rect) -> float:
    """Mean of the pixels in a piece of the paper."""
    outline = np.round(project(place, np.array(corners_of(box)))).astype(np.int32)
    low = np.clip(outline.min(axis=0), 0, (gray.shape[1] - 1, gray.shape[0] - 1))
    high = np.clip(outline.max(axis=0) + 1, low + 1, (gray.shape[1], gray.shape[0]))
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    cv2.fillConvexPoly(mask, outline - low.astype(np.int32), 255)
    return float(cv2.mean(gray[low[1] : high[1], low[0] : high[0]], mask)[0])
