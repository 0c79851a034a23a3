"""From answers to figures. Pure.

Measured on boxes with a digit in them: how many were answered, how many right, and how many wrong among the surest 90,
95 and 99 % (silent errors). Boxes without a digit (a cross, an overwritten one) count by themselves: a digit read from
them is a silent error too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from firmware.records import DIGITS

COVERAGES = (0.90, 0.95, 0.99)
"""Shares of all digit boxes that are taken as read without asking."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One box, what it holds and what a reader made of it."""

    box: str
    want: str
    got: str | None
    """None: no answer."""
    confidence: float

    @property
    def wrong(self) -> bool:
        """Answered, and not what the box holds."""
        return self.got is not None and self.got != self.want


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one reader over one block of boxes."""

    digits: int
    """Boxes with a digit."""
    answered: int
    right: int
    wrong: tuple[str, ...]
    """Boxes with a digit that were answered wrongly, surest first."""
    silent: dict[str, int | None]
    """Wrong answers at a coverage ("90%"); None where the reader does not answer that many."""
    others: int
    """Boxes without a digit."""
    others_as_digit: int


def score(outcomes: Sequence[Outcome]) -> Score:
    """The figures over all outcomes of one reader. Raises ValueError when no box holds a digit."""
    digits = [outcome for outcome in outcomes if outcome.want in DIGITS]
    if not digits:
        raise ValueError("no box with a digit in it")
    others = [outcome for outcome in outcomes if outcome.want not in DIGITS]
    answered = sorted((one for one in digits if one.got is not None), key=lambda one: -one.confidence)
    return Score(
        digits=len(digits),
        answered=len(answered),
        right=sum(not one.wrong for one in answered),
        wrong=tuple(one.box for one in answered if one.wrong),
        silent={f"{part:.0%}": _silent(answered, math.ceil(part * len(digits))) for part in COVERAGES},
        others=len(others),
        others_as_digit=sum(one.got in DIGITS for one in others),
    )


def _silent(surest_first: Sequence[Outcome], needed: int) -> int | None:
    """Wrong ones among the `needed` surest, and all that are as sure as the last of them; None when there are fewer."""
    if len(surest_first) < needed:
        return None
    threshold = surest_first[needed - 1].confidence
    return sum(one.wrong for one in surest_first if one.confidence >= threshold)


def milliseconds(seconds: Sequence[float]) -> float:
    """The median time of a cell: a rare slow one does not count."""
    return statistics.median(seconds) * 1000
