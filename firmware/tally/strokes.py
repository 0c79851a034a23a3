"""The tally strokes (turus) beside a number: an independent third way in which people write it (H10).

Five strokes fill a cell, cells are filled from left to right and from top to bottom, and the total stands beside. How
many strokes are in a cell is told from the lines that its ink is made of; a cell that shows anything else says
nothing. Habits: four upright strokes and one across, in either direction; five upright strokes; a box of four sides
and a diagonal. What people do with tallies of this form was not measured: no filled one was at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import TallyGrid
from firmware.records import StrokeReading, TallyPicture
from firmware.tally.grid import cells, margins
from firmware.tally.segments import Strokes, strokes

Floats = NDArray[np.float64]

FULL = 5
"""Strokes of a full cell."""
SURE = 0.985
"""Probability of what a clear cell shows."""
THERE, TWICE = 0.6, 0.3
"""Probability that a doubtful stroke is there, and that a wide one is two."""
REST = 0.06
"""Part of the cell that is ink without being a stroke from which on the cell says nothing: as much as one stroke."""
MOST_INK = 0.5
"""Part of the cell that is ink from which on it is a scribble; five thick strokes cover a third."""
BOX = ((2, 2), (2, 3), (3, 2), (3, 3))
"""Upright and flat strokes of a box that is closed, and of a full one, whose diagonal is either, or seen in halves."""

AGAIN = 0.003
"""A cell after one that is not full: people finish a cell before the next; cautious, not measured."""
AGAIN_ROW = 0.02
"""The same at the start of a row: a row may be left early, for a shift or a bundle of ballots."""

LEFT_OUT = 0.1
"""Share of grids in which nobody draws strokes, whatever the number; cautious, not measured."""
CLEAR, CLEAR_CELL = 0.95, 0.5
"""Probability from which the number of strokes on the paper counts as clear; and those of every single cell."""
SLIP = 0.06
"""Probability that the strokes on the paper are not the number written beside them: one in twenty is off where such
tallies are recounted, mostly by one, or by a cell. Cautious, not measured on this form."""
SLIPS = MappingProxyType({1: 0.5, FULL: 0.1})
"""Shares of the slips that are off by so many, up or down; the others are anything."""


def _cell(**shares: float) -> Floats:
    """Six probabilities: shares by name (n4=0.5), the rest even."""
    values = np.zeros(FULL + 1)
    for name, share in shares.items():
        values[int(name[1:])] = share
    return np.asarray(values + (1.0 - values.sum()) / len(values), dtype=np.float64)


EVEN = _cell()
SHAPES: Mapping[tuple[int, int], Floats] = MappingProxyType(
    {
        **{(count, 0): _cell(**{f"n{count}": SURE}) for count in range(FULL + 1)},
        (4, 1): _cell(n5=SURE),
        (4, 2): _cell(n5=0.95),
        (5, 1): _cell(n5=0.95),
        (5, 2): _cell(n5=0.8),
        (6, 0): _cell(n5=0.5),
        (6, 1): _cell(n5=0.7),
        (3, 1): _cell(n4=0.5, n5=0.4),
        (3, 2): _cell(n5=0.9),
        (2, 3): _cell(n5=0.95),
        (4, 3): _cell(n5=0.7),
        (2, 2): _cell(n4=0.9),
        (2, 1): _cell(n3=0.5, n5=0.2),
        (1, 1): _cell(n2=0.4),
    }
)
"""What so many upright and flat strokes mean; other numbers mean nothing. A stroke across two or three others may be
the fifth of a cell in which one was forgotten."""
BOX_SHAPES: Mapping[tuple[int, int], Floats] = MappingProxyType(
    {**SHAPES, (2, 2): _cell(n4=SURE), (3, 2): _cell(n5=SURE), (2, 3): _cell(n5=SURE)}
    | {(3, 3): _cell(n5=0.9), (2, 4): _cell(n5=0.9)}
    | {(2, 1): _cell(n3=0.95), (1, 2): _cell(n3=0.95), (1, 1): _cell(n2=0.95), (0, 1): _cell(n1=0.9)}
)
"""The same where the full cells of the grid are boxes."""


def read_strokes(picture: TallyPicture, grid: TallyGrid) -> StrokeReading:
    """Probabilities of 0..5 strokes in every cell of a rectified grid."""
    ink = cells(picture, grid)
    found = strokes(ink.reshape(-1, *ink.shape[2:]), margins(grid))
    boxed = sum((entry.upright, entry.flat) in BOX for entry in found)
    shapes = BOX_SHAPES if boxed > sum(entry.upright >= FULL - 1 for entry in found) else SHAPES
    rows = np.array([_probabilities(entry, shapes) for entry in found]).reshape(grid.rows, grid.columns, FULL + 1)
    return StrokeReading(tuple(tuple(tuple(float(p) for p in cell) for cell in row) for row in rows))


def _probabilities(found: Strokes, shapes: Mapping[tuple[int, int], Floats]) -> Floats:
    shape = np.zeros(FULL + 1)
    more_upright = np.convolve(_binomial(found.maybe_upright, THERE), _binomial(found.wide, TWICE))
    for upright, likely in enumerate(more_upright, found.upright):
        for flat, also in enumerate(_binomial(found.maybe_flat, THERE), found.flat):
            shape += likely * also * shapes.get((upright, flat), EVEN)
    unexplained = 1.0 if found.ink > MOST_INK else min(1.0, found.rest / REST)
    return (1.0 - unexplained) * shape + unexplained * EVEN


def _binomial(times: int, share: float) -> Floats:
    """Probabilities of 0 .. `times` successes."""
    found = np.ones(1)
    for _ in range(times):
        found = np.convolve(found, (1.0 - share, share))
    return found


def totals(reading: StrokeReading) -> Floats:
    """Probabilities of 0 .. 5 * cells strokes on the paper, each as likely as any other before looking.

    Exact over all ways to fill the grid in which cells are filled one after the other; a cell after one that is not
    full costs AGAIN or AGAIN_ROW.
    """
    size = FULL * sum(len(row) for row in reading.rows) + 1
    filling, ended = np.zeros(size), np.zeros(size)
    filling[0] = 1.0
    for number, row in enumerate(reading.rows):
        for column, cell in enumerate(row):
            again = 1.0 if number + column == 0 else (AGAIN_ROW if column == 0 else AGAIN)
            source = filling + again * ended
            some = sum((_moved(source, count, cell[count]) for count in range(1, FULL)), np.zeros(size))
            filling, ended = _moved(source, FULL, cell[FULL]), some + (filling + ended) * cell[0]
            scale = float(filling.sum() + ended.sum())
            filling, ended = filling / scale, ended / scale
    return filling + ended


def _moved(values: Floats, places: int, weight: float) -> Floats:
    moved = np.zeros_like(values)
    moved[places:] = values[: len(values) - places] * weight
    return moved


def likelihood(reading: StrokeReading, size: int) -> Floats:
    """How well every number 0 .. size - 1 explains the strokes, for a Bayes product; sums to 1, even: says nothing.

    An empty grid says nothing: people leave the tally out. A number beyond the grid is tallied as a full one.
    """
    drawn = totals(reading)
    none, some = LEFT_OUT * float(drawn[0]), (1.0 - LEFT_OUT) * (1.0 - float(drawn[0])) / len(drawn)
    none, drawn = none / (none + some), np.append(0.0, drawn[1:])
    slipped = (1.0 - SLIP) * drawn + SLIP * (1.0 - sum(SLIPS.values())) * drawn.sum() / len(drawn)
    for off, share in SLIPS.items():
        slipped[off:] += SLIP * share / 2 * drawn[:-off]
        slipped[:-off] += SLIP * share / 2 * drawn[off:]
    numbers = slipped[np.minimum(np.arange(size), len(slipped) - 1)]
    return np.asarray((1.0 - none) * numbers / numbers.sum() + none / size, dtype=np.float64)


def number(reading: StrokeReading) -> int | None:
    """How many strokes are on the paper, where that is clear and every cell shows its part; None where not.

    None also for an empty grid: it is no zero.
    """
    drawn, cell = totals(reading), np.array(reading.rows)
    best, shown = int(np.argmax(drawn)), int(cell.argmax(axis=2).sum())
    clear = drawn[best] >= CLEAR and cell.max(axis=2).min() >= CLEAR_CELL
    return best if best and clear and shown == best else None
