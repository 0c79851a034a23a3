"""Tally grids filled by hand: strokes of many habits on a rendered form."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import TallyGrid

Line = tuple[tuple[float, float], tuple[float, float]]

UPRIGHTS: tuple[Line, ...] = tuple(((x, 0.05), (x, 0.95)) for x in (0.15, 0.38, 0.62, 0.85))
HABITS: dict[str, tuple[Line, ...]] = {
    "slash up": (*UPRIGHTS, ((0.0, 0.75), (1.0, 0.25))),
    "slash down": (*UPRIGHTS, ((0.0, 0.2), (1.0, 0.8))),
    "slash steep": (*UPRIGHTS, ((0.0, 1.0), (1.0, 0.0))),
    "slash flat": (*UPRIGHTS, ((0.0, 0.5), (1.0, 0.5))),
    "five upright": tuple(((x, 0.05), (x, 0.95)) for x in (0.1, 0.3, 0.5, 0.7, 0.9)),
    "box": (
        ((0.1, 0.0), (0.1, 1.0)),
        ((0.1, 0.0), (0.9, 0.0)),
        ((0.9, 0.0), (0.9, 1.0)),
        ((0.1, 1.0), (0.9, 1.0)),
        ((0.1, 1.0), (0.9, 0.0)),
    ),
}
"""The five strokes of a cell in the order in which they are drawn, in parts of the figure's width and height."""


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody draws strokes. Lengths in millimetres, or in parts of a cell."""

    habit: str = "slash up"
    pen: float = 0.9
    grey: int = 60
    width: float = 0.75
    """Of the figure, in widths of the cell."""
    height: float = 0.7
    lean: float = 0.0
    """Millimetres to the side a millimetre up."""
    bow: float = 0.0
    """Sagitta of a stroke, in parts of its length."""
    uneven: float = 0.03
    """Standard deviation of every end, in parts of the cell."""
    move: tuple[float, float] = (0.0, 0.0)
    """Of every figure to the right and down, in parts of the cell."""


def some_hand(seed: int) -> Hand:
    """A person by seed."""
    rng = np.random.default_rng([seed, 55])
    return Hand(
        habit=str(rng.choice(list(HABITS), p=[0.4, 0.15, 0.1, 0.1, 0.15, 0.1])),
        pen=float(rng.uniform(0.5, 1.4)),
        grey=int(rng.integers(20, 110)),
        width=float(rng.uniform(0.5, 0.9)),
        height=float(rng.uniform(0.5, 0.9)),
        lean=float(rng.normal(0, 0.12)),
        bow=float(rng.normal(0, 0.02)),
        uneven=float(rng.uniform(0.01, 0.045)),
        move=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.03))),
    )


def counts(total: int, grid: TallyGrid) -> NDArray[np.int64]:
    """Strokes in every cell when cells are filled one after the other."""
    cells = grid.rows * grid.columns
    return np.clip(total - 5 * np.arange(cells), 0, 5).reshape(grid.rows, grid.columns)


def draw(
    paper: NDArray[np.uint8], scale: float, grid: TallyGrid, strokes: NDArray[np.int64], hand: Hand, seed: int
) -> None:
    """Draws `strokes` (rows, columns) on `paper` of `scale` pixels a millimetre."""
    rng = np.random.default_rng([seed, 77])
    for (row, column), count in np.ndenumerate(strokes):
        for line in HABITS[hand.habit][: int(count)]:
            _draw_line(paper, scale, grid, (int(row), int(column)), line, hand, rng)


def _draw_line(
    paper: NDArray[np.uint8],
    scale: float,
    grid: TallyGrid,
    place: tuple[int, int],
    line: Line,
    hand: Hand,
    rng: np.random.Generator,
) -> None:
    """One stroke, bowed, with ends where a hand puts them; drawn to a sixteenth of a pixel."""
    width, height = grid.area.w / grid.columns, grid.area.h / grid.rows
    ends = np.array(line) - 0.5 + rng.normal(0, hand.uneven, (2, 2))
    t = np.linspace(0, 1, 9)[:, None]
    points = ends[0] + t * (ends[1] - ends[0])
    points *= (hand.width * width, hand.height * height)
    along = points[-1] - points[0]
    points += 4 * t * (1 - t) * hand.bow * np.array([-along[1], along[0]])
    points[:, 0] -= hand.lean * points[:, 1]
    points += (width * (place[1] + 0.5 + hand.move[0]), height * (place[0] + 0.5 + hand.move[1]))
    points = (points + np.array([grid.area.x, grid.area.y])) * scale * 16
    thick = max(1, round(hand.pen * scale * rng.uniform(0.85, 1.15)))
    shape = [np.round(points).astype(np.int32)]
    cv2.polylines(paper, shape, False, (hand.grey, hand.grey, hand.grey), thick, cv2.LINE_AA, 4)
