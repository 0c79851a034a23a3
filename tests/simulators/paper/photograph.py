"""What a camera makes of a page: perspective, curl, shadow, glare, defocus, motion, noise, colour cast, JPEG.

The order is that of the world: the paper bends, light falls on it, the lens and the sensor see it, the codec
stores it. Deterministic by seed. A human can read what counts at every level.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Level:
    """How bad it gets. Lengths are parts of the picture's longer side; angles in degrees."""

    tilt: float
    turn: float
    curl: float
    shadow: float
    """Greatest loss of light, 0..1."""
    glare: float
    """Greatest gain of light in a spot, 0..1."""
    defocus: float
    """Standard deviation in pixels of a 3,000-pixel-high picture."""
    motion: float
    """Length in pixels of a 3,000-pixel-high picture."""
    noise: float
    """Standard deviation in grey levels."""
    cast: float
    jpeg: int


LEVELS = MappingProxyType(
    {
        "clean": Level(0, 0, 0, 0, 0, 0, 0, 0, 0, 95),
        "mild": Level(6, 2, 0.002, 0.2, 0.05, 0.6, 0, 2, 0.03, 90),
        "medium": Level(14, 6, 0.004, 0.4, 0.12, 1.1, 2, 4, 0.06, 80),
        "hard": Level(24, 15, 0.007, 0.6, 0.25, 1.8, 4, 8, 0.1, 60),
    }
)


def photograph(paper: Bgr, level: str, seed: int, height: int = 3000) -> bytes:
    """A JPEG of `paper` lying on a table, `height` pixels high, 3:4."""
    rng = np.random.default_rng([seed, 7919])
    how = LEVELS[level]
    size = (round(height * 0.75), height)
    picture = _place(paper, how, size, rng)
    lit = picture.astype(np.float32) * _light(how, size, rng)[..., None]
    lit *= 1 + rng.uniform(-how.cast, how.cast, 3).astype(np.float32)
    seen = _lens(lit, how, height / 3000, rng)
    seen += rng.standard_normal(seen.shape, np.float32) * how.noise
    done, data = cv2.imencode(".jpg", np.clip(seen, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
    assert done
    return data.tobytes()


def _table(size: tuple[int, int], rng: np.random.Generator) -> Bgr:
    """A dark, slightly uneven table."""
    colour = rng.uniform(40, 110, 3)
    rough = cv2.resize(rng.normal(0, 12, (40, 30)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(colour + rough[..., None], 0, 255), np.uint8)


def _place(paper: Bgr, how: Level, size: tuple[int, int], rng: np.random.Generator) -> Bgr:
    """The paper seen under tilt and turn, curled, on the table."""
    width, height = size
    corners = _corners(paper.shape[1], paper.shape[0], how, size, rng)
    source = np.array([[0, 0], [paper.shape[1], 0], [paper.shape[1], paper.shape[0]], [0, paper.shape[0]]], np.float32)
    inverse = cv2.getPerspectiveTransform(corners.astype(np.float32), source)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = inverse[2, 0] * columns + inverse[2, 1] * rows + inverse[2, 2]
    x = ((inverse[0, 0] * columns + inverse[0, 1] * rows + inverse[0, 2]) / depth).astype(np.float32)
    y = ((inverse[1, 0] * columns + inverse[1, 1] * rows + inverse[1, 2]) / depth).astype(np.float32)
    bend = how.curl * max(paper.shape[:2])
    phase = rng.uniform(0, 2 * np.pi, 2)
    x += (bend * np.sin(y / paper.shape[0] * np.pi * 1.5 + phase[0])).astype(np.float32)
    y += (bend * np.sin(x / paper.shape[1] * np.pi * 1.5 + phase[1])).astype(np.float32)
    ratio = paper.shape[0] / height
    soft = cv2.GaussianBlur(paper, (0, 0), 0.4 * ratio) if ratio > 1.2 else paper
    shown = np.asarray(cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    inside = (x >= 0) & (y >= 0) & (x < paper.shape[1]) & (y < paper.shape[0])
    shown[~inside] = _table(size, rng)[~inside]
    return shown


def _corners(
    paper_w: int, paper_h: int, how: Level, size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the paper's corners come to lie, scaled so that the whole sheet is in the picture."""
    width, height = size
    tilt_x, tilt_y = np.radians(rng.uniform(-how.tilt, how.tilt, 2))
    turn = np.radians(rng.uniform(-how.turn, how.turn))
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * [paper_w / paper_h, 1]
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = corners @ spin.T
    distance = 2.2
    depth = distance + flat[:, 0] * np.sin(tilt_y) + flat[:, 1] * np.sin(tilt_x)
    seen = flat * [np.cos(tilt_y), np.cos(tilt_x)] / depth[:, None]
    seen -= (seen.max(0) + seen.min(0)) / 2
    fit = min(width / np.ptp(seen[:, 0]), height / np.ptp(seen[:, 1])) * rng.uniform(0.9, 0.97)
    return np.asarray(seen * fit + [width / 2, height / 2])


def _light(how: Level, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Brightness over the picture: a gradient, the edge of a shadow, a spot of glare."""
    width, height = size
    rows, columns = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    rows, columns = rows / height, columns / width
    angle = rng.uniform(0, 2 * np.pi)
    across = (columns - 0.5) * np.cos(angle) + (rows - 0.5) * np.sin(angle)
    light = 1 - how.shadow * 0.5 * (across + 0.5)
    edge = rng.uniform(-0.3, 0.3)
    light *= 1 - how.shadow * 0.5 / (1 + np.exp(-(across - edge) * 60))
    spot = rng.uniform(0.15, 0.85, 2)
    light += how.glare * np.exp(-((columns - spot[0]) ** 2 + (rows - spot[1]) ** 2) / 0.01)
    return np.asarray(cv2.resize(light.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)


def _lens(lit: NDArray[np.float32], how: Level, scale: float, rng: np.random.Generator) -> NDArray[np.float32]:
    sigma = how.defocus * scale * rng.uniform(0.5, 1)
    seen = cv2.GaussianBlur(lit, (0, 0), sigma) if sigma > 0.2 else lit.copy()
    length = round(how.motion * scale * rng.uniform(0, 1))
    if length >= 2:
        kernel = np.zeros((length, length), np.float32)
        slope = rng.uniform(0, length - 1)
        cv2.line(kernel, (0, round(slope)), (length - 1, round(length - 1 - slope)), 1.0)
        seen = cv2.filter2D(seen, -1, kernel / kernel.sum())
    return np.asarray(seen, np.float32)
