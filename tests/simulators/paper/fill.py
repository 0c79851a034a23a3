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
from tests.simulators.paper.boxes import Box, draw_bubbles, draw_cell
from tests.simulators.paper.faults import FieldPlan, padded, plain
from tests.simulators.paper.turus import draw_tally

__all__ = ["fill_page", "fill_planned", "padded"]

MM_PER_INCH = 25.4


def fill_page(
    layout: FormLayout, number: int, texts: Mapping[str, str], writer: pen.Writer, dpi: int, seed: int
) -> NDArray[np.uint8]:
    """Page `number` with every field of `texts` written into its boxes without a fault. Returns BGR."""
    fields = layout.page(number).fields
    plans = {field.id: plain(field, texts[field.id]) for field in fields if field.id in texts}
    return fill_planned(layout, number, plans, writer, dpi, seed)


def fill_planned(
    layout: FormLayout, number: int, plans: Mapping[str, FieldPlan], writer: pen.Writer, dpi: int, seed: int
) -> NDArray[np.uint8]:
    """Page `number` with every field of `plans` written as planned. Returns BGR."""
    paper = render_page(layout, number, dpi).copy()
    rng = np.random.default_rng([seed, number])
    page = layout.page(number)
    for field in page.fields:
        if field.id in plans:
            _fill_field(paper, field, plans[field.id], writer, dpi / MM_PER_INCH, rng)
    _sign(paper, page, writer, dpi / MM_PER_INCH, rng)
    return paper


def _fill_field(
    paper: NDArray[np.uint8],
    field: Field,
    plan: FieldPlan,
    writer: pen.Writer,
    scale: float,
    rng: np.random.Generator,
) -> None:
    for cell, cell_plan in zip(field.cells, plan.cells, strict=True):
        draw_cell(Box(paper, cell, writer, scale, rng), cell_plan)
    if field.bubbles is not None:
        for centres, bubble in zip(field.bubbles.centres, plan.bubbles, strict=True):
            draw_bubbles(paper, centres, field.bubbles.diameter, bubble, writer, scale, rng)
    if field.tally is not None and plan.tally is not None:
        draw_tally(paper, field.tally, plan.tally, writer, scale, rng)
    if field.words is not None:
        _words(paper, field.words, words(plan.value).upper(), writer, scale)


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
    steps = np.linspace(0, 1, 80)
    for cell in page.signatures:
        wave = np.cumsum(rng.normal(0, 1, (2, 9)), axis=1)
        curve = [np.interp(steps, np.linspace(0, 1, 9), axis) for axis in wave]
        smooth = [np.convolve(np.pad(axis, 6, mode="edge"), np.hanning(15) / 7, "valid")[:80] for axis in curve]
        spread = [(axis - axis.min()) / (np.ptp(axis) + 1e-6) for axis in smooth]
        x = (cell.x + cell.w * (0.2 + 0.6 * spread[0])) * scale
        y = (cell.y + cell.h * (0.3 + 0.5 * spread[1])) * scale
        points = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
        cv2.polylines(paper, [points], False, writer.colour, max(1, round(0.6 * scale)), cv2.LINE_AA, 4)
