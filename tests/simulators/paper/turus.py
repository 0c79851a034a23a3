"""Tally strokes (turus): five to a cell of the grid, row by row, and the sum of every row beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import Rect, TallyGrid
from tests.simulators.paper import pen

OVERSHOOT = 0.3
"""By how much strokes may leave their cell, in parts of its shorter side."""
SMALL_BOLD = 0.05
"""The pen is as wide in the small digits of a sum as in a box, in parts of their height."""
SUM_DIGITS = 3
"""A row's sum is at most 60 or 40, in three columns."""
BOX = ((0.2, 0.8, 0.2, 0.2), (0.2, 0.2, 0.8, 0.2), (0.8, 0.2, 0.8, 0.8), (0.8, 0.8, 0.2, 0.8), (0.2, 0.8, 0.8, 0.2))
"""The four sides of a box and its diagonal, in the order they are drawn: x0, y0, x1, y1 in parts of the cell."""
Segment = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Turus:
    """One person's way of counting."""

    shape: str
    """"rising" or "falling": four uprights and a slash; "upright": five uprights; "box": a box and its diagonal."""
    tremor: float
    """Standard deviation of the ends of strokes, in parts of the cell."""
    empty_sum: str
    """What stands beside a row without strokes: nothing, 0, X or a dash."""


PLAIN_TURUS = Turus("rising", 0.02, "")


@dataclass(frozen=True, slots=True)
class TallyPlan:
    """What one grid will show."""

    rows: tuple[tuple[int, ...], ...]
    """Strokes in every cell, 0..5."""
    sums: tuple[str, ...]
    """What is written beside every row, right-aligned."""
    turus: Turus
    early: bool = False
    """A row was left before it was full."""

    @property
    def strokes(self) -> int:
        """All strokes together."""
        return sum(map(sum, self.rows))


def some_turus(rng: np.random.Generator) -> Turus:
    """A person's way by chance: most draw a rising slash."""
    shape = str(rng.choice(["rising", "falling", "upright", "box"], p=[0.55, 0.2, 0.1, 0.15]))
    return Turus(shape, float(rng.uniform(0.02, 0.06)), str(rng.choice(["", "0", "X", "-"], p=[0.6, 0.15, 0.15, 0.1])))


def plan_tally(
    grid: TallyGrid,
    count: int,
    turus: Turus,
    early: bool = False,
    slip: bool = False,
    rng: np.random.Generator | None = None,
) -> TallyPlan:
    """`count` strokes; `early`: one row is left before its end where there is room; `slip`: one sum is wrong."""
    rng = rng or np.random.default_rng(0)
    room = grid.rows * grid.columns * 5
    left, rows = min(count, room), []
    spare = grid.rows - 1 - -(-left // (grid.columns * 5))
    short = int(rng.integers(max(1, left // (grid.columns * 5)))) if early and spare >= 0 and left > 5 else -1
    for row in range(grid.rows):
        cells = grid.columns - int(rng.integers(1, 4)) if row == short else grid.columns
        taken = [min(5, max(0, left - 5 * cell)) for cell in range(cells)]
        left -= sum(taken)
        rows.append(tuple(taken + [0] * (grid.columns - cells)))
    sums = [str(sum(row)) if sum(row) else turus.empty_sum for row in rows]
    if slip:
        used = [index for index, row in enumerate(rows) if sum(row)]
        wrong = used[int(rng.integers(len(used)))]
        sums[wrong] = str(abs(sum(rows[wrong]) + int(rng.choice([-5, -1, 1, 5]))))
    plan = TallyPlan(tuple(rows), tuple(sums), turus)
    return replace(plan, early=any(sum(row) < grid.columns * 5 and sum(after) for row, after in pairwise(rows)))


def draw_tally(
    paper: NDArray[np.uint8],
    grid: TallyGrid,
    plan: TallyPlan,
    writer: pen.Writer,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Draws the strokes and the sums of the rows; `scale` is pixels per millimetre."""
    width, height = grid.area.w / grid.columns, grid.area.h / grid.rows
    side, beyond = np.array([width, height]) * scale, OVERSHOOT * min(width, height) * scale
    ink = np.zeros((round(side[1] + 2 * beyond), round(side[0] + 2 * beyond)), np.uint8)
    thick = max(1, round(0.8 * scale * (1 + writer.bold * 15)))
    for row, strokes in enumerate(plan.rows):
        for column, count in enumerate(strokes):
            if not count:
                continue
            ink[:] = 0
            for line in _lines(plan.turus, count, rng):
                ends = np.round((np.array(line).reshape(2, 2) * side + beyond) * 16).astype(int).tolist()
                cv2.line(ink, ends[0], ends[1], 255, thick, cv2.LINE_AA, 4)
            x, y = (grid.area.x + column * width) * scale - beyond, (grid.area.y + row * height) * scale - beyond
            cover = pen.worn((ink / 255).astype(np.float32), writer, rng, False)
            pen.lay(paper, cover, round(x), round(y), writer)
        _draw_sum(paper, grid, row, plan.sums[row], writer, scale, rng)


def _lines(turus: Turus, count: int, rng: np.random.Generator) -> Iterator[Segment]:
    """The first `count` strokes of a cell, in parts of the cell."""
    for index in range(count):
        jitter = rng.normal(0, turus.tremor, 4)
        if turus.shape == "box":
            x0, y0, x1, y1 = BOX[index]
        elif index == 4 and turus.shape != "upright":
            x0, y0, x1, y1 = (0.08, 0.72, 0.92, 0.3) if turus.shape == "rising" else (0.08, 0.3, 0.92, 0.72)
        else:
            apart = 0.16 if turus.shape == "upright" else 0.2
            x0 = x1 = 0.2 + apart * index
            y0, y1 = 0.18, 0.82
        yield x0 + jitter[0], y0 + jitter[1], x1 + jitter[2], y1 + jitter[3]


def _draw_sum(
    paper: NDArray[np.uint8],
    grid: TallyGrid,
    row: int,
    text: str,
    writer: pen.Writer,
    scale: float,
    rng: np.random.Generator,
) -> None:
    sums: Rect = grid.sums
    width, height = sums.w / SUM_DIGITS, sums.h / grid.rows
    size = round(min(width * 1.25, height) * scale)
    writer = replace(writer, bold=writer.bold + SMALL_BOLD)
    for index, label in enumerate(text[-SUM_DIGITS:].rjust(SUM_DIGITS)):
        x, y = sums.x + (index + 0.5) * width, sums.y + (row + 0.5) * height
        ink = pen.write_label(writer, label, size, rng)
        pen.lay(paper, ink, round(x * scale - size / 2), round(y * scale - size / 2), writer)
