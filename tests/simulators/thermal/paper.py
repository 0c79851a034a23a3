"""What time, pockets and fingers do to a strip: optical density to the colour of worn paper."""

from __future__ import annotations

import cv2
import numpy as np

from tests.simulators.paper.level import Bgr
from tests.simulators.paper_roll import DOTS_PER_MM
from tests.simulators.thermal.head import BLANK, Map
from tests.simulators.thermal.wear import Wear

Box = tuple[int, int, int, int]
"""Left, top, right, bottom of the code, in dots of the paper: where the stains and folds that matter are."""

COFFEE = (1.6, 1.0, 0.6)
"""Density of coffee in blue, green and red, as parts of that in grey."""
YELLOW = (1.5, 0.9, 0.6)
"""The same of paper that has aged."""
SHADE_MM = 0.8
"""How far from a fold the paper still bends: its slope is lit, or is not."""
SCRATCH = 0.5
"""Density of a line drawn with a nail."""
GAMMA = 1 / 2.2


def worn(density: Map, code: Box, wear: Wear, rng: np.random.Generator) -> Bgr:
    """The strip as it lies on the table in even light, one pixel a dot."""
    print_, lit = density - BLANK, np.ones_like(density)
    print_ *= 1 - wear.fade * (0.8 + 0.2 * _patches(density, rng))
    coffee, sweat = _stains(density, code, wear, rng)
    print_ *= 1 - sweat
    for _ in range(round(wear.creases)):
        away = _line(density, code, rng, straight=True)
        print_ *= 1 - np.float32(wear.cracked * rng.uniform(0.5, 1)) * _near(away, wear.crack * DOTS_PER_MM / 2)
        reach = SHADE_MM * DOTS_PER_MM
        lit += np.float32(rng.uniform(0.05, 0.2) * rng.choice([-1, 1])) * np.tanh(away) * np.exp(-np.abs(away) / reach)
    for _ in range(round(wear.scratches)):
        print_ = np.maximum(print_, SCRATCH * _near(_line(density, code, rng, straight=False), 0.6))
    fog = wear.fog * (0.8 + 0.2 * _patches(density, rng))
    whole = [BLANK + print_ + tint * coffee + old * fog for tint, old in zip(COFFEE, YELLOW, strict=True)]
    light = [lit * np.exp(-np.log(10).astype(np.float32) * channel) for channel in whole]
    return np.asarray(np.clip(255 * cv2.merge(light) ** GAMMA, 0, 255), np.uint8)


def _patches(like: Map, rng: np.random.Generator) -> Map:
    """Slow changes over the paper, -1 to 1."""
    height, width = like.shape
    rough = rng.uniform(-1, 1, (max(2, height // 160), max(2, width // 160))).astype(np.float32)
    return np.asarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _stains(like: Map, code: Box, wear: Wear, rng: np.random.Generator) -> tuple[Map, Map]:
    """Density of dried coffee, dark at its edge; and the share of the print that grease and sweat took away."""
    coffee, sweat = np.zeros_like(like), np.zeros_like(like)
    for _ in range(round(wear.drops)):
        for where in (coffee, sweat):
            x, y = rng.uniform(code[0], code[2]), rng.uniform(code[1], code[3])
            radius = rng.uniform(2, 9) * DOTS_PER_MM
            blob = np.zeros_like(like)
            axes = (round(radius), round(radius * rng.uniform(0.5, 1)))
            cv2.ellipse(blob, (round(x), round(y)), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
            inner = cv2.blur(blob, (2 * DOTS_PER_MM + 1, 2 * DOTS_PER_MM + 1))
            if where is coffee:
                coffee += np.float32(wear.stain) * cv2.blur(blob, (3, 3)) * (1 - 0.6 * inner)
            else:
                sweat = np.maximum(sweat, np.float32(wear.sweat) * inner)
    return coffee, sweat


def _line(like: Map, code: Box, rng: np.random.Generator, straight: bool) -> Map:
    """Dots from a line through the code: a fold goes nearly along or across the strip, a scratch goes anywhere."""
    x, y = rng.uniform(code[0], code[2]), rng.uniform(code[1], code[3])
    angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.1) if straight else rng.uniform(0, np.pi)
    columns = np.arange(like.shape[1], dtype=np.float32) - np.float32(x)
    rows = np.arange(like.shape[0], dtype=np.float32)[:, None] - np.float32(y)
    return np.asarray(rows * np.float32(np.cos(angle)) - columns * np.float32(np.sin(angle)), np.float32)


def _near(away: Map, reach: float) -> Map:
    """1 on the line, 0 far from it."""
    return np.asarray(np.clip(reach + 0.5 - np.abs(away), 0, 1), np.float32)
