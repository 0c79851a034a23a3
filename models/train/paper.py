"""What is printed around the ink: the two forms' cells on a canvas, in grey levels, before any camera.

The canvas shows the cell (CELL_SIDE) with CANVAS_MARGIN around it, more than the framing shows, so that a later
shift brings the true surroundings into view.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.train.ink import Alpha, DrawnInk
from models.train.strokes import glyph

Canvas = NDArray[np.float32]

CANVAS = 120
"""Pixels: side of the canvas."""

CELL_SIDE = 74
"""Pixels: side of the cell's border on the canvas; the standard framing shows 1.3 times that."""

CANVAS_MARGIN = (CANVAS - CELL_SIDE) // 2

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


def put(canvas: Canvas, alpha: Alpha, level: float) -> None:
    """Lay ink of darkness `level` (grey level of full coverage) on the canvas, in place."""
    canvas += alpha * np.minimum(level - canvas, 0)


def shade(rng: np.random.Generator, level: float, strength: float) -> Canvas:
    """Paper of grey `level` with light that changes slowly over it."""
    corners = rng.normal(0, strength, (3, 3)).astype(np.float32)
    light = cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return np.clip(level * (1 + light), 5, 255).astype(np.float32)


def line(rng: np.random.Generator, start: NDArray[np.float64], end: NDArray[np.float64], width: float) -> Alpha:
    """A printed line."""
    return DrawnInk([np.stack([start, end])]).render(np.array([[1.0, 0, 0], [0, 1.0, 0]]), width, CANVAS)


def broken(rng: np.random.Generator, alpha: Alpha, share: float) -> Alpha:
    """Printed or written ink that lost about `share` of itself: the scanner's threshold, a dry pen."""
    coarse = int(rng.integers(14, 60))
    holes = cv2.resize(rng.random((coarse, coarse), dtype=np.float32), (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    return np.asarray(alpha * np.clip((holes - share) * 6, 0, 1), np.float32)


def bent(rng: np.random.Generator, alpha: Alpha, strength: float) -> Alpha:
    """Ink whose shape is bent slowly, up to some `strength` (one sigma, canvas pixels): another hand's proportions."""
    side = alpha.shape[0]
    field = rng.normal(0, strength, (2, 5, 5)).astype(np.float32)
    move = [cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in field]
    ys, xs = np.mgrid[:side, :side].astype(np.float32)
    return np.asarray(cv2.remap(alpha, xs + move[0], ys + move[1], cv2.INTER_LINEAR), np.float32)


def corners(rng: np.random.Generator, wobble: float) -> NDArray[np.float64]:
    """The cell's corners (TL, TR, BR, BL), each a little off."""
    low, high = CANVAS_MARGIN, CANVAS_MARGIN + CELL_SIDE
    exact = np.array([[low, low], [high, low], [high, high], [low, high]], float)
    return exact + rng.normal(0, wobble, (4, 2))


def boxed(rng: np.random.Generator, lightest: float = 0.75) -> Canvas:
    """A 2024 box: its own border, at most `lightest` of the paper's grey, a dotted guide in most, light of a camera."""
    canvas = shade(rng, rng.uniform(70, 252), rng.uniform(0, 0.09))
    if rng.random() < 0.12:
        _stripes(rng, canvas)
    if rng.random() < 0.75:
        _guide(rng, canvas)
    box = corners(rng, 1.0)
    width = rng.uniform(1.6, 6.0)
    dark = canvas.mean() * rng.uniform(0.1, lightest)
    alpha = np.max([line(rng, a, b, width) for a, b in zip(box, np.roll(box, -1, axis=0), strict=True)], axis=0)
    if rng.random() < 0.1:
        alpha = broken(rng, alpha, rng.uniform(0.1, 0.5))
    put(canvas, alpha, dark)
    if rng.random() < 0.08:
        _neighbour_box(rng, canvas, width, dark)
    return canvas


def _neighbour_box(rng: np.random.Generator, canvas: Canvas, width: float, dark: float) -> None:
    """The next box's border or a bubble just comes into view."""
    axis, side = int(rng.integers(2)), rng.choice([-1, 1])
    at = CANVAS / 2 + side * (CELL_SIDE * rng.uniform(0.64, 0.78))
    start, end = np.array([at, 0.0]), np.array([at, float(CANVAS)])
    if axis:
        start, end = start[::-1], end[::-1]
    put(canvas, line(rng, start, end, width), dark)


def _stripes(rng: np.random.Generator, canvas: Canvas) -> None:
    """Moire of a screen or a printed raster, in place."""
    ys, xs = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    turn, length = rng.uniform(0, np.pi), rng.uniform(4, 40)
    wave = np.sin((xs * np.cos(turn) + ys * np.sin(turn)) * (2 * np.pi / length) + rng.uniform(0, 7))
    canvas *= 1 + (rng.uniform(0.01, 0.07) * wave).astype(np.float32)


def _guide(rng: np.random.Generator, canvas: Canvas) -> None:
    """Dots along the seven segments, light grey."""
    alpha = np.zeros((CANVAS, CANVAS), np.float32)
    left, right = (CANVAS / 2 + CELL_SIDE * rng.uniform(0.14, 0.24) * s for s in (-1, 1))
    top, bottom = (CANVAS / 2 + CELL_SIDE * rng.uniform(0.28, 0.38) * s for s in (-1, 1))
    middle, pitch, gap = CANVAS / 2, rng.uniform(2.6, 5.0), rng.choice([0.0, rng.uniform(3.0, 7.0)])
    ends = [((left, y), (right, y)) for y in (top, middle, bottom)]
    ends += [((x, top), (x, bottom)) for x in (left, right)]
    for start, end in ends:
        for offset in {-gap / 2, gap / 2}:
            count = int(np.hypot(end[0] - start[0], end[1] - start[1]) / pitch)
            xs, ys = np.linspace(start[0], end[0], count + 1), np.linspace(start[1], end[1], count + 1)
            if start[0] == end[0]:
                xs = xs + offset
            else:
                ys = ys + offset
            alpha[np.rint(ys).astype(int), np.rint(xs).astype(int)] = 1.0
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 0.8), np.float32) * 3.0
    put(canvas, np.clip(alpha, 0, 1), float(canvas.mean()) * rng.uniform(0.55, 0.95))


def touching(rng: np.random.Generator) -> Canvas:
    """A 2019 cell: shared separators, table lines, watermark behind, print below, neighbours' ink at the edges."""
    canvas = shade(rng, rng.uniform(215, 255), rng.uniform(0, 0.02))
    if rng.random() < 0.7:
        _watermark(rng, canvas)
    _table(rng, canvas)
    if rng.random() < 0.35:
        _words(rng, canvas)
    if rng.random() < 0.12:
        _black_block(rng, canvas)
    if rng.random() < 0.6:
        _neighbours(rng, canvas)
    return canvas


def _table(rng: np.random.Generator, canvas: Canvas) -> None:
    """Separators left and right, rows above and below; each may be broken, thin, doubled or missing."""
    low, high = CANVAS_MARGIN, CANVAS_MARGIN + CELL_SIDE
    for at, upright in ((low, True), (high, True), (low, False), (high, False)):
        if rng.random() < 0.08:
            continue
        width = rng.uniform(1.2, 3.0) if upright else rng.uniform(1.5, 4.5)
        ends = np.array([0.0, CANVAS]) if rng.random() < 0.6 else np.array([low, high], float)
        across = at + rng.normal(0, 1.0) + np.array([0, rng.normal(0, 1.0)])
        points = np.stack([across, ends] if upright else [ends, across], axis=1)
        alpha = line(rng, points[0], points[1], width)
        if rng.random() < 0.45:
            alpha = broken(rng, alpha, rng.uniform(0.1, 0.7))
        put(canvas, alpha, rng.uniform(0, 60))


def _watermark(rng: np.random.Generator, canvas: Canvas) -> None:
    """Grey arcs, discs and letters of the logo behind the table."""
    alpha = np.zeros((CANVAS, CANVAS), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        centre = tuple(int(v) for v in rng.integers(-100, CANVAS + 100, 2))
        kind = rng.random()
        if kind < 0.55:
            radii = tuple(int(v) for v in rng.integers(30, 190, 2))
            cv2.ellipse(
                alpha, centre, radii, float(rng.uniform(0, 180)), 0, 360, 255, int(rng.integers(3, 26)), cv2.LINE_AA
            )
        elif kind < 0.8:
            text = "".join(rng.choice(list("KOMISIPEMLHANU"), 2))
            where = tuple(int(v) for v in rng.integers(-20, CANVAS, 2))
            turned = np.zeros_like(alpha)
            font = _FONTS[int(rng.integers(3))]
            cv2.putText(
                turned, text, where, font, float(rng.uniform(0.8, 2.2)), 255, int(rng.integers(3, 9)), cv2.LINE_AA
            )
            spin = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), float(rng.choice([0, rng.uniform(-90, 90)])), 1)
            alpha = np.maximum(alpha, cv2.warpAffine(turned, spin, (CANVAS, CANVAS)))
        else:
            polygon = rng.integers(0, CANVAS, (int(rng.integers(3, 7)), 2)).astype(np.int32)
            cv2.fillPoly(alpha, [polygon], 255)
    coverage = alpha.astype(np.float32) / 255
    if rng.random() < 0.4:
        coverage = broken(rng, coverage, rng.uniform(0.05, 0.4))
    put(canvas, coverage, rng.uniform(195, 242))


def _words(rng: np.random.Generator, canvas: Canvas) -> None:
    """Print or handwriting under or over the cell, outside its border."""
    below = rng.random() < 0.75
    edge = CANVAS_MARGIN + CELL_SIDE if below else CANVAS_MARGIN
    alpha = np.zeros((CANVAS, CANVAS), np.uint8)
    if rng.random() < 0.5:
        text = "".join(rng.choice(list("(ditulsenghrf) 12"), 12))
        y = int(edge + (rng.integers(8, 20) if below else -rng.integers(1, 10)))
        cv2.putText(alpha, text, (-10, y), _FONTS[0], float(rng.uniform(0.25, 0.45)), 255, 1, cv2.LINE_AA)
        put(canvas, alpha.astype(np.float32) / 255, rng.uniform(0, 90))
        return
    for x in range(-10, CANVAS, int(rng.integers(12, 26))):
        size = rng.uniform(10, 26)
        y = edge + (rng.uniform(2, 14) if below else -size - rng.uniform(0, 10))
        letter = DrawnInk(glyph(rng, str(rng.choice(list("0123456789X")))))
        put(
            canvas,
            letter.render(np.array([[size * 0.8, 0, x], [0, size, y]]), rng.uniform(1.5, 3), CANVAS),
            rng.uniform(0, 60),
        )


def _black_block(rng: np.random.Generator, canvas: Canvas) -> None:
    """The blackened words cell at the left."""
    edge = CANVAS_MARGIN + int(rng.integers(-5, 3))
    top, bottom = (
        (0, CANVAS) if rng.random() < 0.3 else (CANVAS_MARGIN + int(rng.integers(-3, 4)), CANVAS_MARGIN + CELL_SIDE)
    )
    canvas[top:bottom, :edge] = rng.uniform(0, 40)


def _neighbours(rng: np.random.Generator, canvas: Canvas) -> None:
    """Ink of the cells beside this one, some of it crossing the separator."""
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        if rng.random() < 0.4:
            continue
        height = CELL_SIDE * rng.uniform(0.4, 0.85)
        breadth = height * rng.uniform(0.5, 0.9)
        x = CANVAS / 2 + dx * CELL_SIDE + rng.normal(0, 9) - breadth / 2
        y = CANVAS / 2 + dy * CELL_SIDE + rng.normal(0, 8) - height / 2
        reach = CELL_SIDE * rng.uniform(0.32, 0.45)
        if dx:
            x = min(x, CANVAS / 2 - reach - breadth) if dx < 0 else max(x, CANVAS / 2 + reach)
        else:
            y = min(y, CANVAS / 2 - reach - height) if dy < 0 else max(y, CANVAS / 2 + reach)
        other = DrawnInk(glyph(rng, str(rng.choice(list("0123456789X")))))
        matrix = np.array([[breadth, 0, x], [0, height, y]])
        put(canvas, other.render(matrix, rng.uniform(1.5, 4), CANVAS), rng.uniform(0, 60))
