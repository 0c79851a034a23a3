"""The bubbles under the digit boxes: an independent second way in which people write the same number (H11).

How much of a circle is inked is measured against the paper around that circle, so that shadow and lamp colour do not
count, and against the other circles of its column, so that the digit printed inside does not count. Habits seen on
real forms: under an X or dash the 0 is filled, or nothing; a blob spills into the next circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from firmware.records import BUBBLE_PIXELS, DIGITS, BubbleColumn, BubbleReading, Gray

CIRCLE_RADIUS = BUBBLE_PIXELS / 3
"""Pixels. The printed circle fills 2/3 of the patch."""
INSIDE = 0.75 * CIRCLE_RADIUS
"""Pixels. Inside the printed ring, with room for its width and one pixel of misregistration."""
OUTSIDE = 1.2 * CIRCLE_RADIUS
"""Pixels. From here on it is paper."""
PAPER_PERCENTILE = 75.0
"""Of the grey values outside the ring: paper, though a blob may cover part of it."""
INK_DEPTH = 0.3
"""A pixel at least this much darker than the paper is ink; a pale blue pen is 0.4, paper in a soft shadow 0.1."""
MAX_PRINT = 0.4
"""The printed digit covers less than this part of the inside, also when blurred; more is ink of a person."""

FILLED = 0.5
"""Fill from which a circle counts as filled."""
TOUCHED = 0.2
"""Fill from which a circle is not empty: a tick, half a filling, a pale pen. Empty circles stay below 0.14 on rendered
photographs of the medium level."""
CLEAR_SHARE = 0.5
"""The next circle's share of the leading one's fill, up to which there is one mark: a spill into the neighbour."""

SLIP = 0.02
"""Probability that a filled circle is not the digit written above it. People slip; cautious, not measured."""
WEAK_SLIP = 0.1
"""The same for a tick or half a filling, which may be a stray stroke; cautious, not measured."""

_ROWS, _COLUMNS = np.mgrid[:BUBBLE_PIXELS, :BUBBLE_PIXELS] - (BUBBLE_PIXELS - 1) / 2
_DISTANCE = np.hypot(_ROWS, _COLUMNS)
_IS_INSIDE = _DISTANCE <= INSIDE
_IS_OUTSIDE = _DISTANCE >= OUTSIDE


class Marking(StrEnum):
    """What one column of circles says."""

    NONE = "none"
    ONE = "one"
    OPEN = "open"
    """Several are filled."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The reading of one column; `digit` is there when exactly one circle is marked."""

    marking: Marking
    digit: int | None = None
    slip: float = SLIP


def read_bubbles(column: BubbleColumn) -> BubbleReading:
    """How much ink of a person each of the ten circles holds, 0..1."""
    covered = np.array([_covered(patch) for patch in column.gray])
    printed = min(float(np.median(covered)), MAX_PRINT)
    fill = np.clip((covered - printed) / (1.0 - printed), 0.0, 1.0)
    return BubbleReading(tuple(float(value) for value in fill))


def _covered(patch: Gray) -> float:
    """Part of the circle's inside that is darker than its paper."""
    paper = float(np.percentile(patch[_IS_OUTSIDE], PAPER_PERCENTILE))
    return float(np.mean(patch[_IS_INSIDE] < (1.0 - INK_DEPTH) * paper))


def verdict(reading: BubbleReading) -> Verdict:
    """Exactly one circle marked (filled, half filled, ticked), none, or something a person must look at."""
    fill = np.array(reading.fill)
    best, second = np.argsort(fill)[::-1][:2]
    if fill[best] < TOUCHED:
        return Verdict(Marking.NONE)
    if fill[second] > CLEAR_SHARE * fill[best]:
        return Verdict(Marking.OPEN)
    return Verdict(Marking.ONE, int(best), SLIP if fill[best] >= FILLED else WEAK_SLIP)


def number(verdicts: Sequence[Verdict]) -> int | None:
    """The number the bubbles say: no empty column after the first filled one; None when they say none."""
    digits = [entry.digit for entry in verdicts]
    start = next((i for i, digit in enumerate(digits) if digit is not None), len(digits))
    written = digits[start:]
    if not written or any(entry.marking is Marking.OPEN for entry in verdicts) or None in written:
        return None
    return int("".join(str(digit) for digit in written))


def contradict(labels: Sequence[str], verdicts: Sequence[Verdict]) -> bool:
    """Whether a column says something else than the box above it, or nothing that can be told."""
    return any(_against(label, entry) for label, entry in zip(labels, verdicts, strict=True))


def _against(label: str, entry: Verdict) -> bool:
    if entry.marking is Marking.NONE:
        return False
    expected = int(label) if label in DIGITS else 0
    return entry.digit != expected


def likelihood(verdicts: Sequence[Verdict]) -> NDArray[np.float64]:
    """How well every number 0 .. 10**columns - 1 explains the bubbles; all equal when they say nothing."""
    return reduce(np.multiply.outer, [_column_likelihood(entry) for entry in verdicts]).ravel()


def _column_likelihood(entry: Verdict) -> NDArray[np.float64]:
    if entry.digit is None:
        return np.full(len(DIGITS), 1.0 / len(DIGITS))
    column = np.full(len(DIGITS), entry.slip / (len(DIGITS) - 1))
    column[entry.digit] = 1.0 - entry.slip
    return column
