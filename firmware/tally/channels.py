"""One field, channel by channel: what its boxes say, what its bubbles say, and whether they agree (H11, H12).

The boxes decide what is read. The bubbles are an independent witness: agreement raises the probability of the number,
disagreement is a doubt. Neither is silently preferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware.records import CellReading, Check, Doubt, FieldReading
from firmware.tally import bubbles, grammar
from firmware.tally.grammar import UNCLEAR, Distribution

LEAST = 0.5
"""A number that is more probably wrong than right is no reading: not shown for a tap, and no rule is judged on it."""
CERTAIN = 0.9
"""Probability from which every box must be certain before the form, not the reading, is said to break the grammar."""


@dataclass(frozen=True, slots=True)
class FieldEvidence:
    """What the picture says about one field, before the rest of the form is looked at."""

    field: str
    page: int
    value: int | None
    """The number that the most probable labels of the boxes spell, when it is more probably right than wrong."""
    text: str
    posterior: Distribution
    """Given boxes and bubbles."""
    doubts: tuple[Doubt, ...]
    """Grammar, bubbles, blur; certainty is judged later."""
    cells: tuple[CellReading, ...]
    bubbles: int | None
    """The number the bubbles say."""
    checks: tuple[Check, ...]

    @property
    def confidence(self) -> float:
        """Probability that `value` is what is written; 0 where no number is claimed."""
        return 0.0 if self.value is None else float(self.posterior.numbers[self.value])


def weigh(reading: FieldReading, min_sharpness: float) -> FieldEvidence:
    """All channels of one field."""
    labels = [cell.label for cell in reading.cells]
    spelled, verdicts = grammar.parse(labels), [bubbles.verdict(column) for column in reading.bubbles]
    posterior = combine(grammar.distribution(reading.cells), verdicts)
    value = spelled if spelled is not None and posterior.numbers[spelled] >= LEAST else None
    conflict = bool(verdicts) and bubbles.contradict(labels, verdicts)
    bubbled = bubbles.number(verdicts) if verdicts else None
    doubts = (
        *((grammar.doubt(labels) or Doubt.UNSURE,) if value is None else ()),
        *((Doubt.BUBBLES,) if conflict else ()),
        *((Doubt.BLUR,) if reading.sharpness < min_sharpness else ()),
    )
    return FieldEvidence(
        reading.field,
        reading.page,
        value,
        grammar.text(labels),
        posterior,
        doubts,
        reading.cells,
        bubbled,
        _checks(reading, value, conflict, bubbled),
    )


def combine(boxes: Distribution, verdicts: Sequence[bubbles.Verdict]) -> Distribution:
    """Bayes: boxes and bubbles are independent given the number. Without clear bubbles nothing changes."""
    if not verdicts:
        return boxes
    weights = bubbles.likelihood(verdicts)
    unrelated = 1.0 / weights.size
    """Likelihood of any bubbles when the boxes hold no number."""
    numbers, empty, other = boxes.numbers * weights, boxes.empty * unrelated, boxes.other * unrelated
    total = float(numbers.sum()) + empty + other
    return Distribution(numbers / total, empty / total, other / total)


def _checks(reading: FieldReading, value: int | None, conflict: bool, bubbled: int | None) -> tuple[Check, ...]:
    certain = all(c.label != UNCLEAR and c.confidence >= CERTAIN for c in reading.cells)
    broken = certain and grammar.doubt([c.label for c in reading.cells]) is Doubt.GRAMMAR
    number = True if value is not None else (False if broken else None)
    spelled = Check("H12", number, (reading.field,), False, value, None, "rule.grammar")
    if not reading.bubbles:
        return (spelled,)
    agree = False if conflict else (True if bubbled is not None and bubbled == value else None)
    return spelled, Check("H11", agree, (reading.field,), False, value, bubbled, "rule.bubbles")
