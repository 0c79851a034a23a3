"""Handwriting that may be republished: open fonts bent by hand, and square digits drawn along the dotted guide.

One `Writer` is one person: a font, a pen, a slant, habits. Ink is returned as coverage, shape (h, w), 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Ink = NDArray[np.float32]

FONT_FOLDER = Path(__file__).parent / "fonts"
FONT_NAMES = tuple(sorted(path.stem for path in FONT_FOLDER.glob("*.woff2")))
FONT_PIXELS = 96
"""Size at which glyphs are drawn before they are bent and scaled."""

PLAIN_ONES = ("gochi-hand", "handlee")
"""Fonts whose 1 is a 7 to anybody who sees it alone: their writers make a plain stroke."""
BORROWED = {("sue-ellen-francisco", "7"): "waiting-for-the-sunrise"}
"""Digits that nobody can read alone in one font, and the font that they are taken from: this 7 is almost a 1."""

SEGMENTS = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc",
    "5": "afgcd", "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "gfabcd",
}  # fmt: skip
SEGMENT_ENDS = {
    "a": ((0, 0), (1, 0)), "b": ((1, 0), (1, 1)), "c": ((1, 1), (1, 2)), "d": ((0, 2), (1, 2)),
    "e": ((0, 1), (0, 2)), "f": ((0, 0), (0, 1)), "g": ((0, 1), (1, 1)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writer:
    """One person with one pen. Lengths are parts of the height of a digit box."""

    font: str
    colour: tuple[int, int, int]
    """BGR of full ink."""
    pressure: float
    """0.55 (faint) .. 1: how much of the paper the ink hides."""
    pen: float
    """Pen width, 0.02 .. 0.06."""
    slant: float
    size: float
    """Height of a digit, 0.5 .. 0.8."""
    square: bool
    """Follows the dotted guide."""
    padding: str
    """What this person writes before the digits: X, 0, - or nothing."""
    seed: int
    bold: float = 0.0
    """By how much every stroke is wider than the font's: a marker."""
    grain: float = 0.0
    """How much of the ink the paper's grain keeps away, 0..1: a pencil."""
    skip: float = 0.0
    """Part of every stroke that is only a trace: a ball pen that skips."""


def some_writer(seed: int) -> Writer:
    """A person by seed; the habits' shares are those of FORMS.md section 4."""
    rng = np.random.default_rng(seed)
    blue = rng.random() < 0.5
    shade = int(rng.integers(10, 60))
    writer = Writer(
        font=str(rng.choice(FONT_NAMES)),
        colour=(120 + shade, 40 + shade, shade) if blue else (shade, shade, shade),
        pressure=float(rng.uniform(0.7, 1.0)),
        pen=float(rng.uniform(0.03, 0.055)),
        slant=float(rng.normal(0, 0.08)),
        size=float(rng.uniform(0.56, 0.76)),
        square=bool(rng.random() < 0.5),
        padding=str(rng.choice(["X", "0", "-", ""], p=[0.7, 0.14, 0.1, 0.06])),
        seed=seed,
    )
    return writer if writer.square else replace(writer, pen=_stroke_width(writer.font) * writer.size)


@cache
def _stroke_width(font: str) -> float:
    """Width of a font's strokes in heights of a digit: one person draws crosses and digits with one pen."""
    widths = []
    for digit in "2357":
        glyph = _glyph(font, digit)
        solid = np.pad((glyph > 0.5).astype(np.uint8), 1)
        depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
        ridge = depth[(depth == cv2.dilate(depth, np.ones((3, 3)))) & (depth > 1)]
        widths.append(2 * float(np.quantile(ridge, 0.25)) / glyph.shape[0])  # joints are wider than strokes
    return float(np.median(widths))


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT_FOLDER / f"{name}.woff2"), FONT_PIXELS)


@cache
def _glyph(font: str, text: str) -> Ink:
    """The tight picture of `text` in a font, coverage 0..1."""
    face = _font(font)
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8), 0)
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, font=face, fill=255)
    ink = np.asarray(np.asarray(image, np.float32) / 255, np.float32)
    rows, columns = np.flatnonzero(ink.max(1) > 0.1), np.flatnonzero(ink.max(0) > 0.1)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _warp(ink: Ink, matrix: NDArray[np.float64], size: int, rng: np.random.Generator) -> Ink:
    """Places glyph coordinates by an affine matrix into a size x size box, with the tremor of a hand."""
    rough = rng.normal(0, 1, (2, 4, 4)).astype(np.float32)
    tremor = [cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC) * size * 0.012 for field in rough]
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    inverse = cv2.invertAffineTransform(matrix.astype(np.float32))
    x, y = columns + tremor[0], rows + tremor[1]
    map_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
    map_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]
    return np.asarray(cv2.remap(ink, map_x, map_y, cv2.INTER_LINEAR, borderValue=0.0), np.float32)


def _written(writer: Writer, text: str, size: int, rng: np.random.Generator) -> Ink:
    """A glyph of the writer's font, centred in the box with this person's size, slant and carelessness."""
    glyph = _glyph(BORROWED.get((writer.font, text), writer.font), text)
    height = writer.size * size * rng.uniform(0.92, 1.08) * (1.0 if text != "-" else 0.12)
    scale_y = height / glyph.shape[0]
    scale_x = min(scale_y * rng.uniform(0.9, 1.1), 0.8 * size / glyph.shape[1])
    if text == "-":
        scale_x = size * rng.uniform(0.3, 0.5) / glyph.shape[1]
    if scale_y < 1:
        blur = 0.35 / scale_y
        glyph = np.asarray(cv2.GaussianBlur(glyph, (0, 0), blur), np.float32)
    slant = writer.slant + rng.normal(0, 0.03)
    turn = rng.normal(0, 0.04)
    linear = np.array([[scale_x, -slant * scale_y], [turn * scale_x, scale_y]])
    centre = np.array([size / 2 + rng.normal(0, 0.03) * size, size / 2 + rng.normal(0, 0.03) * size])
    offset = centre - linear @ (np.array(glyph.shape[::-1]) / 2)
    return _warp(glyph, np.hstack([linear, offset[:, None]]), size, rng)


def polylines(lines: list[list[tuple[float, float]]], width: float, size: int, rng: np.random.Generator) -> Ink:
    """Polylines in box coordinates 0..1, drawn four times finer and reduced."""
    fine = 4
    canvas = np.zeros((size * fine, size * fine), np.uint8)
    for line in lines:
        points = np.array([(x, y) for x, y in line]) * size * fine + rng.normal(0, 0.006 * size * fine, (len(line), 2))
        thickness = max(1, round(width * size * fine * rng.uniform(0.85, 1.15)))
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return (small / 255).astype(np.float32)


def _square(writer: Writer, digit: str, size: int, rng: np.random.Generator) -> Ink:
    """A digit along the printed guide: straight strokes between six points, corners a little rounded or overshot."""
    half_w, half_h = 0.2 * writer.size / 0.66, 0.31 * writer.size / 0.66
    wobble = rng.normal(0, 0.015, (2, 3, 2))
    lines = []
    for segment in SEGMENTS[digit]:
        ends = []
        for column, row in SEGMENT_ENDS[segment]:
            dx, dy = wobble[column, row]
            ends.append((0.5 + (column * 2 - 1) * half_w + dx, 0.5 + (row - 1) * half_h + dy))
        lines.append(ends)
    return polylines(lines, writer.pen, size, rng)


def _cross(writer: Writer, size: int, rng: np.random.Generator) -> Ink:
    reach = rng.uniform(0.22, 0.4)
    near, far = 0.5 - reach, 0.5 + reach
    corner = rng.normal(0, 0.03, (4, 2))
    corners = [(near, near), (far, far), (far, near), (near, far)]
    first, second, third, fourth = ((x + dx, y + dy) for (x, y), (dx, dy) in zip(corners, corner, strict=True))
    return polylines([[first, second], [third, fourth]], writer.pen, size, rng)


def write_label(writer: Writer, label: str, size: int, rng: np.random.Generator) -> Ink:
    """Ink of one cell label ("0".."9", "X", "-", " ") in a box of size x size pixels."""
    if label == " ":
        return np.zeros((size, size), np.float32)
    return worn(_label(writer, label, size, rng), writer, rng)


def worn(ink: Ink, writer: Writer, rng: np.random.Generator, widen: bool = True) -> Ink:
    """The ink as this writer's pen leaves it: grained, with gaps, and with `widen` as wide as its marker."""
    height, width = ink.shape
    if writer.bold and widen:
        side = max(2, round(writer.bold * height))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        ink = np.asarray(cv2.GaussianBlur(cv2.dilate(ink, disc), (0, 0), 0.5), np.float32)
    if writer.grain:
        ink = ink * (1 - writer.grain * rng.random(ink.shape, np.float32))
    if writer.skip:
        coarse = rng.random((9, 9), np.float32)
        dry = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) < np.quantile(coarse, writer.skip)
        ink = ink * np.where(dry, np.float32(0.35), np.float32(1))
    return ink


def _label(writer: Writer, label: str, size: int, rng: np.random.Generator) -> Ink:
    if label == "X":
        return _cross(writer, size, rng)
    if label == "-":
        y = 0.5 + rng.normal(0, 0.03)
        half = rng.uniform(0.15, 0.28)
        return polylines([[(0.5 - half, y), (0.5 + half, y + rng.normal(0, 0.02))]], writer.pen, size, rng)
    if label == "1" and (rng.random() < 0.5 or (writer.font in PLAIN_ONES and not writer.square)):
        x, lean = 0.5 + rng.normal(0, 0.04), rng.normal(0, 0.03)
        half = writer.size / 2
        return polylines([[(x + lean, 0.5 - half), (x - lean, 0.5 + half)]], writer.pen, size, rng)
    if writer.square:
        return _square(writer, label, size, rng)
    return _written(writer, label, size, rng)


def write_words(writer: Writer, text: str, height: int) -> Ink:
    """A line of words, `height` pixels high."""
    glyph = _glyph(writer.font, text)
    scale = height / glyph.shape[0]
    size = (max(1, round(glyph.shape[1] * scale)), height)
    return np.asarray(cv2.resize(glyph, size, interpolation=cv2.INTER_AREA), np.float32)


def scribble_disc(size: int, rng: np.random.Generator, coverage: float = 1.0) -> Ink:
    """A bubble filled by hand: a ragged disc, or only part of it."""
    rows, columns = np.mgrid[0:size, 0:size]
    angle = np.arctan2(rows - size / 2, columns - size / 2)
    wave = 1 + 0.1 * np.sin(angle * 3 + rng.uniform(0, 6)) + 0.06 * np.sin(angle * 7 + rng.uniform(0, 6))
    centre = size / 2 + rng.normal(0, 0.03, 2) * size
    radius = np.hypot(rows - centre[0], columns - centre[1]) / (size * 0.4 * wave * np.sqrt(coverage))
    return np.asarray(np.clip((1 - radius) * size * 0.25 + 0.5, 0, 1), np.float32)


def lay(paper: NDArray[np.uint8], ink: Ink, x: int, y: int, writer: Writer) -> None:
    """Lays ink on BGR paper in place, its top left at (x, y); what falls outside the paper is cut."""
    height, width = paper.shape[:2]
    top, left = max(0, y), max(0, x)
    bottom, right = min(height, y + ink.shape[0]), min(width, x + ink.shape[1])
    if top >= bottom or left >= right:
        return
    cover = ink[top - y : bottom - y, left - x : right - x, None] * writer.pressure
    patch = paper[top:bottom, left:right].astype(np.float32)
    colour = np.array(writer.colour, np.float32)
    paper[top:bottom, left:right] = np.round(patch * (1 - cover) + np.minimum(patch, colour) * cover).astype(np.uint8)
