"""Digits, crosses, dashes and scribbles drawn as pen strokes: ink that needs no data set and has no owner.

Shapes follow what people write on Indonesian forms: the bare bar 1, the 7 with and without bar, the open and the
closed 4, the 9 like a g, and the square seven-segment digits that the dotted guide of the 2024 form invites.
A glyph is a list of strokes in the unit square (x right, y down); a stroke is an array of points, shape (n, 2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Strokes = list[Points]

CURVE_STEPS = 8
"""Points drawn between two control points of a curve."""

# Control points "x,y" in hundredths; strokes are separated by "|". Curves pass through their points.
_CURVED: dict[str, tuple[str, ...]] = {
    "0": (
        "50,2 18,20 8,55 25,92 55,98 85,75 90,40 72,8 48,3",
        "40,4 10,40 20,88 60,97 92,60 80,15 45,2 35,10",
        "62,8 30,8 10,45 22,88 52,98 82,80 90,40 70,6 55,12",
    ),
    "1": ("50,0 50,50 50,100", "58,0 52,50 44,100", "22,28 40,16 55,0 54,50 52,100", "45,0 52,40 55,100"),
    "2": (
        "12,25 30,5 62,2 82,22 70,50 38,78 8,98 50,95 92,97",
        "15,20 45,0 80,15 78,42 45,72 12,96 22,88 45,90 90,98",
        "10,22 40,2 80,12 72,48 30,85 15,92 20,78 40,84 95,92",
        "18,25 45,2 74,16 66,50 28,86 10,82 24,68 52,88 82,84 92,62",
        "15,28 38,0 70,14 62,55 26,92 12,76 34,70 62,94 98,72",
        "15,18 45,0 74,18 56,60 22,95 48,90 84,94",
        "8,30 25,5 60,0 75,25 55,60 20,92 5,85 25,72 45,85 70,100 98,80",
    ),
    "3": (
        "12,12 45,0 80,15 70,42 38,48 75,55 88,80 50,100 10,88",
        "15,5 50,3 80,4 60,25 42,40 78,52 85,80 50,99 10,90",
        "18,15 50,2 78,20 60,42 42,46 72,54 80,78 45,100 15,92",
        "15,8 50,6 82,4 62,25 45,42 75,52 80,75 50,97 12,95",
        "12,12 40,2 72,10 60,35 48,45 70,60 60,85 35,100",
    ),
    "4": (
        "40,0 22,35 8,66 50,64 94,62|68,30 66,65 64,100",
        "70,0 40,32 6,70 50,70 95,68|70,0 69,50 66,100",
        "15,2 14,30 12,55 50,56 90,52|76,0 75,50 72,100",
        "66,2 30,40 10,62 45,64 92,60|68,2 64,50 56,100",
    ),
    "5": (
        "85,3 50,4 22,5|22,5 18,25 15,45 50,36 85,55 80,85 45,100 8,90",
        "88,2 30,6 24,25 18,45 55,40 86,62 70,92 35,100 8,88",
        "20,4 17,25 15,42 50,38 82,58 74,90 40,100 6,92|20,5 50,3 90,0",
    ),
    "6": (
        "70,0 35,25 12,60 25,95 60,98 82,75 62,52 30,58 14,72",
        "60,0 25,35 10,70 35,98 72,92 78,65 50,50 18,66",
        "80,6 45,5 15,45 15,80 45,99 80,85 78,58 45,48 16,66",
    ),
    "7": (
        "8,6 50,6 90,4 65,50 45,100",
        "6,10 10,3 50,5 92,2 70,45 52,100",
        "8,5 50,5 90,3 62,50 40,100|28,52 55,50 82,47",
        "10,18 12,4 50,5 88,4 80,40 75,100",
    ),
    "8": (
        "78,12 45,0 18,20 45,45 80,70 65,97 30,97 15,75 45,48 80,25 75,8",
        "70,15 40,0 20,22 50,46 84,72 55,100 18,82 42,52 78,20 60,3",
        "50,46 20,25 45,2 78,22 50,46 15,75 48,99 85,75 50,46",
    ),
    "9": (
        "80,20 48,2 14,22 28,48 62,46 82,20 80,55 70,100",
        "82,15 40,2 15,30 40,52 78,30 80,10 82,60 65,95 25,92",
        "85,25 50,0 15,25 40,50 80,35 84,12 80,60 60,98 15,85",
        "72,12 38,6 16,28 38,48 70,34 80,14 76,60 46,99 12,82",
        "80,15 45,0 22,20 40,42 75,22 78,15 70,60 40,95 5,90",
        "78,10 40,5 20,30 45,48 75,30 78,10 78,50 78,100",
    ),
    "X": (
        "8,5 50,50 92,95|90,5 50,50 10,95",
        "5,20 45,48 95,80|85,0 52,45 22,100",
        "10,10 40,35 60,70 95,90|90,2 45,60 5,98",
        "12,25 35,12 50,45 70,85 95,78|88,8 50,52 15,92",
        "10,0 52,55 80,100|95,20 50,50 0,85",
        "0,30 30,25 55,55 75,85 100,70|95,0 60,45 25,90 5,100",
        "15,5 40,40 60,75 85,100|80,25 50,50 25,75",
        "5,35 50,50 95,70|70,0 52,45 30,100",
        "0,55 50,48 100,38|38,0 52,50 66,100",
        "10,30 60,45 100,60|75,5 55,50 40,95",
        "20,20 55,50 100,80|85,10 60,45 0,90",
        "0,42 55,55 95,75|80,20 55,50 10,85",
        "30,10 50,55 62,95|5,65 50,50 100,25",
        "10,12 45,50 85,92 95,60 85,15 50,50 12,95",
        "90,8 50,50 12,92 5,60 20,15 50,48 92,90",
        "12,8 30,30 52,52 72,80|98,5 70,30 40,65 0,100",
    ),
    "-": ("0,50 50,50 100,50", "0,54 50,48 100,47", "0,48 30,44 70,56 100,50"),
}

# Seven segments: a top, b upper right, c lower right, d bottom, e lower left, f upper left, g middle.
_SEGMENTS: dict[str, tuple[str, ...]] = {
    "0": ("15,0 85,0 85,100 15,100 15,0",),
    "1": ("50,0 50,100", "85,0 85,100"),
    "2": ("12,0 85,0 85,50 15,50 15,100 88,100",),
    "3": ("12,0 85,0 85,100 12,100|15,50 85,50", "12,0 85,0 85,50 35,50 85,50 85,100 12,100"),
    "4": ("15,0 15,50 85,50|85,0 85,100", "15,2 15,52 90,50|78,0 78,100"),
    "5": ("88,0 15,0 15,50 85,50 85,100 12,100",),
    "6": ("85,0 15,0 15,100 85,100 85,50 15,50", "15,0 15,100 85,100 85,50 15,50"),
    "7": ("12,0 85,0 85,100", "15,20 15,0 85,0 85,100"),
    "8": ("15,0 85,0 85,100 15,100 15,0|15,50 85,50",),
    "9": ("85,50 15,50 15,0 85,0 85,100 12,100", "85,50 15,50 15,0 85,0 85,100"),
}


def _parse(text: str) -> Strokes:
    pairs = [[[float(v) / 100 for v in point.split(",")] for point in stroke.split()] for stroke in text.split("|")]
    return [np.array(stroke) for stroke in pairs]


CURVED = {label: tuple(_parse(text) for text in texts) for label, texts in _CURVED.items()}
SEGMENTS = {label: tuple(_parse(text) for text in texts) for label, texts in _SEGMENTS.items()}


def smooth(points: Points) -> Points:
    """A Catmull-Rom curve through `points`."""
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, CURVE_STEPS, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack([*parts, points[-1]])


def glyph(rng: np.random.Generator, label: str, square: bool = False) -> Strokes:
    """One written `label` (a digit, "X" or "-"); `square` asks for the seven-segment shape where there is one."""
    shapes = SEGMENTS if square and label in SEGMENTS else CURVED
    template = shapes[label][rng.integers(len(shapes[label]))]
    bend = 0.02 if shapes is SEGMENTS else 0.035
    strokes = [stroke + rng.normal(0, bend, stroke.shape) for stroke in template]
    if shapes is CURVED:
        strokes = [smooth(stroke) if len(stroke) > 2 else stroke for stroke in strokes]
    return [stroke + np.cumsum(rng.normal(0, 0.004, stroke.shape), axis=0) for stroke in strokes]


def scribble(rng: np.random.Generator) -> Strokes:
    """A pen moved to and fro over the whole box: something was made unreadable."""
    count = int(rng.integers(7, 16))
    if rng.random() < 0.6:
        x = np.tile([0.05, 0.95], count)[:count] + rng.normal(0, 0.12, count)
        y = np.linspace(0.05, 0.95, count) + rng.normal(0, 0.05, count)
        points = np.stack([x, y] if rng.random() < 0.5 else [y, x], axis=1)
    else:
        points = rng.uniform(0, 1, (count, 2))
    return [smooth(points)]
