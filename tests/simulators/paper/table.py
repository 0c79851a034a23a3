"""What is in the picture besides the sheet: the table, things on it, and the thumb that holds the sheet down."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.paper.level import Bgr, Level

COARSE = 4
"""The table is drawn this much smaller: it lies out of focus and nobody reads it."""
WOODS = ((62, 96, 140), (40, 62, 92), (90, 110, 130), (70, 70, 74), (52, 48, 46), (120, 96, 78), (130, 140, 148))
"""BGR of wood, laminate and cloth."""
SKINS = ((112, 150, 205), (88, 124, 178), (64, 92, 138), (120, 160, 216))
"""BGR."""


def table(size: tuple[int, int], how: Level, corners: NDArray[np.float64], rng: np.random.Generator) -> Bgr:
    """The table with its things, and the shadow that the sheet with these corners throws on it."""
    small = (-(-size[0] // COARSE), -(-size[1] // COARSE))
    top = _grained(small, rng)
    for thing in (_other_sheet, _other_sheet, _pen, _phone, _glass):
        if rng.random() < how.clutter:
            thing(top, rng)
    dark = np.zeros(top.shape[:2], np.uint8)
    offset = rng.uniform(-6, 6, 2)
    cv2.fillConvexPoly(dark, np.round(corners / COARSE + offset).astype(np.int32), 150)
    shadow = cv2.GaussianBlur(dark, (0, 0), 5)
    shaded = cv2.multiply(top, cv2.cvtColor(255 - shadow, cv2.COLOR_GRAY2BGR), scale=1 / 255)
    return np.asarray(cv2.resize(shaded, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _grained(size: tuple[int, int], rng: np.random.Generator) -> Bgr:
    """A plain colour with the grain of wood along one side."""
    colour = np.array(WOODS[int(rng.integers(len(WOODS)))], np.float32) * rng.uniform(0.7, 1.1)
    shape = (int(rng.integers(6, 12)), 160) if rng.random() < 0.5 else (160, int(rng.integers(6, 12)))
    rough = rng.normal(0, rng.uniform(1, 9), shape).astype(np.float32)
    grain = cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(colour + grain[..., None], 0, 255), np.uint8)


def _edge(top: Bgr, rng: np.random.Generator) -> tuple[float, float]:
    """A place at the edge of the picture."""
    along, side = rng.uniform(0, 1), int(rng.integers(4))
    x, y = ((along, 0), (along, 1), (0, along), (1, along))[side]
    return x * top.shape[1], y * top.shape[0]


def _box(top: Bgr, rng: np.random.Generator, wide: float, high: float) -> NDArray[np.int32]:
    """A turned rectangle about a place at the edge; its sides as parts of the picture's height."""
    sides = (wide * top.shape[0], high * top.shape[0])
    return np.round(cv2.boxPoints((_edge(top, rng), sides, float(rng.uniform(0, 180))))).astype(np.int32)


def _other_sheet(top: Bgr, rng: np.random.Generator) -> None:
    """A piece of another printed sheet."""
    box = _box(top, rng, 0.35, 0.5)
    shade = int(rng.integers(170, 225))
    cv2.fillConvexPoly(top, box, (shade, shade, shade), cv2.LINE_AA)
    first, second, third, fourth = box.astype(np.float64)
    for part in np.arange(0.1, 0.95, 0.05):
        reach = rng.uniform(0.3, 0.9)
        start, end = first + (fourth - first) * part, second + (third - second) * part
        ends = [np.round(start + (end - start) * along).astype(int).tolist() for along in (0.08, reach)]
        cv2.line(top, ends[0], ends[1], (shade // 2,) * 3, 1, cv2.LINE_AA)


def _pen(top: Bgr, rng: np.random.Generator) -> None:
    colour = [int(c) for c in rng.integers(10, 160, 3)]
    x, y = _edge(top, rng)
    angle = rng.uniform(0, 2 * np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * top.shape[0] * 0.12
    ends = [(round(x - reach[0]), round(y - reach[1])), (round(x + reach[0]), round(y + reach[1]))]
    cv2.line(top, ends[0], ends[1], colour, 7, cv2.LINE_AA)
    cv2.line(top, ends[0], ends[1], [min(255, c + 60) for c in colour], 2, cv2.LINE_AA)


def _phone(top: Bgr, rng: np.random.Generator) -> None:
    box = _box(top, rng, 0.1, 0.2)
    cv2.fillConvexPoly(top, box, (28, 26, 26), cv2.LINE_AA)
    cv2.polylines(top, [box], True, (90, 90, 92), 2, cv2.LINE_AA)


def _glass(top: Bgr, rng: np.random.Generator) -> None:
    x, y = _edge(top, rng)
    radius = round(top.shape[0] * rng.uniform(0.05, 0.08))
    colour = [int(c) for c in rng.integers(60, 200, 3)]
    cv2.circle(top, (round(x), round(y)), radius, colour, -1, cv2.LINE_AA)
    cv2.circle(top, (round(x), round(y)), round(radius * 0.8), (30, 45, 70), -1, cv2.LINE_AA)


def hold(picture: Bgr, mark: NDArray[np.float64], inner: NDArray[np.float64], width: float, skin: int) -> None:
    """A thumb of `width` pixels from below over `mark`; `inner` is a point of the sheet above it."""
    upwards = (inner - mark) / np.hypot(*(inner - mark))
    tip = mark + upwards * width * 0.25
    root = mark - upwards * width * 6
    colour = SKINS[skin % len(SKINS)]
    reach = round(width * 1.2)
    low = np.maximum(np.minimum(tip, root).astype(int) - reach, 0)
    high = np.maximum(tip, root).astype(int) + reach
    window = picture[low[1] : high[1], low[0] : high[0]]
    if window.size == 0:
        return
    ends = [tuple(int(c) for c in np.round(point - low)) for point in (tip, root)]
    cover = np.zeros(window.shape[:2], np.uint8)
    cv2.line(cover, ends[0], ends[1], 255, max(1, round(width)), cv2.LINE_AA)
    soft = cv2.GaussianBlur(cover, (0, 0), width * 0.02 + 0.5)[..., None] / 255
    round_off = 0.6 + 0.4 * cv2.GaussianBlur(cover, (0, 0), width * 0.18)[..., None] / 255
    flesh = np.array(colour, np.float32) * round_off
    nail = np.round(tip + upwards * width * 0.05 - low).astype(int)
    angle = float(np.degrees(np.arctan2(upwards[1], upwards[0])))
    nailed = np.zeros_like(cover)
    axes = (round(width * 0.38), round(width * 0.3))
    cv2.ellipse(nailed, nail.tolist(), axes, angle, 0, 360, 60, -1, cv2.LINE_AA)
    flesh += nailed[..., None] * np.array([0.5, 0.45, 0.4])
    window[:] = np.clip(window * (1 - soft) + flesh * soft, 0, 255).astype(np.uint8)
