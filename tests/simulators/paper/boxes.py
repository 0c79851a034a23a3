"""One digit box and one bubble column drawn as planned, with every correction and blemish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import Rect
from tests.simulators.paper import pen
from tests.simulators.paper.faults import BubblePlan, CellPlan, Fault

Bgr = NDArray[np.uint8]
TIPEX_COLOUR = (244, 247, 246)
"""BGR: whiter than the paper in the light, and without its grain."""
STAMP_COLOUR = (150, 62, 104)
"""BGR of the violet ink of stamps."""
INSIDE = 0.43
"""How far from its middle a box is free of its border and of the hand's tremor, in parts of the box."""


class Box:
    """A digit box on the paper: where it is in pixels, and who writes into it."""

    def __init__(self, paper: Bgr, cell: Rect, writer: pen.Writer, scale: float, rng: np.random.Generator) -> None:
        self.paper, self.writer, self.rng = paper, writer, rng
        self.size = round(min(cell.w, cell.h) * scale)
        self.x, self.y = (cell.x + cell.w / 2) * scale, (cell.y + cell.h / 2) * scale

    def write(self, label: str, part: float = 1.0, right: float = 0.0, down: float = 0.0, **pens: float) -> None:
        """Writes a label at a part of its usual size, moved by parts of the box; `pens` replaces the writer's."""
        writer = replace(self.writer, **pens) if pens else self.writer  # type: ignore[arg-type]
        size = max(4, round(self.size * part))
        ink = pen.write_label(writer, label, size, self.rng)
        x, y = self.x + right * self.size - size / 2, self.y + down * self.size - size / 2
        pen.lay(self.paper, ink, round(x), round(y), writer)

    def lines(self, points: Sequence[tuple[float, float]], width: float, writer: pen.Writer) -> None:
        """A curve through points in parts of the box, (0, 0) its middle; it may leave the box."""
        reach = max(max(abs(x), abs(y)) for x, y in points) + width + 0.1
        size = round(2 * reach * self.size)
        ink = np.zeros((size, size), np.uint8)
        curve = np.round((np.array(points) + reach) * self.size * 16).astype(np.int32)
        cv2.polylines(ink, [curve], False, 255, max(1, round(width * self.size)), cv2.LINE_AA, 4)
        left, top = round(self.x - size / 2), round(self.y - size / 2)
        pen.lay(self.paper, (ink / 255).astype(np.float32), left, top, writer)


def draw_cell(box: Box, plan: CellPlan) -> None:
    """Draws what is planned for one box."""
    rng = box.rng
    if Fault.SKIPPING in plan.faults:
        box.writer = replace(box.writer, skip=0.2)
    if len(plan.label) > 1:
        _squeezed(box, plan.label)
    elif Fault.OVERWRITTEN in plan.faults:
        box.write(plan.under, bold=0.0, pressure=box.writer.pressure * 0.6)
        heavy = max(box.writer.pressure, 0.95)
        box.write(plan.label, 1.05, bold=box.writer.bold + 0.045, pressure=heavy, grain=0.0)
    elif Fault.TIPEX in plan.faults:
        box.write(plan.under)
        _tipex(box)
        box.write(plan.label, 0.95, *rng.normal(0, 0.04, 2), pressure=max(box.writer.pressure, 0.7))
    elif Fault.CROSSED_OUT in plan.faults:
        _crossed_out(box, plan)
    else:
        part, right, down = _placing(plan, box.writer, rng)
        box.write(plan.label, part, right, down)
    if Fault.DIRT in plan.faults:
        _dirt(box)
    if Fault.FOREIGN_STROKE in plan.faults:
        _foreign_stroke(box)


def _placing(plan: CellPlan, writer: pen.Writer, rng: np.random.Generator) -> tuple[float, float, float]:
    """Part of the usual size, and by how much it is moved, in parts of the box.

    No stroke comes to lie on the printed border, where nobody could tell the two apart: it is inside or well over.
    """
    side, half_height, half_width = rng.choice([-1, 1]), 0.5 * writer.size, 0.3 * writer.size
    if Fault.OVER_BORDER in plan.faults:
        over = rng.uniform(0.6, 0.68)
        if rng.random() < 0.6:
            return 1.0, side * (over - half_width), rng.normal(0, 0.02)
        return 1.0, rng.normal(0, 0.02), side * (over - half_height)
    if Fault.SHIFTED in plan.faults:
        return 1.0, side * rng.uniform(0.1, INSIDE - half_width), rng.uniform(-1, 1) * (INSIDE - half_height)
    if Fault.SMALL in plan.faults:
        return float(rng.uniform(0.6, 0.7)), side * rng.uniform(0.05, 0.15), rng.uniform(-0.15, 0.15)
    if Fault.LARGE in plan.faults:
        return 2 * INSIDE / writer.size, 0.0, 0.0
    return 1.0, 0.0, 0.0


def _squeezed(box: Box, digits: str) -> None:
    """Several digits side by side, the outer ones over the border; thin and dark, to be told apart."""
    pens = {"bold": 0.0, "pen": min(box.writer.pen, 0.045), "pressure": max(box.writer.pressure, 0.7)}
    for index, digit in enumerate(digits):
        box.write(digit, 0.6, (index - (len(digits) - 1) / 2) * 0.33, **pens)


def _crossed_out(box: Box, plan: CellPlan) -> None:
    """The wrong digit small and struck out twice, the right one beside it."""
    side, rng = box.rng.choice([-1, 1]), box.rng
    box.write(plan.under, 0.6, -0.2 * side, 0.12)
    for slope in rng.uniform(-0.16, 0.16, 2):
        line = ((-0.2 * side - 0.2, 0.12 - slope), (-0.2 * side + 0.2, 0.12 + slope))
        box.lines(line, box.writer.pen, box.writer)
    box.write(plan.label, 0.72, 0.24 * side, -0.1)


def _tipex(box: Box) -> None:
    """A ragged patch of white with a rim; what lies under it shows a little."""
    side = round(box.size * 1.3)
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    angle, phase = np.arctan2(rows, columns), box.rng.uniform(0, 6, 2)
    edge = 0.36 * (1 + 0.12 * np.sin(3 * angle + phase[0]) + 0.07 * np.sin(8 * angle + phase[1]))
    inside = np.clip((edge - np.hypot(rows * 0.95, columns * 1.05)) * side * 0.5, 0, 1)
    rim = np.clip(1 - np.abs(edge - np.hypot(rows, columns)) * side * 0.4, 0, 1)
    white = np.array(TIPEX_COLOUR) * (1 - 0.06 * rim * (rows > columns))[..., None]
    x, y = round(box.x - side / 2), round(box.y - side / 2)
    patch = box.paper[y : y + side, x : x + side]
    cover = (inside * box.rng.uniform(0.9, 0.98))[: patch.shape[0], : patch.shape[1], None]
    patch[:] = np.round(patch * (1 - cover) + white[: patch.shape[0], : patch.shape[1]] * cover).astype(np.uint8)


def _dirt(box: Box) -> None:
    """Specks and a smudge."""
    rng, brown = box.rng, replace(box.writer, colour=(70, 84, 96), pressure=0.6)
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(-0.55, 0.55, 2)
        box.lines(((x, y), (x + rng.normal(0, 0.02), y + 0.01)), float(rng.uniform(0.02, 0.05)), brown)
    size = round(box.size * rng.uniform(0.5, 1))
    smudge = pen.scribble_disc(size, rng)
    soft = np.asarray(cv2.GaussianBlur(smudge, (0, 0), size * 0.15), np.float32)
    at = np.array([box.x, box.y]) + rng.uniform(-0.5, 0.5, 2) * box.size - size / 2
    pen.lay(box.paper, soft, round(at[0]), round(at[1]), replace(brown, pressure=0.18))


def _foreign_stroke(box: Box) -> None:
    """Half the tail of a signature from elsewhere, half the rim of a stamp; both run on over the neighbours."""
    rng = box.rng
    if rng.random() < 0.5:
        other = (40, 40, 40) if box.writer.colour[0] > box.writer.colour[2] + 40 else (150, 70, 30)
        height, bend = rng.uniform(-0.35, 0.35), rng.uniform(-0.3, 0.3)
        points = [(x, height + bend * np.sin(x * 1.7 + 1)) for x in np.linspace(-1.6, 1.6, 24)]
        box.lines(points, 0.035, replace(box.writer, colour=other, pressure=0.8))
        return
    radius, angle = rng.uniform(1.2, 1.8), rng.uniform(0, 2 * np.pi)
    centre = (radius * np.cos(angle), radius * np.sin(angle))
    for ring in (radius, radius * 0.9):
        turns = np.linspace(0, 2 * np.pi, 60)
        points = [(centre[0] + ring * np.cos(t), centre[1] + ring * np.sin(t)) for t in turns]
        box.lines(points, 0.04, replace(box.writer, colour=STAMP_COLOUR, pressure=0.45))


def draw_bubbles(
    paper: Bgr,
    centres: Sequence[tuple[float, float]],
    diameter: float,
    plan: BubblePlan,
    writer: pen.Writer,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Draws one column of bubbles as planned; lengths in millimetres, `scale` in pixels per millimetre."""
    if plan.digit is None or plan.fault is Fault.BUBBLE_NONE:
        return
    size = round(diameter * scale * 1.1)

    def fill(digit: int, ink: pen.Ink, who: pen.Writer = writer, shift: tuple[float, float] = (0, 0)) -> None:
        x, y = centres[digit]
        left, top = x * scale - ink.shape[1] / 2, y * scale - ink.shape[0] / 2
        pen.lay(paper, ink, round(left + shift[0] * size), round(top + shift[1] * size), who)

    full = pen.scribble_disc(size, rng, coverage=float(rng.uniform(0.75, 1.0)))
    if plan.fault in (Fault.BUBBLE_TICK, Fault.BUBBLE_CROSS):
        fill(plan.digit, _mark(plan.fault, round(size * 1.3), writer, rng))
    elif plan.fault is Fault.BUBBLE_HALF:
        side = rng.choice([-1, 1], 2)
        fill(plan.digit, pen.scribble_disc(size, rng, coverage=0.42), shift=tuple(side * 0.12))
    elif plan.fault is Fault.BUBBLE_SPILLED:
        blot = cv2.resize(full, (size, round(size * 1.45)))
        fill(plan.digit, np.asarray(blot, np.float32), shift=(0, float(rng.choice([-0.3, 0.3]))))
    elif plan.fault is Fault.BUBBLE_PALE:
        fill(plan.digit, full, replace(writer, pressure=0.35))
    elif plan.fault is Fault.BUBBLE_WRONG:
        fill(plan.other, full)
    else:
        fill(plan.digit, full)
    if plan.fault is Fault.BUBBLE_DOUBLE:
        fill(plan.other, full)
        fill(plan.other, _mark(Fault.BUBBLE_CROSS, round(size * 1.9), writer, rng))


def _mark(kind: Fault, size: int, writer: pen.Writer, rng: np.random.Generator) -> pen.Ink:
    """A tick or a cross, as wide as the bubble."""
    if kind is Fault.BUBBLE_CROSS:
        return pen.polylines([[(0.12, 0.15), (0.88, 0.85)], [(0.85, 0.12), (0.15, 0.88)]], 0.09, size, rng)
    return pen.polylines([[(0.15, 0.5), (0.4, 0.85), (0.95, 0.05)]], 0.1, size, rng)
