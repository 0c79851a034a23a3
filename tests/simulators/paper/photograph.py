"""What a camera makes of a page: perspective, waves and folds, shadow, glare, defocus, motion, noise, cast, JPEG.

The order is that of the world: the paper bends, light falls on it, the lens and the sensor see it, the codec stores
it. Levels: level.py. Deterministic by seed, and everything 8-bit but the maps: one 7-megapixel page takes a fifth of a
second. A human can read what counts at every level.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.paper import light, sheet
from tests.simulators.paper.level import LEVELS, SMALL_HEIGHT, STEP, Bgr, Level, Map
from tests.simulators.paper.table import hold, table

__all__ = ["LEVELS", "Grip", "photograph"]

Grip = tuple[float, float, float]
"""Where a thumb may hold the sheet: x, y and the width of a thumb, in pixels of the paper."""

TILE = 1024
"""Side in pixels of the noise that is made once and laid down anew, shifted, for every picture."""
GRAIN = 32
"""Standard deviation of that noise."""
EXIF_TURNS = {1: 6, 2: 3, 3: 8}
"""EXIF orientation of pixels that were turned anticlockwise by so many quarters."""


def photograph(paper: Bgr, level: str, seed: int, height: int = 3000, grips: Sequence[Grip] = ()) -> bytes:
    """A JPEG of `paper` (BGR) lying on a table, 3:4, `height` pixels high unless it is turned or a small camera's."""
    rng = np.random.default_rng([seed, 7919])
    how = LEVELS[level]
    if rng.random() < how.small:
        height = min(height, SMALL_HEIGHT)
    size = (round(height * 0.75), height)
    picture, shade = _lay(paper, how, size, grips, rng)
    lit = light.shine(picture, light.gain(how, size, shade, rng), light.glare(how, size, rng))
    seen = _sensor(_lens(lit, how, height / 3000, rng), how.noise, rng)
    turns = int(rng.integers(1, 4)) if rng.random() < how.turned else 0
    seen = np.ascontiguousarray(np.rot90(seen, turns))
    done, data = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
    assert done
    return _with_orientation(data.tobytes(), EXIF_TURNS[turns]) if turns and rng.random() < 0.5 else data.tobytes()


def _lay(
    paper: Bgr, how: Level, size: tuple[int, int], grips: Sequence[Grip], rng: np.random.Generator
) -> tuple[Bgr, Map]:
    """The paper on the table as the camera stands to it, in even light; and the light on its slopes."""
    folds = sheet.folds_of(how, rng)
    if folds:
        paper = paper.copy()
    for fold in folds:
        sheet.crease(paper, fold)
    ratio = paper.shape[0] / size[1]
    if ratio > 1.2:
        paper = np.asarray(cv2.GaussianBlur(paper, (0, 0), 0.4 * ratio), np.uint8)
    lies = sheet.pose(paper, how, folds, size, rng)
    high, wide = paper.shape[:2]
    corners = _seen(lies, np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float64))
    picture = table(size, how, corners, rng)
    x, y = (_full(points, size) for points in (lies.x, lies.y))
    cv2.remap(paper, x, y, cv2.INTER_LINEAR, dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
    if grips and rng.random() < how.thumb:
        x0, y0, width = grips[int(rng.integers(len(grips)))]
        mark, inner, edge = _seen(lies, np.array([[x0, y0], [x0, y0 - width], [x0 + width, y0]], np.float64))
        hold(picture, mark, inner, float(np.hypot(*(edge - mark))), int(rng.integers(8)))
    return picture, lies.shade


def _seen(lies: sheet.Pose, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.perspectiveTransform(points[None], lies.homography)[0], np.float64)


def _full(points: Map, size: tuple[int, int]) -> Map:
    """The grid's values for every pixel."""
    wide, high = points.shape[1] * STEP, points.shape[0] * STEP
    large = cv2.resize(points, (wide, high), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[: size[1], : size[0]], np.float32)


def _lens(lit: Bgr, how: Level, scale: float, rng: np.random.Generator) -> Bgr:
    """Defocus and the movement of the hand."""
    sigma = how.defocus * scale * rng.uniform(0.5, 1)
    seen = cv2.GaussianBlur(lit, (0, 0), sigma) if sigma > 0.2 else lit
    length = round(how.motion * scale * rng.uniform(0, 1))
    if length >= 2:
        kernel = np.zeros((length, length), np.float32)
        slope = rng.uniform(0, length - 1)
        cv2.line(kernel, (0, round(slope)), (length - 1, round(length - 1 - slope)), 1.0)
        seen = cv2.filter2D(seen, -1, kernel / kernel.sum())
    return np.asarray(seen, np.uint8)


@cache
def _grain() -> Bgr:
    """Noise about 128 as a camera's software leaves it: a little soft, each colour its own."""
    rough = np.random.default_rng(1).standard_normal((TILE, TILE, 3), np.float32)
    soft = cv2.GaussianBlur(rough, (0, 0), 0.6, borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.clip(np.round(128 + soft / soft.std() * GRAIN), 0, 255), np.uint8)


def _sensor(seen: Bgr, noise: float, rng: np.random.Generator) -> Bgr:
    """Shot noise: even in the square root of the light, `noise` grey levels on white."""
    shift = rng.integers(0, TILE, 2)
    if noise == 0:
        return seen
    tile = np.roll(_grain(), shift, (0, 1))
    below, right = (max(0, side - TILE) for side in seen.shape[:2])
    field = cv2.copyMakeBorder(tile, 0, below, 0, right, cv2.BORDER_WRAP)[: seen.shape[0], : seen.shape[1]]
    values = np.arange(256)
    roots = cv2.LUT(seen, np.round(np.sqrt(values * 255.0)).astype(np.uint8))
    strength = noise / 2 / GRAIN
    noisy = cv2.addWeighted(roots, 1.0, field, strength, -128 * strength)
    return np.asarray(cv2.LUT(noisy, np.round(values**2 / 255).astype(np.uint8)), np.uint8)


def _with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The file with an EXIF block that holds this orientation and nothing else."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    body = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08" + b"\x00\x01" + entry + b"\x00\x00\x00\x00"
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]
