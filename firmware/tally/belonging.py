"""Whether pictures and pages belong together: judged on what they say, since no TPS identity is machine-printed.

Two pages of one TPS are tied by rules over both (P1: total votes = voters on page 1; H5: candidates = valid votes).
A tie that misses by a little is a sum that somebody broke; one that misses by any odd number may be a page of another
TPS. Then nothing of the form is given as sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import FormLayout
from firmware.tally.channels import FieldEvidence
from firmware.tally.equations import Equation, agreement, equations
from firmware.tally.grammar import Distribution

FOREIGN = 0.005
"""Probability that a page is of another TPS before its numbers are looked at: a slip of tired people, not measured."""
SPREAD = 300
"""Votes. Numbers of another TPS miss by anything up to this, either way."""
SUSPECT = 0.02
"""Probability of being of another TPS from which everything is asked."""

POSSIBLE = 0.01
"""Probability from which two pictures of one field may show the same writing."""

LEAST_NUMBER = 0.05
"""Probability that a field holds a number at all, from which its digits say something: one box of three may be unclear,
the other two still tell one TPS from another."""

Evidence = Mapping[str, FieldEvidence]


def foreign_pages(layout: FormLayout, evidence: Evidence) -> tuple[int, ...]:
    """Pages that are suspect by their ties with other pages; ties over empty or illegible fields say nothing.

    A page is as foreign as its ties together say (Bayes, each tie for itself).
    """
    odds: dict[int, float] = {}
    for tie in equations(layout.rules):
        pages = _pages(tie, evidence)
        if len(pages) > 1:
            ratio = _ratio(tie, evidence)
            odds.update({page: odds.get(page, FOREIGN / (1.0 - FOREIGN)) * ratio for page in pages})
    return tuple(sorted(page for page, entry in odds.items() if entry / (1.0 + entry) >= SUSPECT))


def _pages(tie: Equation, evidence: Evidence) -> set[int]:
    """The pages of a tie; none when one of its fields says nothing."""
    fields = [evidence.get(name) for name in tie[0] + tie[1]]
    read = [entry.page for entry in fields if entry and entry.posterior.numbers.sum() >= LEAST_NUMBER]
    return set(read) if len(read) == len(fields) else set()


def _ratio(tie: Equation, evidence: Evidence) -> float:
    """How much better "another TPS" explains what the tie's fields show than "the same TPS" does."""
    left, right = _total(tie[0], evidence), _total(tie[1], evidence)
    size = max(left.size, right.size)
    left, right = np.pad(left, (0, size - left.size)), np.pad(right, (0, size - right.size))
    misses = np.abs(np.arange(1 - size, size))
    probabilities = np.convolve(left, right[::-1])
    same = probabilities @ agreement(np.maximum(misses - tie[2], 0).astype(np.float64))
    other = probabilities @ np.where(misses <= SPREAD, 1.0 / (2 * SPREAD + 1), 0.0)
    return float(other / same)


def _total(fields: Sequence[str], evidence: Evidence) -> NDArray[np.float64]:
    """Distribution of the sum, given that every field is a number."""
    numbers = [evidence[name].posterior.numbers for name in fields]
    return reduce(np.convolve, [entry / entry.sum() for entry in numbers])


def same_writing(first: Distribution, second: Distribution) -> bool:
    """Whether two pictures of one field can show the same writing. An unclear one contradicts nothing."""
    unclear = 1.0 - (1.0 - first.other) * (1.0 - second.other)
    return float(first.numbers @ second.numbers) + first.empty * second.empty + unclear >= POSSIBLE
