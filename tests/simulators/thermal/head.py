"""What the head burns into the paper: dots to optical density.

A row is heated by the dots that work, with what the supply gives; part of the heat of a row is still there in the next
ones; the coating blackens along an S-shaped curve of the heat, up to a density of 1.2 on 0.07 of the blank paper
(makers of thermal paper ask for more than 1.2 and less than 0.1).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.paper_roll import PAPER_DOTS, Dots
from tests.simulators.thermal.wear import Wear

Map = NDArray[np.float32]

BLANK, BLACK = 0.07, 1.27
"""Optical density of paper that nothing heated, and of a full dot."""
HALF, STEEP = 0.55, 0.1
"""Share of the rated heat at which the coating is half black, and how fast it turns there: full at the rated heat."""
TAIL_ROWS = 6
"""Rows after which a row's heat is gone."""


def printed(dots: Dots, wear: Wear, rng: np.random.Generator) -> Map:
    """The density of the strip over the whole width of its paper, one value a dot."""
    heat = dots.astype(np.float32) * _head(dots.shape[1], wear, rng)
    heat *= (wear.energy * (1 - wear.droop * dots.mean(axis=1, keepdims=True))).astype(np.float32)
    heat = _bled(heat, wear)
    heat *= 1 + np.float32(wear.grain) * rng.standard_normal(heat.shape, np.float32)
    density = BLANK + (BLACK - BLANK) / (1 + np.exp((HALF - heat) / STEEP))
    margin = (PAPER_DOTS[dots.shape[1]] - dots.shape[1]) // 2
    whole = np.pad(_fed(density.astype(np.float32), wear, rng), ((0, 0), (margin, margin)), constant_values=BLANK)
    return np.asarray(whole, np.float32)


def _head(width: int, wear: Wear, rng: np.random.Generator) -> Map:
    """What every dot of the head gives."""
    gains = np.ones(width, np.float32)
    for place in rng.integers(0, width, round(wear.dirt)):
        gains[place : place + int(rng.integers(2, 11))] *= 0.5
    gains[rng.integers(0, width, round(wear.dead * width / 576))] = 0
    return gains


def _bled(heat: Map, wear: Wear) -> Map:
    """With what is left of the rows before, and spread in the coating."""
    left = np.exp(-np.arange(TAIL_ROWS) / wear.tail)
    tail = np.zeros(2 * TAIL_ROWS - 1, np.float32)
    tail[:TAIL_ROWS] = left[::-1]  # filter2D does not turn its kernel: rows before come first
    smeared = cv2.filter2D(heat, -1, tail[:, None])
    smeared = np.minimum(smeared, 1.15)  # printers shorten the pulse of a dot that is still hot
    return np.asarray(cv2.GaussianBlur(smeared, (0, 0), wear.spread), np.float32)


def _fed(density: Map, wear: Wear, rng: np.random.Generator) -> Map:
    """Rows a little too close or too far from each other, in stretches of some 10 mm."""
    if wear.drag == 0:
        return density
    steps = cv2.GaussianBlur(rng.standard_normal((len(density), 1)).astype(np.float32), (0, 0), 30)
    steps = steps * np.float32(wear.drag / max(float(steps.std()), 1e-6))
    rows = np.arange(len(density), dtype=np.float32) + np.cumsum(steps - steps.mean()).astype(np.float32)
    columns = np.arange(density.shape[1], dtype=np.float32)
    x, y = (np.ascontiguousarray(axis) for axis in np.broadcast_arrays(columns, rows[:, None]))
    return np.asarray(cv2.remap(density, x, y, cv2.INTER_LINEAR, borderValue=BLANK), np.float32)
