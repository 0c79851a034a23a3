"""Asking against silent errors: what happens at every threshold on the confidence. Pure.

A threshold asks about everything below it. What is asked whatever the threshold is (a number that was not read, a
failed rule, bubbles that disagree) is given as confidence None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from tests.evaluation.bounds import Rate, rate

STEPS = 200
"""Points of a curve beside those where an error comes in."""
TARGET = 1e-4
"""Silent errors a field that the kiosk may make."""


class Answer(msgspec.Struct, frozen=True):
    """One field or cell."""

    confidence: float | None
    right: bool


class Point(msgspec.Struct, frozen=True):
    """Everything from `threshold` on is read without asking."""

    threshold: float
    read: int
    """How many that is; of `silent.of`."""
    silent: Rate
    """Of all, asked or not."""


def curve(answers: Sequence[Answer]) -> tuple[Point, ...]:
    """From the surest answer on; thinned, but every threshold that lets an error in is kept, and the one before it."""
    every = list(_thresholds(answers))
    kept = []
    for index, (confidence, read, wrong) in enumerate(every):
        before, after = every[max(index - 1, 0)], every[min(index + 1, len(every) - 1)]
        step = read * STEPS // len(answers) != before[1] * STEPS // len(answers)
        if step or before[2] != wrong or after[2] != wrong or index in (0, len(every) - 1):
            kept.append(Point(confidence, read, rate(wrong, len(answers))))
    return tuple(kept)


def _thresholds(answers: Sequence[Answer]) -> Iterator[tuple[float, int, int]]:
    """Every threshold with how many are read and how many of them are wrong; equal confidences come together."""
    open_ones = sorted(((a.confidence, a.right) for a in answers if a.confidence is not None), reverse=True)
    read = wrong = 0
    for confidence, group in groupby(open_ones, key=itemgetter(0)):
        right = [hit for _, hit in group]
        read, wrong = read + len(right), wrong + right.count(False)
        yield confidence, read, wrong


def without_error(answers: Sequence[Answer]) -> tuple[Rate, float]:
    """How many are surer than the surest error, and that error's confidence (0 without any)."""
    worst = max((a.confidence for a in answers if a.confidence is not None and not a.right), default=0.0)
    surer = sum(a.confidence is not None and a.confidence > worst for a in answers)
    return rate(surer, len(answers)), worst


def at_target(points: Sequence[Point], target: float = TARGET) -> Point | None:
    """The point with most read whose measured share of silent errors is within `target`; None when none is."""
    within = [point for point in points if point.silent.share <= target]
    return max(within, key=lambda point: point.read, default=None)
