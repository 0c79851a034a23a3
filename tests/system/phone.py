"""A phone held over a printed strip: what its camera films, from steady to hopeless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

FRAME = (1280, 720)
"""Width and height of what phones give a page by default."""
CODE_FROM_END = 480
"""Dots between the end of a strip that is not of a real election and the middle of its code."""
TABLE = 95
"""Grey value of what the strip lies on."""
INK, PAPER = 25, 250
"""Grey values of the simulated printer's picture (tests/simulators/paper_roll.py)."""


@dataclass(frozen=True, slots=True)
class Hold:
    """How the phone is held, and what has become of the paper."""

    pixels_per_dot: float = 0.9
    """The code of a receipt is some 440 printer dots wide."""
    turn_degrees: float = 0.0
    tilt: float = 0.0
    """How much narrower the far edge is."""
    blur_pixels: float = 0.6
    shake_pixels: int = 0
    ink: int = INK
    """Grey value of the printed dots: thermal paper fades."""
    noise: float = 3.0
    creases: int = 0


def photograph(strip: Gray, hold: Hold, rng: np.random.Generator, size: tuple[int, int] = FRAME) -> Gray:
    """The strip's end, with its code in the middle of a picture of `size`."""
    paper = _worn(strip, hold, rng)
    warped = cv2.warpPerspective(
        paper, _pose(paper.shape, hold, size), size, borderValue=(TABLE,), flags=cv2.INTER_AREA
    )
    seen = cv2.GaussianBlur(warped, (0, 0), hold.blur_pixels) if hold.blur_pixels else warped
    if hold.shake_pixels > 1:
        seen = cv2.filter2D(seen, -1, np.eye(hold.shake_pixels) / hold.shake_pixels)
    light = np.linspace(0.75, 1.0, size[0])[None, :]
    noisy = seen * light + rng.normal(0, hold.noise, seen.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def film(strip: Gray, path: Path, frames: int = 24) -> None:
    """An MJPEG file for Chromium's fake camera: a hand comes closer and becomes steady."""
    rng = np.random.default_rng(7)
    with path.open("wb") as file:
        for picture in _approach(strip, frames, rng):
            file.write(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


def _approach(strip: Gray, frames: int, rng: np.random.Generator) -> Iterator[Gray]:
    for index in range(frames):
        nearer = index / (frames - 1)
        hold = Hold(
            pixels_per_dot=0.35 + 0.65 * nearer,
            turn_degrees=25 * (1 - nearer) + rng.normal(0, 1),
            tilt=0.15 * (1 - nearer),
            blur_pixels=2.5 * (1 - nearer) + 0.6,
        )
        yield np.asarray(cv2.cvtColor(photograph(strip, hold, rng), cv2.COLOR_GRAY2BGR), np.uint8)


def _worn(strip: Gray, hold: Hold, rng: np.random.Generator) -> Gray:
    """The paper as it has become: faded evenly, white along creases where the coating broke."""
    faded = hold.ink + (strip.astype(np.float32) - INK) * (PAPER - hold.ink) / (PAPER - INK)
    paper = np.clip(faded, 0, 255).astype(np.uint8)
    height, width = paper.shape
    for _ in range(hold.creases):
        left, right = (int(at) for at in rng.integers(max(0, height - 500), height - 40, 2))
        cv2.line(paper, (0, left), (width, right), (PAPER,), int(rng.integers(2, 5)))
    return paper


def _pose(shape: tuple[int, ...], hold: Hold, size: tuple[int, int]) -> NDArray[np.float64]:
    """From the strip's dots to the picture: the code comes into the middle, turned and tilted."""
    height, width = shape
    centre = np.array([width / 2, height - CODE_FROM_END])
    half = width / 2
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    angle = np.radians(hold.turn_degrees)
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    seen = turned * hold.pixels_per_dot * (1 - hold.tilt * (1 - turned[:, 1:] / half) / 2)
    target = (seen + np.array(size) / 2).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform((corners + centre).astype(np.float32), target), np.float64)
