"""From canvas to cell picture: framing errors, the camera's or scanner's damage, then CELL_PIXELS."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.records import CELL_MARGIN, CELL_PIXELS, Gray
from models.train.paper import CANVAS, CELL_SIDE, Canvas

VIEW = CELL_SIDE * (1 + 2 * CELL_MARGIN)
"""Canvas pixels that the standard framing shows."""


MAX_READABLE_BLUR = 2.2
"""Gaussian sigma in pixels of the standard framing up to which a person still reads a digit."""


def defocus(rng: np.random.Generator, canvas: Canvas) -> Canvas:
    """Blur beyond reading."""
    return _blur(canvas, rng.uniform(4.5, 9.0) * VIEW / CELL_PIXELS)


def framing(rng: np.random.Generator, size: int, strength: float = 1.0) -> NDArray[np.float64]:
    """A 3x3 matrix from canvas to a picture of size x size: the standard framing, a little wrong.

    `strength` 1: shift up to 10 % of the cell, size 0.85 to 1.2, turned and sheared by some degrees, perspective.
    """
    scale = size / VIEW * np.exp(strength * rng.uniform(-0.16, 0.18, 2) * [1, 1])
    scale = 0.7 * scale.mean() + 0.3 * scale
    angle, shear = strength * rng.normal(0, 0.035), strength * rng.normal(0, 0.035)
    turn = np.array([[np.cos(angle), -np.sin(angle) + shear], [np.sin(angle), np.cos(angle)]])
    shift = strength * rng.uniform(-0.10, 0.10, 2) * size / (1 + 2 * CELL_MARGIN)
    linear = np.diag(scale) @ turn
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = size / 2 + shift - linear @ [CANVAS / 2, CANVAS / 2]
    bend = np.eye(3)
    bend[2, :2] = strength * rng.normal(0, 0.04, 2) / size
    return np.asarray(bend @ matrix)


def _blur(picture: Canvas, sigma: float) -> Canvas:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32) if sigma > 0.25 else picture


def take(rng: np.random.Generator, canvas: Canvas, size: int, strength: float) -> Canvas:
    """The canvas seen through a wrong framing at `size` pixels."""
    smooth = _blur(canvas, max(0.0, 0.35 * VIEW / size))
    matrix = framing(rng, size, strength)
    return np.asarray(
        cv2.warpPerspective(smooth, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def _jpeg(rng: np.random.Generator, picture: Gray, low: int) -> Gray:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(low, 96))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _finish(picture: NDArray[np.uint8]) -> Gray:
    if picture.shape[0] == CELL_PIXELS:
        return picture
    way = cv2.INTER_AREA if picture.shape[0] > 1.4 * CELL_PIXELS else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (CELL_PIXELS, CELL_PIXELS), interpolation=way), np.uint8)


def photograph(rng: np.random.Generator, canvas: Canvas, strength: float = 1.0) -> Gray:
    """A phone or kiosk camera: any size, blur, noise, JPEG."""
    size = int(rng.choice([rng.integers(20, 40), rng.integers(36, 60), rng.integers(48, 100)]))
    picture = take(rng, canvas, size, strength)
    picture = _blur(picture, min(rng.exponential(0.55), MAX_READABLE_BLUR) * size / CELL_PIXELS)
    if rng.random() < 0.15:
        picture = picture + 0.8 * (picture - _blur(picture, 1.2))
    picture = picture + rng.normal(0, rng.exponential(2.5), picture.shape)
    gray = np.clip(picture, 0, 255).astype(np.uint8)
    return _finish(_jpeg(rng, gray, 35) if rng.random() < 0.6 else gray)


def scan(rng: np.random.Generator, canvas: Canvas, strength: float = 1.0) -> Gray:
    """An office scanner of 2019: about 150 dpi, ink near 1-bit, thin strokes broken, sometimes JPEG."""
    size = int(rng.integers(54, 70)) if rng.random() < 0.75 else int(rng.integers(36, 54))
    picture = take(rng, canvas, size, strength)
    picture = picture + rng.normal(0, rng.uniform(0, 14), picture.shape)
    if rng.random() < 0.85:
        gain = float(rng.choice([rng.uniform(3, 10), 40.0]))
        threshold = rng.uniform(95, 185)
        hard = np.clip((picture - threshold) * gain + threshold, 0, 255)
        paper = np.where(picture > max(threshold, 190), picture, 255.0)
        picture = np.minimum(hard, paper) if rng.random() < 0.8 else hard
        picture = _blur(np.asarray(picture, np.float32), rng.uniform(0, 0.7))
    gray = np.clip(picture, 0, 255).astype(np.uint8)
    return _finish(_jpeg(rng, gray, 40) if rng.random() < 0.5 else gray)
