"""The number grammar of the boxes (H12): padding* then digits, no gap.

    "128" = 128    "X28" = "-28" = " 28" = "028" = 28    "XXX" = "- - -" = "  -" = 0
    "   "  nothing is written: zero or not filled, a person says which
    "1X8", "1 8", "5XX", "XX ", "X--", "1?8"  not a number

Cells are read independently, so the probability of an interpretation is the product of its labels' probabilities,
and the probability of a number is the sum over all ways to write it. All ways are counted: the numbers, "nothing
written" and "not a number" sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from firmware.records import DIGITS, LABELS, PADDING, CellReading, Doubt

MARKS = ("X", "-")
"""Padding that somebody wrote. A row ends in a digit or in one of these; a blank last box may be a faint digit."""

BLANK = "blank"
UNCLEAR = "unclear"

_DIGIT_COLUMNS = [LABELS.index(label) for label in DIGITS]
_PADDING_COLUMNS = [LABELS.index(label) for label in PADDING]
_MARK_COLUMNS = [LABELS.index(label) for label in MARKS]
_BLANK_COLUMN = LABELS.index(BLANK)

_SYMBOLS = {BLANK: " ", UNCLEAR: "?"}


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one row of boxes says: probabilities of every number, of nothing written, and of no number."""

    numbers: NDArray[np.float64]
    """Shape (10 ** cells,): probability of 0, 1, 2, ..."""
    empty: float
    """All boxes blank."""
    other: float
    """Not a number: a gap, padding after a digit, an unclear box."""


def distribution(cells: Sequence[CellReading], misread: float = 0.0) -> Distribution:
    """The exact distribution over all interpretations of independent cells; at least one cell.

    `misread`: probability that what the model says of a cell is worth nothing.
    """
    table = (1.0 - misread) * _table(cells) + misread / len(LABELS)
    digits, padding = table[:, _DIGIT_COLUMNS], table[:, _PADDING_COLUMNS].sum(axis=1)
    numbers = np.zeros(10 ** len(cells))
    before = 1.0
    for start in range(len(cells)):
        written = reduce(np.multiply.outer, digits[start:]).ravel()
        numbers[: written.size] += before * written
        before *= float(padding[start])
    numbers[0] += sum(float(table[range(len(cells)), _columns(way)].prod()) for way in _zeros(len(cells)))
    empty = float(table[:, _BLANK_COLUMN].prod())
    return Distribution(numbers, empty, max(0.0, 1.0 - float(numbers.sum()) - empty))


def spelling(cells: Sequence[CellReading], value: int) -> tuple[str, ...]:
    """The most probable labels that spell `value` in these cells, into which it must fit."""
    table, digits = _table(cells), str(value) if value else ""
    free = len(cells) - len(digits)
    padding = [PADDING[int(np.argmax(row[_PADDING_COLUMNS]))] for row in table]
    ways = [(*padding[:start], *("0" * (free - start)), *digits) for start in range(free + (value > 0))]
    ways += _zeros(len(cells)) if not value else []
    return max(ways, key=lambda way: float(table[range(len(cells)), _columns(way)].prod()))


def _zeros(cells: int) -> list[tuple[str, ...]]:
    """The ways to write zero without a digit: one mark repeated to the last box. Mixed ones are a block struck out."""
    return [(BLANK,) * empty + (mark,) * (cells - empty) for mark in MARKS for empty in range(cells)]


def _columns(labels: Sequence[str]) -> list[int]:
    return [LABELS.index(label) for label in labels]


def _table(cells: Sequence[CellReading]) -> NDArray[np.float64]:
    """Shape (cells, LABELS)."""
    return np.array([cell.probabilities for cell in cells], dtype=np.float64)


def parse(labels: Sequence[str]) -> int | None:
    """The number that these labels spell, or None when they spell none."""
    start = next((i for i, label in enumerate(labels) if label not in PADDING), len(labels))
    written = labels[start:]
    if not written:
        return 0 if tuple(labels) in _zeros(len(labels)) else None
    if any(label not in DIGITS for label in written):
        return None
    return int("".join(written))


def text(labels: Sequence[str]) -> str:
    """The cells as read, one character each: "128", "X28", "--5"; blank is a space, unclear is "?"."""
    return "".join(_SYMBOLS.get(label, label) for label in labels)


def doubt(labels: Sequence[str]) -> Doubt | None:
    """Why these labels are no number, or None when they are one."""
    if parse(labels) is not None:
        return None
    return Doubt.EMPTY if all(label == BLANK for label in labels) else Doubt.GRAMMAR
