"""How the paper lies under the camera: tilted and turned, waved and folded."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.paper.level import FULL, Bgr, Level, Map, grid

DISTANCE = 2.2
"""From camera to sheet, in heights of the sheet."""
RIDGE = 0.07
"""Part of the sheet's height over which a fold sinks back to the table."""
RELIEF_SHADE = 0.9
"""Loss or gain of light per unit of slope: low lamps show waves more than high ones."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A crease across the whole sheet, parallel to an edge."""

    across: bool
    """True: a horizontal line."""
    at: float
    """Where, as a part of the height (or width) of the sheet."""
    height: float
    """How far it stands up (or lies deep), as a part of the sheet's height."""
    lit: int
    """The side that the lamp is on: 1 or -1."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The sheet in the picture. Coordinates of paper are its pixels."""

    homography: NDArray[np.float64]
    """Paper to picture, for flat paper."""
    x: Map
    y: Map
    """For every point of the grid the paper that is seen there."""
    shade: Map
    """Light on the sheet's waves, 1 = as on flat paper."""


def folds_of(how: Level, rng: np.random.Generator) -> tuple[Fold, ...]:
    """Folded once, twice or in three: halves first, as people do."""
    chosen: list[Fold] = []
    lit = int(rng.choice([-1, 1]))
    for index in range(int(rng.integers(0, how.folds + 1))):
        at = 0.5 if index < 2 else float(rng.choice([0.25, 0.75]))
        height = float(rng.uniform(0.3, 1) * how.curl / 2 * rng.choice([-1, 1]))
        chosen.append(Fold(index % 2 == 0, at + float(rng.normal(0, 0.01)), height, lit))
    return tuple(chosen)


def crease(paper: Bgr, fold: Fold) -> None:
    """Draws a fold into the paper: light and shade on its two slopes, and the worn line between them."""
    high, length = paper.shape[0], paper.shape[0] if fold.across else paper.shape[1]
    half, reach, at = max(2.0, high * 0.0012), round(4 * RIDGE * high), round(fold.at * length)
    first, last = max(0, at - reach), min(length, at + reach)
    away = np.arange(first, last, dtype=np.float32) - at
    slope = -np.sign(away) * fold.height / RIDGE * np.exp(-np.abs(away) / (RIDGE * high))
    worn = np.sign(fold.height) * 0.1 * away / half * np.exp(-((away / half) ** 2))
    light = np.clip(1 + fold.lit * (RELIEF_SHADE * slope + worn) - 0.05 * np.exp(-4 * (away / half) ** 2), 0.6, 1.25)
    strip = paper[first:last] if fold.across else paper[:, first:last]
    gains = np.round(light * FULL).astype(np.uint8).reshape((-1, 1) if fold.across else (1, -1))
    wide = cv2.merge([cv2.resize(gains, strip.shape[1::-1], interpolation=cv2.INTER_NEAREST)] * 3)
    strip[:] = cv2.multiply(strip, wide, scale=1 / FULL)


def pose(paper: Bgr, how: Level, folds: tuple[Fold, ...], size: tuple[int, int], rng: np.random.Generator) -> Pose:
    """Places the sheet so that all of it is in a picture of `size` (width, height)."""
    high, wide = paper.shape[:2]
    tilt, side = np.radians(rng.uniform(0, how.tilt)), rng.uniform(0, 2 * np.pi)
    lean = np.array([np.cos(side), np.sin(side)]) * tilt
    corners = _corners(wide / high, lean, how, size, rng)
    flat = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    homography = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    inverse = np.linalg.inv(homography)
    rows, columns = grid(size)
    depth = inverse[2, 0] * columns + inverse[2, 1] * rows + inverse[2, 2]
    x = (inverse[0, 0] * columns + inverse[0, 1] * rows + inverse[0, 2]) / depth
    y = (inverse[1, 0] * columns + inverse[1, 1] * rows + inverse[1, 2]) / depth
    u, v = x / high, y / high
    relief, shade = _relief(u, v, wide / high, how, folds, rng)
    # What stands up is seen further out: by the lean of the sheet, and away from below the camera.
    x += relief * high * (np.sin(lean[0]) + (u - 0.5 * wide / high) / DISTANCE)
    y += relief * high * (np.sin(lean[1]) + (v - 0.5) / DISTANCE)
    return Pose(np.asarray(homography), x.astype(np.float32), y.astype(np.float32), shade.astype(np.float32))


def _relief(
    u: Map, v: Map, aspect: float, how: Level, folds: tuple[Fold, ...], rng: np.random.Generator
) -> tuple[Map, Map]:
    """Height of the paper over the table in heights of the sheet, and the light on its waves; folds are in `crease`."""
    phase, waves = rng.uniform(0, 2 * np.pi, 2), rng.uniform(1, 2.5, 2) * np.pi
    curl = how.curl * rng.uniform(0.3, 1)
    relief = curl / 2 * (np.sin(v * waves[0] + phase[0]) + np.sin(u * waves[1] + phase[1]))
    slope = curl / 2 * (waves[0] * np.cos(v * waves[0] + phase[0]) + waves[1] * np.cos(u * waves[1] + phase[1]))
    for fold in folds:
        away = v - fold.at if fold.across else u - fold.at * aspect
        relief = relief + fold.height * np.exp(-np.abs(away) / RIDGE)
    return relief, np.clip(1 + RELIEF_SHADE * slope * rng.choice([-1, 1]), 0.75, 1.15)


def _corners(
    aspect: float, lean: NDArray[np.float64], how: Level, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the paper's corners come to lie, scaled so that the whole sheet is in the picture."""
    width, height = size
    turn = np.radians(rng.uniform(-how.turn, how.turn))
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * [aspect, 1]
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = corners @ spin.T
    depth = DISTANCE + flat @ np.sin(lean)
    seen = flat * np.cos(lean) / depth[:, None]
    seen -= (seen.max(0) + seen.min(0)) / 2
    fit = min(width / np.ptp(seen[:, 0]), height / np.ptp(seen[:, 1])) * rng.uniform(0.9, 0.97)
    return np.asarray(seen * fit + [width / 2, height / 2])
