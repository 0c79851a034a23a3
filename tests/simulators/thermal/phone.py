"""The 720p picture that a telephone takes of a strip: bent paper, perspective, light, lens, sensor, JPEG.

The person aims at the code and holds the telephone so that the paper's width fills most of the picture's shorter side.
"""

from __future__ import annotations

import cv2
import numpy as np

from tests.simulators.paper.level import Bgr, grid
from tests.simulators.paper_roll import DOTS_PER_MM
from tests.simulators.thermal.head import Map
from tests.simulators.thermal.wear import Wear

SIZE = (720, 1280)
"""Width and height in pixels of a telephone's video, upright."""
FOCAL = 990.0
"""Pixels: 40 degrees over the shorter side, as telephones have."""
FULLEST = 0.95
"""Share of the picture's width that the paper fills in a careful hand."""
WAVES = 5
"""Triangular waves of different directions that make up crumpled paper."""
WAVE_MM = (12.0, 45.0)
TABLE = (70.0, 95.0, 120.0)
"""BGR of wood."""


def photograph(paper: Bgr, aim: tuple[float, float], wear: Wear, rng: np.random.Generator) -> bytes:
    """A JPEG of the strip (one pixel a dot), aimed at a point of it (dots)."""
    x, y, shade = _bent(paper, aim, wear, rng)
    scale = FULLEST * (1 - wear.small) * SIZE[0] / paper.shape[1]
    if scale < 1:
        paper = np.asarray(cv2.GaussianBlur(paper, (0, 0), 0.4 / scale), np.uint8)  # a pixel sees more than one dot
    full = [cv2.resize(points, SIZE, interpolation=cv2.INTER_LINEAR) for points in (x, y, shade)]
    seen = cv2.remap(paper, full[0], full[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=TABLE)
    lit = seen.astype(np.float32) * (full[2] * _light(wear, rng))[..., None] + _glare(wear, rng)[..., None]
    blurred = _lens(lit, wear, rng)
    blurred += rng.standard_normal((SIZE[1], SIZE[0], 1), np.float32) * np.float32(wear.noise)
    picture = np.clip(blurred, 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, round(wear.jpeg)])
    assert done
    return data.tobytes()


def _bent(paper: Bgr, aim: tuple[float, float], wear: Wear, rng: np.random.Generator) -> tuple[Map, Map, Map]:
    """The dot of the paper seen at every STEPth pixel, and the light on the slope there."""
    flat, lean = _pose(paper.shape[1] / DOTS_PER_MM, wear, rng)
    rows, columns = grid(SIZE)
    points = np.stack(np.broadcast_arrays(columns, rows), axis=-1).astype(np.float64)
    across, along = np.moveaxis(cv2.perspectiveTransform(points, flat), -1, 0)  # mm from the aim, on a flat table
    height, slope = _relief(across, along, wear, rng)
    across, along = across + height * lean[0], along + height * lean[1]
    if wear.curl:
        radius = 1 / wear.curl
        bend = np.clip(along / radius, -0.95, 0.95)
        slope, along = slope + 0.3 * bend, radius * np.arcsin(bend)
    x, y = (aim[0] + across * DOTS_PER_MM, aim[1] + along * DOTS_PER_MM)
    shade = np.clip(1 - slope, 0.4, 1.3)
    return x.astype(np.float32), y.astype(np.float32), shade.astype(np.float32)


def _pose(width_mm: float, wear: Wear, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """From pixels to millimetres on the table about the aim; and how far a point that stands 1 mm high is displaced."""
    way, turn = rng.uniform(0, 2 * np.pi), np.radians(wear.turn) * rng.choice([-1, 1])
    tilt = np.radians(wear.tilt)
    axis = np.array([np.cos(way), np.sin(way), 0]) * tilt
    spin, _ = cv2.Rodrigues(np.array([0, 0, turn]))
    lean, _ = cv2.Rodrigues(axis)
    turned = lean @ spin
    distance = FOCAL * width_mm / (FULLEST * (1 - wear.small) * SIZE[0])
    off = rng.uniform(-0.05, 0.05, 2) * width_mm
    camera = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
    lies = camera @ np.column_stack([turned[:, 0], turned[:, 1], [*off, distance]])
    up = turned.T @ np.array([0, 0, 1.0])
    return np.linalg.inv(lies), -up[:2] / up[2]


def _relief(
    across: np.ndarray, along: np.ndarray, wear: Wear, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Height in mm and the slope towards the lamp of crumpled paper: flat facets with sharp edges."""
    height, slope = np.zeros_like(across), np.zeros_like(across)
    lamp = rng.uniform(0, 2 * np.pi)
    for _ in range(WAVES):
        way, length = rng.uniform(0, 2 * np.pi), rng.uniform(*WAVE_MM)
        phase = (across * np.cos(way) + along * np.sin(way)) / length + rng.uniform(0, 1)
        part = wear.dents / WAVES * rng.uniform(0.5, 1.5)
        height += part * 2 * np.abs(phase % 1 - 0.5)
        slope += part * 2 / length * np.sign(phase % 1 - 0.5) * np.cos(way - lamp)
    return height, slope


def _light(wear: Wear, rng: np.random.Generator) -> Map:
    """Fading from side to side, with the soft edge of a shadow in it."""
    rows, columns = np.mgrid[-0.5:0.5:160j, -0.5:0.5:90j].astype(np.float32)
    way = rng.uniform(0, 2 * np.pi)
    across = columns * np.cos(way) + rows * np.sin(way)
    edge = 1 / (1 + np.exp(-(across - rng.uniform(-0.3, 0.3)) / rng.uniform(0.01, 0.1)))
    gain = 1 - wear.shadow * (0.5 * (across + 0.5) + 0.5 * edge)
    return np.asarray(cv2.resize(gain.astype(np.float32), SIZE, interpolation=cv2.INTER_LINEAR), np.float32)


def _glare(wear: Wear, rng: np.random.Generator) -> Map:
    rows, columns = np.mgrid[0:1:160j, 0:1:90j].astype(np.float32)
    x, y, reach = rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.7), rng.uniform(0.05, 0.15)
    veil = 255 * wear.glare * np.exp(-((columns - x) ** 2 + (1.78 * (rows - y)) ** 2) / reach**2 / 2)
    return np.asarray(cv2.resize(veil.astype(np.float32), SIZE, interpolation=cv2.INTER_LINEAR), np.float32)


def _lens(lit: np.ndarray, wear: Wear, rng: np.random.Generator) -> Map:
    """Defocus, and the way of the hand while the picture is taken."""
    seen = cv2.GaussianBlur(lit, (0, 0), wear.defocus)
    if wear.motion >= 0.5:
        way, half = rng.uniform(0, np.pi), wear.motion / 2
        side = 2 * int(np.ceil(half)) + 3
        kernel = np.zeros((side, side), np.float32)
        for step in np.linspace(-half, half, 4 * side):
            at = np.array([np.sin(way), np.cos(way)]) * step + side // 2
            kernel[tuple(np.round(at).astype(int))] += 1
        seen = cv2.filter2D(seen, -1, kernel / kernel.sum())
    return np.asarray(seen, np.float32)
