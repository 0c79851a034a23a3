"""The exact rules of a form as equations, and how people break them on paper. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.forms.layout import Rule
from firmware.tally.rules import EXACT_KINDS

BROKEN = 0.03
"""Probability that a sum does not hold on paper. One form in five breaks one of its sums (348 TPS, FORMS.md); of
799,246 published TPS of 2019, VA + VB = VC failed in 4.2 % and C1 + C2 = VA in 1.6 %, errors of entry among them."""

NEAR_SHARE, NEAR = 0.6, 10
HUNDRED_SHARE = 0.05
FAR = 500
"""How far broken sums miss, same source: 6 of 10 by at most 10, the nearer the likelier; one in 20 by exactly 100 (a
carry); the rest anywhere up to 500."""

Equation = tuple[tuple[str, ...], tuple[str, ...], int]
"""sum of the first = sum of the second, within tolerance."""


def equations(rules: Iterable[Rule]) -> list[Equation]:
    """Every exact rule once; "all the same" is a chain of pairs."""
    found: dict[frozenset[frozenset[str]], Equation] = {}
    for equation in (entry for rule in rules for entry in _of(rule)):
        found.setdefault(frozenset(map(frozenset, equation[:2])), equation)
    return list(found.values())


def _of(rule: Rule) -> Iterator[Equation]:
    if rule.warning or rule.kind not in EXACT_KINDS:
        return
    if rule.kind == "equal":
        yield from (((one,), (two,), rule.tolerance) for one, two in pairwise(rule.left))
    else:
        yield rule.left, rule.right, rule.tolerance


def agreement(missed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that an equation on paper misses by this much (votes beyond its tolerance, without sign): 0 holds."""
    return np.asarray(np.where(missed == 0, 1.0 - BROKEN, BROKEN * missing(missed)))


def missing(missed: NDArray[Any]) -> NDArray[np.float64]:
    """Probability that what does not fit misses by this much and to this side (votes, not 0, without sign)."""
    near = np.where(missed <= NEAR, 1.0 / np.maximum(missed, 1), 0.0) / sum(1 / k for k in range(1, NEAR + 1))
    far = (1.0 - NEAR_SHARE - HUNDRED_SHARE) / FAR
    return np.asarray((NEAR_SHARE * near + HUNDRED_SHARE * (missed == 100) + far) / 2)
