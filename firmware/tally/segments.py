"""The straight strokes of tally cells: which lines explain the ink, upright ones and flat ones apart.

Along every direction the longest unbroken runs of ink are found (the columns of the sheared cell); of runs beside one
another the longest is the stroke. Runs, not sums: between two strokes there is paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.tally.grid import Ink

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEAST_INK = 0.2
"""Darkness from which a pixel can be ink: a ball pen out of focus; what is left of the printed lines is 0.1."""
DARKEST = 0.985
"""Quantile of a cell's darkness that its pen reaches: one stroke covers three hundredths of a cell."""
INK_SHARE = 0.6
"""A pixel is ink from this share of the darkest one around: high enough to part strokes that blur into one another."""
NEAR = 5
"""Pixels to the left and right that are around: few strokes are nearer to one another than that."""
FAINT_SHARE = 0.4
"""A pixel can be ink from this share of the pen's darkness: of two strokes one may be lighter."""
LEANS = np.linspace(-0.6, 0.6, 11)
"""Pixels to the side a pixel down, for upright strokes: up to 31 degrees."""
SLOPES = np.linspace(-1.5, 1.5, 21)
"""Pixels down a pixel to the right, for all others: up to 56 degrees."""
STEP = 2
"""Pixels along a stroke that are looked at as one: directions need no more, and it is twice as quick."""
LEAST_UPRIGHT, SURE_UPRIGHT = 0.25, 0.34
"""Heights of the shortest stroke that may be one, and of one that is, in heights of the cell (16 or 12 mm)."""
LEAST_FLAT, SURE_FLAT = 0.3, 0.38
"""The same for flat strokes along their direction, in widths of the cell (20 mm): more than the width of a pen."""
PEN = 5
"""Pixels across which runs are added: in a stroke's own direction all are long, in others only a corner's."""
FULL = 0.75
"""Runs beside one another of at least this part of the longest are one stroke: its width."""
BESIDE = 2.0
"""Pixels (half a millimetre) beside a stroke in which no other is looked for: ragged edges, bows."""
WIDE, LEAST_WIDE = 1.6, 10
"""A stroke so many times wider than the others of its cell, and more than this many pixels wide, may be two."""
THIN, LEAST_THIN = 0.5, 3
"""A run so many times as wide as the others of its cell, or not this many pixels wide, may be a corner of two."""
NEW = (0.5, 0.3)
"""Share of an upright and of a flat stroke that must not be ink of longer ones: four thick strokes cover half of a
slash."""
HALO = 3
"""Pixels around a stroke in which ink belongs to it: its edges, a bow, a hook."""
MOST_STROKES = 12
"""Runs of each kind that are looked at; a scribble has more."""
MINE, NOT_MINE = 0.6, 0.4
"""A stroke of which this part is in the cell is the cell's, or the neighbour's."""


@dataclass(frozen=True, slots=True)
class Strokes:
    """What explains the ink of one cell."""

    upright: int = 0
    flat: int = 0
    """Strokes that are surely there and the cell's."""
    maybe_upright: int = 0
    maybe_flat: int = 0
    """Strokes that may be none: short, thin, or as much the neighbour's."""
    wide: int = 0
    """Upright strokes that may be two."""
    rest: float = 0.0
    """Part of the cell that is ink and belongs to no stroke."""
    ink: float = 0.0
    """Part of the cell that is ink."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of ink: rows are along and columns across an upright one, the other way round for a flat one."""

    along: float
    across: float
    """Its middle, in pixels of the cell with its margins."""
    shear: float
    """Pixels across a pixel along."""
    first: float
    last: float
    """Its ends along."""
    width: int

    @property
    def length(self) -> float:
        """Pixels along its direction."""
        return float((self.last - self.first) * np.hypot(1.0, self.shear))

    def at(self, along: Floats) -> Floats:
        """Where it is across at the places `along`."""
        return np.asarray(self.across + self.shear * (along - self.along), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Extent:
    """A cell in its picture along one axis: `side` pixels after a margin, and as large a margin after it."""

    margin: int
    side: int

    def part(self, first: float, last: float) -> float:
        """How much of a stroke is the cell's; where one that is cut by the picture ends, nobody knows."""
        inside = min(last, self.margin + self.side) - max(first, self.margin)
        cut = first <= STEP or last >= 2 * self.margin + self.side - STEP
        return inside / (self.side if cut else last - first)


def strokes(cells: Ink, margins: tuple[int, int]) -> list[Strokes]:
    """The strokes of cells (n, height, width), shown with `margins` (above and below, left and right)."""
    down, right = (Extent(m, side - 2 * m) for m, side in zip(margins, cells.shape[1:], strict=True))
    core = cells[:, down.margin : -down.margin, right.margin : -right.margin]
    ink, rest = _ink(cells, core)
    used = np.flatnonzero(ink[:, down.margin : -down.margin, right.margin : -right.margin].any(axis=(1, 2)))
    found = [Strokes()] * len(cells)
    if not len(used):
        return found
    uprights = _families(ink[used], LEANS, LEAST_UPRIGHT * down.side)
    flats = _families(ink[used].swapaxes(1, 2), SLOPES, LEAST_FLAT * right.side)
    for cell, up, flat in zip(used, uprights, flats, strict=True):
        found[cell] = _explain(ink[cell], rest[cell], up, flat, down, right)
    return found


def _ink(cells: Ink, core: Ink) -> tuple[Mask, Mask]:
    """Which pixels of each cell are ink, and which are ink if they are no stroke's edge."""
    flat = core.reshape(len(core), -1)
    at = int(DARKEST * (flat.shape[1] - 1))
    pen = np.partition(flat, at, axis=1)[:, at][:, None, None]
    padded = np.pad(cells, ((0, 0), (0, 0), (NEAR, NEAR)))
    around = padded[:, :, : cells.shape[2]].copy()
    for move in range(1, 2 * NEAR + 1):
        np.maximum(around, padded[:, :, move : move + cells.shape[2]], out=around)
    faint = cells > np.maximum(LEAST_INK, FAINT_SHARE * pen)
    return faint & (cells > INK_SHARE * around), faint


def _explain(
    ink: Mask, rest: Mask, uprights: list[Segment], flats: list[Segment], down: Extent, right: Extent
) -> Strokes:
    left = ink.copy()
    kept: tuple[list[Segment], list[Segment]] = [], []
    for entry, flat in sorted([(e, 0) for e in uprights] + [(e, 1) for e in flats], key=lambda pair: -pair[0].length):
        seen = (left.T, rest.T) if flat else (left, rest)
        if _is_new(entry, seen[0], NEW[flat]):
            kept[flat].append(entry)
            _take_out(entry, *seen)
    upright, maybe_upright, wide = _owned(kept[0], down, right, SURE_UPRIGHT * down.side)
    flat, maybe_flat, _ = _owned(kept[1], right, down, SURE_FLAT * right.side)
    edge = down.margin + down.margin // 2, right.margin + right.margin // 2
    core = np.s_[edge[0] : -edge[0], edge[1] : -edge[1]]
    unexplained, covered = float(rest[core].mean()), float(ink[core].mean())
    return Strokes(upright, flat, maybe_upright, maybe_flat, wide, unexplained, covered)


def _owned(entries: list[Segment], along: Extent, across: Extent, sure: float) -> tuple[int, int, int]:
    """How many strokes are surely the cell's, how many may be, and how many of both may be two."""
    inside = (entry for entry in entries if across.margin <= entry.across < across.margin + across.side)
    parts = [(entry, along.part(entry.first, entry.last)) for entry in inside]
    owned = [(entry, part) for entry, part in parts if part > NOT_MINE]
    usual = float(np.median([entry.width for entry, _ in owned])) if owned else 0.0
    wide = sum(entry.width > max(LEAST_WIDE, WIDE * usual) for entry, _ in owned)
    certain = sum(
        part >= MINE and entry.length >= sure and entry.width >= max(LEAST_THIN, THIN * usual) for entry, part in owned
    )
    return certain, len(owned) - certain, wide


# --- runs


def _families(ink: Mask, shears: Floats, least: float) -> list[list[Segment]]:
    """For every cell its strokes along the first axis that are at least so many pixels long, the longest first."""
    cells, rows, columns = ink.shape
    steps = rows // STEP
    wide = ink.copy()
    wide[:, :, 1:] |= ink[:, :, :-1]
    wide[:, :, :-1] |= ink[:, :, 1:]
    coarse = wide[:, : steps * STEP].reshape(cells, steps, STEP, columns).any(axis=2)
    centres = (np.arange(steps) + 0.5) * STEP - 0.5
    moves = np.rint(shears[:, None] * (centres - centres.mean())).astype(int)
    room = int(np.abs(moves).max())
    padded = np.pad(coarse, ((0, 0), (0, 0), (room, room)))
    run = np.zeros((cells, len(shears), columns), dtype=np.int16)
    best, end = run.copy(), run.copy()
    for step in range(steps):
        seen = np.stack([padded[:, step, room + move : room + move + columns] for move in moves[:, step]], axis=1)
        run += 1
        run *= seen
        np.copyto(end, step, where=run > best)
        np.maximum(best, run, out=best)
    return [_separate(one, last, shears, centres, least) for one, last in zip(best, end, strict=True)]


def _separate(
    best: NDArray[np.int16], end: NDArray[np.int16], shears: Floats, centres: Floats, least: float
) -> list[Segment]:
    """Of the longest runs (shears, columns), in steps, those that are strokes of their own."""
    room = np.zeros((len(shears), best.shape[1] + 2 * PEN))
    length = room[:, PEN:-PEN]
    length[:] = best * STEP * np.hypot(1.0, shears)[:, None]
    along = centres[end] - (best - 1) * STEP / 2
    across = np.arange(best.shape[1]) + shears[:, None] * (along - centres.mean())
    found: list[Segment] = []
    while len(found) < MOST_STROKES:
        total = np.cumsum(room, axis=1)
        beside = total[:, PEN + PEN // 2 : -PEN + PEN // 2] - total[:, PEN // 2 : -2 * PEN + PEN // 2]
        row, column = divmod(int(np.argmax(beside)), length.shape[1])
        top = float(length[row, column])
        if top < least:
            break
        left, right = _plateau(length[row], column, FULL * top)
        column = (left + right) // 2
        middle, half = float(along[row, column]), float(best[row, column]) * STEP / 2
        place = float(across[row, left] + across[row, right]) / 2
        entry = Segment(middle, place, float(shears[row]), middle - half, middle + half, right - left + 1)
        found.append(entry)
        length[np.abs(across - entry.at(along)) <= entry.width / 2 + BESIDE] = 0.0
    return found


def _plateau(length: Floats, column: int, least: float) -> tuple[int, int]:
    """The first and last of the columns around `column` in which runs are nearly as long."""
    short = np.flatnonzero(length < least)
    return int(short[short < column].max(initial=-1)) + 1, int(short[short > column].min(initial=len(length))) - 1


# --- what they explain


def _is_new(entry: Segment, left: Mask, least: float) -> bool:
    """Whether a stroke is not made of those that were taken out of `left` before."""
    rows = np.arange(max(0, round(entry.first)), min(len(left), round(entry.last) + 1))
    middle = np.rint(entry.at(rows.astype(np.float64))).astype(int).clip(0, left.shape[1] - 1)
    return float(np.mean(left[rows, middle])) >= least


def _take_out(entry: Segment, left: Mask, rest: Mask) -> None:
    """Takes a stroke out of `left`, and with HALO out of `rest`."""
    rows, columns = np.arange(left.shape[0]), np.arange(left.shape[1])
    away = np.abs(columns - entry.at(rows.astype(np.float64))[:, None]) - entry.width / 2
    beyond = np.maximum(entry.first - rows, rows - entry.last)[:, None]
    left[(away <= 0) & (beyond <= 0)] = False
    rest[(away <= HALO) & (beyond <= HALO)] = False
