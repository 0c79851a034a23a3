"""One field, channel by channel: its boxes decide what can be read, its bubbles and tally strokes are witnesses.

Witnesses are independent of the boxes: each multiplies the probability of every number (Bayes), agreement raises it,
and a witness that says something else is a doubt (H10, H11). No channel is silently preferred. The number in words
will be one more witness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.records import CellReading, Check, Doubt, FieldReading
from firmware.tally import bubbles, grammar, strokes
from firmware.tally.grammar import UNCLEAR, Distribution

MISREAD = 0.0003
"""Probability that a cell is misread however certain the model is: no hand is like those it learnt from. Of the cells
read at 0.95 or more, 2 in 1,396 were wrong on real C1 2019 forms, 0 in 1,178 on held-back 2024 boxes."""

CERTAIN = 0.9
"""Probability from which every box must be certain before the form, not the reading, is said to break the grammar."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What one channel beside the boxes says about a number."""

    rule: str
    doubt: Doubt
    message: str
    likelihood: NDArray[np.float64]
    """Shape (10 ** cells,), sums to 1: how well every number explains it; all equal when it says nothing."""
    number: int | None
    """What it says, when that is clear."""
    columns: tuple[bubbles.Verdict, ...] = ()
    """Where it speaks box by box: what it says of each."""

    def against(self, labels: Sequence[str], value: int | None) -> bool:
        """Whether it says something else than the boxes, taken for `labels` that spell `value`; or, box by box,
        nothing that can be told although something was written."""
        if self.columns:
            return bubbles.contradict(labels, self.columns)
        return None not in (self.number, value) and self.number != value


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """What the picture says about one field, before the rest of the form is looked at."""

    reading: FieldReading
    boxes: Distribution
    """Given its boxes alone."""
    witnesses: tuple[Witness, ...]
    posterior: Distribution
    """Given boxes and witnesses."""

    @property
    def page(self) -> int:
        """The page it stands on."""
        return self.reading.page

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable label of every box, each for itself."""
        return tuple(cell.label for cell in self.reading.cells)


def weigh(reading: FieldReading) -> FieldEvidence:
    """All channels of one field as one distribution."""
    boxes, found = grammar.distribution(reading.cells, MISREAD), witnesses(reading)
    return FieldEvidence(reading, boxes, found, combine(boxes, found))


def witnesses(reading: FieldReading) -> tuple[Witness, ...]:
    """The channels beside the boxes."""
    found = []
    if reading.bubbles:
        verdicts = tuple(bubbles.verdict(column) for column in reading.bubbles)
        likelihood, said = bubbles.likelihood(verdicts), bubbles.number(verdicts)
        found.append(Witness("H11", Doubt.BUBBLES, "rule.bubbles", likelihood, said, verdicts))
    if reading.strokes is not None:
        likelihood = strokes.likelihood(reading.strokes, 10 ** len(reading.cells))
        said = strokes.number(reading.strokes)
        found.append(Witness("H10", Doubt.STROKES, "rule.strokes", likelihood, said))
    return tuple(found)


def combine(boxes: Distribution, others: Sequence[Witness]) -> Distribution:
    """Bayes: boxes and witnesses are independent given the number. One that says nothing changes nothing."""
    numbers, empty, other = boxes.numbers, boxes.empty, boxes.other
    for witness in others:
        unrelated = 1.0 / witness.likelihood.size  # likelihood of any witness when the boxes hold no number
        numbers, empty, other = numbers * witness.likelihood, empty * unrelated, other * unrelated
        total = float(numbers.sum()) + empty + other
        numbers, empty, other = numbers / total, empty / total, other / total
    return Distribution(numbers, empty, other)


def checks(evidence: FieldEvidence, labels: Sequence[str], value: int | None) -> tuple[Check, ...]:
    """H10, H11 and H12 of one field that is taken for `labels`."""
    reading = evidence.reading
    found = (_agrees(reading.field, value, entry, entry.against(labels, value)) for entry in evidence.witnesses)
    return (_spelled(reading.field, reading.cells, value), *found)


def _spelled(field: str, cells: Sequence[CellReading], value: int | None) -> Check:
    certain = all(cell.label != UNCLEAR and cell.confidence >= CERTAIN for cell in cells)
    broken = certain and grammar.doubt([cell.label for cell in cells]) is Doubt.GRAMMAR
    return Check(
        "H12", True if value is not None else (False if broken else None), (field,), False, value, None, "rule.grammar"
    )


def _agrees(field: str, value: int | None, found: Witness, against: bool) -> Check:
    known = found.number is not None and found.number == value
    ok = False if against else (True if known else None)
    return Check(found.rule, ok, (field,), False, value, found.number, found.message)
