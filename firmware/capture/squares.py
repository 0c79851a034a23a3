"""Finds pages by their corner marks alone: four dark squares as far apart, for their size, as the layout has them.

It needs neither a legible identity nor a flat sheet, and stands tilt, turn and folds. Good for forms whose marks are
single squares. What it gives are hypotheses: registration proves or drops them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import cv2
import numpy as np

from firmware.capture.marks import square_centres
from firmware.capture.rulings import Floats
from firmware.forms.layout import Mark
from firmware.records import Gray, Matrix

LONG_SIDE = 1200
"""Pixels of the reduced picture's long side: a mark of 6 mm on A4 has 20 a side."""
WINDOW = 61
"""Pixels around a place with which it is compared: more than two sides of a mark."""
DARK = 0.6
"""A mark is darker than this part of the mean around it, in light and in shadow."""
LEAST_SIDE, MOST_SIDE = 6, 40
"""Pixels of a mark's box: smaller is print, larger is a block of ink."""
MOST_OBLONG = 1.7
LEAST_FILL = 0.55
"""Part of its box that a mark fills: a square turned by a quarter of a right angle has 0.59."""
MOST_CANDIDATES = 80
"""Squares looked at, the fullest first; a filled form shows about thirty."""
SIZE_TOLERANCE = 0.35
"""How far a square's side may be from what the distance of two marks tells, as part of it: tilt and blur."""
CORNER_TOLERANCE = 0.2
"""How far the other two marks may be from where two opposite ones put them, as part of their distance."""
NEAREST = 2
"""Squares that each of the other two marks may be: print lies near marks."""
MOST_QUADS = 16
"""Of the largest, and of those that fit best, that are given."""


def guess_by_marks(gray: Gray, marks: Sequence[Mark]) -> list[Matrix]:
    """Homographies (page mm to pixels) that put the four marks on dark squares, the largest sheet first."""
    if len(marks) != 4 or any(len(mark.squares) != 1 for mark in marks):
        return []
    page = np.concatenate([square_centres(mark) for mark in marks])
    factor = min(1.0, LONG_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else gray
    places, sides = _squares(np.asarray(small, dtype=np.uint8))
    quads = _quads(page, marks[0].squares[0].w, places, sides)
    back = np.diag([1 / factor, 1 / factor, 1.0])
    return [back @ cv2.getPerspectiveTransform(page.astype(np.float32), quad.astype(np.float32)) for quad in quads]


def _squares(small: Gray) -> tuple[Floats, Floats]:
    """Centres (n, 2) and sides (n) of solid dark squares."""
    around = cv2.blur(small, (WINDOW, WINDOW))
    dark = cv2.compare(small, cv2.convertScaleAbs(around, alpha=DARK), cv2.CMP_LT)
    _, _, stats, centres = cv2.connectedComponentsWithStats(dark, connectivity=4)
    _, _, w, h, area = stats.T.astype(np.float64)
    fill = area / (w * h)
    good = (np.minimum(w, h) >= LEAST_SIDE) & (np.maximum(w, h) <= MOST_SIDE) & (fill >= LEAST_FILL)
    good &= np.maximum(w, h) <= MOST_OBLONG * np.minimum(w, h)
    chosen = np.flatnonzero(good)
    chosen = chosen[np.argsort(-fill[chosen], kind="stable")][:MOST_CANDIDATES]
    return np.asarray(centres[chosen]), np.asarray(np.sqrt(area[chosen]), dtype=np.float64)


def _quads(page: Floats, side: float, places: Floats, sides: Floats) -> list[Floats]:
    """Choices of four places, in the order of `page`, that two opposite ones agree with: the largest first."""
    if len(places) < len(page):
        return []
    here, there = page[:, 0] + 1j * page[:, 1], places[:, 0] + 1j * places[:, 1]
    first, last = 0, int(np.argmax(np.abs(here - here[0])))
    across = there[None, :] - there[:, None]
    expected = np.abs(across) * side / abs(here[last] - here[first])
    fits = (np.abs(sides[:, None] / np.maximum(expected, 1e-9) - 1) < SIZE_TOLERANCE) & (
        np.abs(sides[None, :] / np.maximum(expected, 1e-9) - 1) < SIZE_TOLERANCE
    )
    found: list[tuple[float, float, Floats]] = []
    for start, stop in np.argwhere(fits):
        turn = (there[stop] - there[start]) / (here[last] - here[first])
        wanted = there[start] + turn * (here - here[first])
        distance = np.abs(there[None, :] - wanted[:, None]) / abs(there[stop] - there[start])
        distance[:, np.abs(sides / expected[start, stop] - 1) > SIZE_TOLERANCE] = np.inf
        distance[[first, last]], distance[first, start], distance[last, stop] = np.inf, 0.0, 0.0
        for near in product(*np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]):
            error = float(distance[np.arange(len(page)), near].max())
            if error < CORNER_TOLERANCE and len(set(near)) == len(page):
                found.append((-abs(there[stop] - there[start]), error, places[list(near)]))
    largest, fittest = (sorted(found, key=lambda quad: quad[k])[:MOST_QUADS] for k in (0, 1))
    return list({quad[2].tobytes(): quad[2] for quad in [*largest, *fittest]}.values())
