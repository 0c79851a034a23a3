"""The ink in every cell of a tally grid: darkness against the paper around, where the cell is, without its lines.

A rectified grid is still bent by a millimetre or two where the sheet curls, so the printed lines themselves say where
the cells are. The inner lines are printed pale grey and its frame black; what a line adds along its whole length is
taken off, and ink of a person over a line stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from firmware.forms.layout import TallyGrid
from firmware.records import TALLY_MARGIN_MM, TALLY_PIXELS_PER_MM, Gray, TallyPicture

Floats = NDArray[np.float64]
Ink = NDArray[np.float32]

BLOCK = 24
"""Pixels: side of the squares of which each gives one brightness of the paper; six millimetres, a third of a cell."""
PAPER = 0.8
"""Quantile of a block's grey values that is paper: strokes cover a third of a full cell at most."""
REACH = 9
"""Pixels: how far from its place a line is looked for; a bent sheet moves it by 1.5 mm, and cells are 12 mm high."""
ALONG = 0.4
"""Quantile along a piece of line that counts as its darkness: strokes that cross it cover less than the rest."""
PIECE_ENDS = 0.1
"""Part of a cell's side left out at both ends of a piece, where lines cross."""
LEAST_LINE = 0.04
"""A piece is seen when it is this much darker than the paper beside it; the printed grey is 0.2, blurred 0.1."""
MOST_LINE = 0.2
"""Weight of a piece grows with its darkness up to here; darker is frame, or ink."""
OUTLIER = 1.5
"""Pixels: a piece farther than this from where the others have it is ink."""
ROUNDS = 4
LEAST_PIECES = 0.3
"""Share of all pieces that must be seen, or the grid stays where the page has it."""
MARGIN = 0.15
"""Part of a cell's sides shown around it: ink crosses borders."""
LINE_BAND = 6
"""Pixels on each side of a line in which its print is taken off: half its width, its blur and a rest of bending."""
LINE_ROOM, FRAME_ROOM = 1, 2
"""Pixels by which a line may be elsewhere than the others of its row or column; what is left of a black one is ink."""


def cells(picture: TallyPicture, grid: TallyGrid) -> Ink:
    """Ink in every cell, 0 = paper, 1 = black; shape (rows, columns, height, width) with MARGIN of the cell around."""
    dark = darkness(picture.gray)
    lines = _lines(grid)
    shown = _cut(dark, lines, _shift(dark, lines, 0), _shift(dark, lines, 1))
    return _without_lines(shown, *margins(grid))


def margins(grid: TallyGrid) -> tuple[int, int]:
    """Pixels shown above and below a cell, and left and right of it."""
    height, width = _sides(grid)
    return round(MARGIN * height), round(MARGIN * width)


def darkness(gray: Gray) -> Ink:
    """How much darker than the paper around every pixel is, 0..1."""
    rows, columns = (max(1, side // BLOCK) for side in gray.shape)
    blocks = gray[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)[:, ::2, :, ::2]
    paper = _low(blocks.swapaxes(1, 2).reshape(rows, columns, -1), PAPER)
    light = _spread(gray.shape[0], rows) @ np.maximum(paper, 1.0) @ _spread(gray.shape[1], columns).T
    return np.asarray(np.clip(1.0 - gray / light, 0.0, 1.0), dtype=np.float32)


def _low(values: NDArray[Any], part: float) -> NDArray[Any]:
    """The value below which `part` of those along the last axis lie, without interpolation: several times quicker."""
    at = int(part * (values.shape[-1] - 1))
    return np.asarray(np.partition(values, at, axis=-1)[..., at])


def _spread(size: int, blocks: int) -> Floats:
    """(size, blocks): weights that interpolate between the middles of the blocks."""
    at = np.clip((np.arange(size) + 0.5) / BLOCK - 0.5, 0, blocks - 1)
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(blocks))), dtype=np.float64)


# --- where the cells are


def _sides(grid: TallyGrid) -> tuple[float, float]:
    """Height and width of a cell in pixels."""
    return (
        grid.area.h / grid.rows * TALLY_PIXELS_PER_MM,
        grid.area.w / grid.columns * TALLY_PIXELS_PER_MM,
    )


def _lines(grid: TallyGrid) -> tuple[Floats, Floats]:
    """Where the page has the lines: y of the horizontal and x of the vertical ones, in pixels of the picture."""
    top, left = min(grid.area.y, grid.sums.y), min(grid.area.x, grid.sums.x)
    y, x = (
        (start - first + TALLY_MARGIN_MM) * TALLY_PIXELS_PER_MM - 0.5
        for start, first in ((grid.area.y, top), (grid.area.x, left))
    )
    height, width = _sides(grid)
    rows = np.arange(grid.rows + 1, dtype=np.float64)
    return y + height * rows, x + width * np.arange(grid.columns + 1, dtype=np.float64)


def _shift(dark: Ink, lines: tuple[Floats, Floats], axis: int) -> Floats:
    """How far along `axis` the lines across it are from where the page has them: a move, a turn, a scale and a bow.

    Coefficients of 1, u, u^2, v, v^2 and uv, where v and u are -1 .. 1 down and across the grid.
    """
    across, along = lines[axis], lines[1 - axis]
    offset, weight = _pieces(dark if axis == 0 else dark.T, across, along)
    places = np.meshgrid(across, (along[:-1] + along[1:]) / 2, indexing="ij")
    v, u = (_place(places[i ^ axis].ravel(), lines[i]) for i in (0, 1))
    terms = np.stack([np.ones_like(u), u, u * u, v, v * v, u * v], axis=-1)
    coefficients: Floats = np.zeros(terms.shape[1])
    if np.mean(weight > 0) < LEAST_PIECES:
        return coefficients
    coefficients[0] = _median(offset, weight)
    for _ in range(ROUNDS):
        near = weight / (1.0 + ((offset - terms @ coefficients) / OUTLIER) ** 2)
        scaled = terms * near[:, None]
        ridge = 1e-3 * np.eye(terms.shape[1])
        coefficients = np.asarray(np.linalg.solve(scaled.T @ terms + ridge, scaled.T @ offset), np.float64)
    return coefficients


def _pieces(dark: Ink, across: Floats, along: Floats) -> tuple[Floats, Floats]:
    """For every piece of line between two of `along`: how many rows the darkest line near its place in `across` is from
    there, and how far that is to be trusted. Both of shape (pieces,); lines whose neighbourhood is cut off have none.
    """
    inset = PIECE_ENDS * (along[1] - along[0])
    columns = np.rint(along[:-1, None] + np.arange(inset, along[1] - along[0] - inset, 2)).astype(int)
    tops = np.rint(across).astype(int) - REACH
    whole = (tops >= 0) & (tops + 2 * REACH < dark.shape[0])
    rows = np.where(whole, tops, 0)[:, None] + np.arange(2 * REACH + 1)
    profiles = _low(dark[rows[:, None, :, None], columns[None, :, None, :]], ALONG)
    best = profiles.argmax(axis=2)
    height = profiles.max(axis=2) - np.median(profiles, axis=2)
    seen = whole[:, None] & (height >= LEAST_LINE) & (best > 0) & (best < 2 * REACH)
    near = best.clip(1, 2 * REACH - 1)[..., None] + np.arange(-1, 2)
    around = np.take_along_axis(profiles, near, axis=2).astype(np.float64)
    around -= around.min(axis=2, keepdims=True) - 1e-6
    centre = best + (around[..., 2] - around[..., 0]) / around.sum(axis=2)
    offset = np.where(seen, tops[:, None] + centre - across[:, None], 0.0)
    return offset.ravel(), np.where(seen, np.minimum(height, MOST_LINE), 0.0).ravel().astype(np.float64)


def _median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _place(at: Floats, across: Floats) -> Floats:
    """Places along an axis as -1 .. 1 from the first line across it to the last."""
    return np.asarray(2.0 * (at - across[0]) / (across[-1] - across[0]) - 1.0, dtype=np.float64)


def _moved(lines: tuple[Floats, Floats], shift: Floats, y: Floats, x: Floats) -> Floats:
    """A shift at the rows `y` and columns `x`; its terms are those of `_shift`."""
    v, u = _place(y, lines[0])[:, None], _place(x, lines[1])
    moved = (shift[0] + (shift[1] + shift[2] * u) * u) + (shift[3] + shift[4] * v) * v + shift[5] * v * u
    return np.asarray(moved, dtype=np.float64)


def _cut(dark: Ink, lines: tuple[Floats, Floats], down: Floats, right: Floats) -> Ink:
    """The pixels of every cell; what lies outside of the picture is paper."""
    height, width = (lines[axis][1] - lines[axis][0] for axis in (0, 1))
    rows, columns = (np.arange(-round(MARGIN * side), round((1 + MARGIN) * side)) for side in (height, width))
    y = np.rint(lines[0][:-1, None] + rows).ravel()
    x = np.rint(lines[1][:-1, None] + columns).ravel()
    at_y = np.rint(y[:, None] + _moved(lines, down, y, x)).astype(np.int32)
    at_x = np.rint(x + _moved(lines, right, y, x)).astype(np.int32)
    inside = (at_y >= 0) & (at_y < dark.shape[0]) & (at_x >= 0) & (at_x < dark.shape[1])
    seen = np.where(inside, dark[at_y.clip(0, dark.shape[0] - 1), at_x.clip(0, dark.shape[1] - 1)], 0.0)
    shape = len(lines[0]) - 1, len(rows), len(lines[1]) - 1, len(columns)
    return np.ascontiguousarray(seen.reshape(shape).swapaxes(1, 2), dtype=np.float32)


# --- the lines


def _without_lines(shown: Ink, above: int, beside: int) -> Ink:
    """Takes off what is printed: the lines between and around the cells, and all that lies outside of the frame."""
    clean = shown.copy()
    for turned in (clean, clean.transpose(1, 0, 3, 2)):
        margin = above if turned is clean else beside
        last = len(turned) - 1
        turned[0, :, :margin], turned[last, :, -margin:] = 0.0, 0.0
        for row, cells_of_row in enumerate(turned):
            for side, edge in enumerate((margin, cells_of_row.shape[1] - margin)):
                band = cells_of_row[:, max(0, edge - LINE_BAND) : edge + LINE_BAND + 1]
                band -= _print(band, row + side in (0, len(turned)))
            turned[row] = np.maximum(cells_of_row, 0.0)
    return clean


def _print(band: Ink, frame: bool) -> Ink:
    """Darkness across a line along the cells of a row, shape (cells or 1, width of the band, 1).

    A line is taken for a little wider than seen, because it is never quite straight; the black frame, whose rest would
    be ink, is looked at for each cell.
    """
    room = FRAME_ROOM if frame else LINE_ROOM
    along = band if frame else band.swapaxes(0, 1).reshape(1, band.shape[1], -1)
    profile = _low(along[..., ::2], ALONG)
    padded = np.pad(profile, ((0, 0), (room, room)), mode="edge")
    return np.asarray(sliding_window_view(padded, 2 * room + 1, axis=1).max(axis=2)[..., None], dtype=np.float32)
