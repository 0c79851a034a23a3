"""A rendered blank form filled in by one writer: digits, bubbles, tally strokes, words, signatures."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import Field, FormLayout, PageLayout, Rect
from firmware.forms.render import render_page
from firmware.receipt.words import words
from tests.simulators.paper import pen

MM_PER_INCH = 25.4


def padded(value: int, writer: pen.Writer, boxes: int = 3) -> str:
    """How this writer puts a number into the boxes: "X28", "028", "--8", " 28"; zero is all padding or one 0."""
    digits = str(value)
    if value == 0 and writer.padding in ("X", "-"):
        return writer.padding * boxes
    return (writer.padding or " ") * (boxes - len(digits)) + digits


def fill_page(
    layout: FormLayout, number: int, texts: Mapping[str, str], writer: pen.Writer, dpi: int, seed: int
) -> NDArray[np.uint8]:
    """Page `number` with every field of `texts` written into its boxes. Returns BGR."""
    paper = render_page(layout, number, dpi).copy()
    rng = np.random.default_rng([seed, number])
    page = layout.page(number)
    for field in page.fields:
        if field.id in texts:
            _fill_field(paper, field, texts[field.id], writer, dpi / MM_PER_INCH, rng)
    _sign(paper, page, writer, dpi / MM_PER_INCH, rng)
    return paper


def _fill_field(
    paper: NDArray[np.uint8], field: Field, text: str, writer: pen.Writer, scale: float, rng: np.random.Generator
) -> None:
    for cell, label in zip(field.cells, text, strict=True):
        size = round(min(cell.w, cell.h) * scale)
        x, y = (cell.x + cell.w / 2) * scale - size / 2, (cell.y + cell.h / 2) * scale - size / 2
        pen.lay(paper, pen.write_label(writer, label, size, rng), round(x), round(y), writer)
    value = int("".join(c for c in text if c.isdigit()) or 0)
    _fill_bubbles(paper, field, text, writer, scale, rng)
    if field.tally is not None and value:
        _strokes(paper, field, value, writer, scale, rng)
    if field.words is not None:
        _words(paper, field.words, words(value).upper(), writer, scale)


def _fill_bubbles(
    paper: NDArray[np.uint8], field: Field, text: str, writer: pen.Writer, scale: float, rng: np.random.Generator
) -> None:
    if field.bubbles is None:
        return
    size = round(field.bubbles.diameter * scale * 1.1)
    for centres, label in zip(field.bubbles.centres, text, strict=True):
        if label not in "0123456789X":
            continue
        x, y = centres[int(label) if label.isdigit() else 0]
        ink = pen.scribble_disc(size, rng, coverage=float(rng.uniform(0.75, 1.0)))
        pen.lay(paper, ink, round(x * scale - size / 2), round(y * scale - size / 2), writer)


def _strokes(
    paper: NDArray[np.uint8], field: Field, value: int, writer: pen.Writer, scale: float, rng: np.random.Generator
) -> None:
    """Turus: four upright strokes and one across them in every cell, row by row."""
    grid = field.tally
    assert grid is not None
    width, height = grid.area.w / grid.columns, grid.area.h / grid.rows
    for index in range(min(value, grid.rows * grid.columns * 5)):
        cell, stroke = divmod(index, 5)
        row, column = divmod(cell, grid.columns)
        left, top = grid.area.x + column * width, grid.area.y + row * height
        jitter = rng.normal(0, 0.02, 4)
        if stroke < 4:
            x = left + width * (0.2 + 0.2 * stroke + jitter[0])
            line = ((x, top + height * (0.2 + jitter[1])), (x + width * jitter[2], top + height * (0.8 + jitter[3])))
        else:
            line = ((left + width * 0.1, top + height * 0.7), (left + width * 0.9, top + height * (0.3 + jitter[0])))
        ends = [(round(x * scale), round(y * scale)) for x, y in line]
        cv2.line(paper, ends[0], ends[1], writer.colour, max(1, round(0.9 * scale)), cv2.LINE_AA)


def _words(paper: NDArray[np.uint8], area: Rect, text: str, writer: pen.Writer, scale: float) -> None:
    ink = pen.write_words(writer, text, max(6, round(area.h * scale * 0.45)))
    limit = round(area.w * scale * 0.9)
    if ink.shape[1] > limit:
        ink = np.asarray(cv2.resize(ink, (limit, ink.shape[0]), interpolation=cv2.INTER_AREA), np.float32)
    pen.lay(paper, ink, round((area.x + area.w * 0.04) * scale), round((area.y + area.h * 0.25) * scale), writer)


def _sign(
    paper: NDArray[np.uint8], page: PageLayout, writer: pen.Writer, scale: float, rng: np.random.Generator
) -> None:
    """A loop of ink in every signature cell; each cell another hand, none a person's."""
    for cell in page.signatures:
        steps = np.linspace(0, 1, 40)
        wave = np.cumsum(rng.normal(0, 1, (2, 6)), axis=1)
        curve = [np.interp(steps, np.linspace(0, 1, 6), axis) for axis in wave]
        spread = [(axis - axis.min()) / (np.ptp(axis) + 1e-6) for axis in curve]
        x = (cell.x + cell.w * (0.2 + 0.6 * spread[0])) * scale
        y = (cell.y + cell.h * (0.3 + 0.5 * spread[1])) * scale
        points = np.round(np.stack([x, y], 1)).astype(np.int32)
        cv2.polylines(paper, [points], False, writer.colour, max(1, round(0.6 * scale)), cv2.LINE_AA)
