"""The light on the sheet: a lamp to one side, warm or cold, the shadow of somebody, a veil of glare."""

from __future__ import annotations

import cv2
import numpy as np

from tests.simulators.paper.level import FULL, STEP, Bgr, Level, Map, grid


def gain(how: Level, size: tuple[int, int], shade: Map, rng: np.random.Generator) -> Bgr:
    """What is left of every colour at every point of the grid, FULL = all."""
    width, height = size
    down, right = grid(size)
    rows, columns = down / np.float32(height) - 0.5, right / np.float32(width) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    across = columns * np.cos(angle) + rows * np.sin(angle)
    light = (1 - how.shadow * 0.5 * rng.uniform(0.2, 1) * (across + 0.5)) * shade
    light *= 1 - how.shadow * 0.5 * rng.uniform(0.4, 1) * _shadow(how, rows, columns, rng)
    warm, green = rng.uniform(-how.cast, how.cast, 2) * (1, 0.4)
    cast = np.array([1 - warm, 1 + green, 1 + warm], np.float32)
    return np.asarray(np.clip(light[..., None] * cast * FULL, 0, 255), np.uint8)


def _shadow(how: Level, rows: Map, columns: Map, rng: np.random.Generator) -> Map:
    """0 in the light, 1 in the shadow: of a person standing by, or of the telephone over the paper."""
    angle, edge = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    softness = rng.uniform(0.5, 1.5) if rng.random() < how.hard_edge else rng.uniform(4, 16)
    if rng.random() < 0.5:
        away = columns * np.cos(angle) + rows * np.sin(angle) - edge
        return np.asarray(1 / (1 + np.exp(np.clip(-away * len(rows) / softness, -50, 50))), np.float32)
    high, wide = rows.shape[:2]
    phone = np.zeros((high, wide), np.float32)
    centre = ((0.5 + edge) * wide, (0.5 + rng.uniform(-0.3, 0.3)) * high)
    side = rng.uniform(0.25, 0.4) * wide
    box = cv2.boxPoints((centre, (side, side * 2), float(np.degrees(angle))))
    cv2.fillConvexPoly(phone, np.round(box).astype(np.int32), 1.0, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(phone, (0, 0), softness), np.float32)


def glare(how: Level, size: tuple[int, int], rng: np.random.Generator) -> Bgr | None:
    """The veil that a lamp lays over glossy ink and paper, in grey levels; None where there is none."""
    if how.glare == 0:
        return None
    width, height = size
    rows, columns = grid(size)
    spot, reach = rng.uniform(0.15, 0.85, 2), rng.uniform(0.05, 0.14, 2)
    away = ((columns / width - spot[0]) / reach[0]) ** 2 + ((rows / height - spot[1]) / reach[1]) ** 2
    return np.asarray(np.round(255 * how.glare * rng.uniform(0.3, 1) * np.exp(-away)), np.uint8)


def shine(picture: Bgr, gains: Bgr, veil: Bgr | None) -> Bgr:
    """The picture in this light. All are 8-bit; rounding stays below the noise of a camera."""
    height, width = picture.shape[:2]
    full = (gains.shape[1] * STEP, gains.shape[0] * STEP)
    smooth = cv2.resize(gains, full, interpolation=cv2.INTER_LINEAR)[:height, :width]
    lit = cv2.multiply(picture, smooth, scale=1 / FULL)
    if veil is not None:
        over = cv2.cvtColor(cv2.resize(veil, full, interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2BGR)
        lit = cv2.add(lit, over[:height, :width])
    return np.asarray(lit, np.uint8)
