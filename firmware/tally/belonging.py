"""Whether pictures and pages belong together: judged on what they say, since no TPS identity is machine-printed.

Two pages of one TPS are tied by rules over both (P1: total votes = voters on page 1; H5: candidates = valid votes).
A page that is tied by such rules and breaks them all, in every reading that its picture leaves open, may come from
another TPS. Then nothing of the form is given as sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import FormLayout, Rule
from firmware.tally.channels import FieldEvidence
from firmware.tally.grammar import Distribution
from firmware.tally.rules import EXACT_KINDS

POSSIBLE = 0.01
"""Probability from which a tie may hold. A second reading of a doubtful box has more; between sure boxes that do not
match there is far less."""

LEAST_NUMBER = 0.05
"""Probability that a field holds a number at all, from which its digits say something: one box of three may be unclear,
the other two still tell one TPS from another."""

Tie = tuple[tuple[str, ...], tuple[str, ...], int]
"""sum of the first = sum of the second, within tolerance."""
Evidence = Mapping[str, FieldEvidence]


def foreign_pages(layout: FormLayout, evidence: Evidence) -> tuple[int, ...]:
    """Pages that break every tie they have with other pages; ties over empty or illegible fields say nothing."""
    held: dict[int, bool] = {}
    for tie in ties(layout.rules):
        pages = _pages(tie, evidence)
        possible = len(pages) > 1 and probability(tie, evidence) >= POSSIBLE
        held.update({page: held.get(page, False) or possible for page in pages if len(pages) > 1})
    return tuple(sorted(page for page, ok in held.items() if not ok))


def _pages(tie: Tie, evidence: Evidence) -> set[int]:
    """The pages of a tie; none when one of its fields says nothing."""
    fields = [evidence.get(name) for name in tie[0] + tie[1]]
    read = [entry.page for entry in fields if entry and entry.posterior.numbers.sum() >= LEAST_NUMBER]
    return set(read) if len(read) == len(fields) else set()


def ties(rules: Iterable[Rule]) -> list[Tie]:
    """The exact rules as equations; "all the same" becomes one equation a pair."""
    found: list[Tie] = []
    for rule in rules:
        if rule.warning or rule.kind not in EXACT_KINDS:
            continue
        if rule.kind == "equal":
            found += [((one,), (two,), rule.tolerance) for one, two in combinations(rule.left, 2)]
        else:
            found.append((rule.left, rule.right, rule.tolerance))
    return found


def probability(tie: Tie, evidence: Evidence) -> float:
    """Probability that the equation holds on paper, as far as the pictures tell (its fields are independent)."""
    left, right = _total(tie[0], evidence), _total(tie[1], evidence)
    size = max(left.size, right.size)
    left, right = np.pad(left, (0, size - left.size)), np.pad(right, (0, size - right.size))
    differences = np.convolve(left, right[::-1])
    """Probability of left - right = -(size - 1) ... size - 1."""
    middle = size - 1
    return float(differences[max(0, middle - tie[2]) : middle + tie[2] + 1].sum())


def _total(fields: Sequence[str], evidence: Evidence) -> NDArray[np.float64]:
    """Distribution of the sum, given that every field is a number."""
    numbers = [evidence[name].posterior.numbers for name in fields]
    return reduce(np.convolve, [entry / entry.sum() for entry in numbers])


def same_writing(first: Distribution, second: Distribution) -> bool:
    """Whether two pictures of one field can show the same writing. An unclear one contradicts nothing."""
    unclear = 1.0 - (1.0 - first.other) * (1.0 - second.other)
    return float(first.numbers @ second.numbers) + first.empty * second.empty + unclear >= POSSIBLE
