"""How bad a photograph may be: named levels in physical terms, and the grid on which light and paper are computed."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
Map = NDArray[np.float32]

STEP = 8
"""Pixels between the points at which paper and light are computed: both change slowly; the rest is interpolated."""

FULL = 200
"""Gain 1 in 8-bit maps of light: leaves room for slopes and lamps that brighten."""


@dataclass(frozen=True, slots=True)
class Level:
    """The worst a picture of this level may have; each picture draws its own from 0 or a good value up to this.

    Pixels are those of a picture 3,000 pixels high. Shares are probabilities a picture.
    """

    tilt: float
    """Angle in degrees between the camera and the sheet's upright."""
    turn: float
    """Degrees by which the sheet lies turned in the picture."""
    curl: float
    """Height of the waves of the paper, as a part of the sheet's height."""
    folds: int
    """Creases from folding; each stands up by a part of the sheet's height of at most curl / 2."""
    shadow: float
    """Greatest loss of light across the sheet, 0..1; half of it fades, half has an edge."""
    hard_edge: float
    """Share whose shadow has a sharp edge: a phone or an arm close to the paper."""
    glare: float
    """Greatest veil of light in a spot, as a part of white."""
    defocus: float
    """Standard deviation of the blur in pixels."""
    motion: float
    """Length of the smear in pixels."""
    noise: float
    """Standard deviation of white paper in grey levels; darker parts have less: it is shot noise."""
    cast: float
    """Greatest gain or loss of one colour channel."""
    jpeg: int
    """Quality of the file."""
    clutter: float = 0.0
    """Share of the things on the table that are there: sheets, pens, a telephone, a glass."""
    turned: float = 0.0
    """Share held by 90 or 180 degrees; half of these files say so in EXIF, the others do not."""
    small: float = 0.0
    """Share taken by a camera of SMALL_HEIGHT."""
    thumb: float = 0.0
    """Share on which a thumb holds the sheet down, on one of its lower marks."""


SMALL_HEIGHT = 1632
"""Pixels: 1,224 x 1,632, a 2-megapixel camera."""

LEVELS = MappingProxyType(
    {
        "clean": Level(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 95),
        "mild": Level(6, 2, 0.004, 0, 0.2, 0, 0.05, 0.6, 0, 2, 0.03, 90, clutter=0.2),
        "medium": Level(16, 6, 0.010, 2, 0.4, 0.3, 0.15, 1.1, 2, 4, 0.06, 80, 0.5, turned=0.04, small=0.02),
        "hard": Level(35, 15, 0.018, 3, 0.6, 0.6, 0.3, 1.8, 4, 8, 0.1, 60, 0.8, turned=0.1, small=0.06, thumb=0.06),
    }
)
"""clean: a scanner. mild: a camera on a stand in good light, flat paper. medium: a careful hand in a lit room, paper
that was folded once. hard: a hurried hand at night under one lamp, folded and wavy paper, a cheap camera now and then.
"""


def grid(size: tuple[int, int]) -> tuple[Map, Map]:
    """Rows and columns in pixels of the points that stand for a picture of (width, height), STEP pixels apart."""
    width, height = size
    rows, columns = np.mgrid[0 : -(-height // STEP), 0 : -(-width // STEP)].astype(np.float32)
    return (rows + 0.5) * STEP - 0.5, (columns + 0.5) * STEP - 0.5
