"""Joint decoding: the posterior of every field given all boxes, all witnesses and the form's arithmetic. Pure, exact.

Each field has the numbers that its own picture leaves open, and two states more: MISREAD, another number than those,
and NONE, nothing that can be read as a number. Sums are evidence and never a command, because real forms break them:
the weight of a combination that breaks a sum is small, not zero. Sum-product over this graph is exact (elimination.py).

What is written and what was meant may differ: sums speak of what was meant. Between 254 and 264 in a doubtful box they
say which number was meant, and a writer who slipped wrote the other one.

A sum also fits by chance on numbers that were misread: one writer's 1 that looks like a 7 makes 748 + 5 = 753 hold, but
148 + 5 = 153 as well. How likely that is depends on the digits that both sides share, place by place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware.tally.elimination import Factor, largest_table, marginals
from firmware.tally.equations import Equation, agreement, missing
from firmware.tally.grammar import Distribution

SLIPPED = 0.02
"""Probability that a number on paper is not the one that its sums need: one form in five breaks a sum, often by one
number that then disagrees with all of them together; three times that, to be cautious."""
ONE_DIGIT = 0.5 / 27
"""Share of such slips that are one certain wrong digit in three: half of all, evenly; cautious, not measured."""

REPEATED = 0.3
"""Probability that a misread digit is misread alike where the writer wrote it again; cautious, not measured."""
CHANCE = 0.005
"""Probability that a sum fits on a misread number otherwise; a random number would fit one time in a thousand."""

LEAST_MASS = 1e-3
"""Numbers less probable than this by their picture are not told apart: they count as MISREAD."""
MOST_NUMBERS = 16
"""Numbers of one field that are told apart; the rest count as MISREAD."""
LARGEST_TABLE = 500_000
"""Entries (8 bytes each) of the largest table: when pictures leave too much open, fewer numbers are told apart."""
LONGEST_SUM = 3
"""Fields on one side of a sum that are joined in one table; longer sums are added up step by step."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of one field after everything was looked at."""

    numbers: Mapping[int, float]
    """Probability of each number that the picture leaves open."""
    another: float
    """Probability that it is another number, or none."""


@dataclass(frozen=True, slots=True)
class _Domain:
    """The values of one variable: its numbers, then MISREAD, then NONE."""

    numbers: NDArray[np.int64]
    weights: NDArray[np.float64]
    """Two longer than `numbers`."""


def posteriors(fields: Mapping[str, Distribution], equations: Sequence[Equation]) -> dict[str, Posterior]:
    """The posterior of every field. Equations over fields that are not there are left out."""
    known = [entry for entry in equations if all(name in fields for name in entry[0] + entry[1])]
    domains = _domains(fields, known)
    factors = [Factor((name,), _meant(domain)) for name, domain in domains.items()]
    for number, equation in enumerate(known):
        factors += _of_equation(equation, domains, f"{number}")
    found = marginals(factors)
    return {name: _posterior(domains[name], found[name]) for name in fields}


def _domains(fields: Mapping[str, Distribution], equations: Sequence[Equation]) -> dict[str, _Domain]:
    """As many numbers as the tables can hold."""
    most = MOST_NUMBERS
    scopes = [(name,) for name in fields] + [left + right for left, right, _ in equations if _is_short(left, right)]
    while True:
        domains = {name: _domain(entry, most) for name, entry in fields.items()}
        sizes = {name: domain.weights.size for name, domain in domains.items()}
        if most <= 1 or largest_table(scopes, sizes) <= LARGEST_TABLE:
            return domains
        most //= 2


def _domain(picture: Distribution, most: int) -> _Domain:
    order = np.argsort(-picture.numbers, kind="stable")[:most]
    numbers = np.sort(order[picture.numbers[order] >= LEAST_MASS])
    weights = picture.numbers[numbers]
    misread = max(0.0, float(picture.numbers.sum() - weights.sum()))
    return _Domain(numbers.astype(np.int64), np.append(weights, (misread, picture.empty + picture.other)))


def _slips(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shape (written, meant): probability of writing one number of the domain where another was meant."""
    places = 10 ** np.arange(4)
    digits = numbers[:, None] // places % 10
    wrong = (digits[:, None] != digits[None, :]).sum(axis=2)
    slips = SLIPPED * np.where(wrong == 1, ONE_DIGIT, missing(np.abs(numbers[:, None] - numbers[None, :])))
    return np.where(wrong == 0, 1.0 - SLIPPED, slips)


def _meant(domain: _Domain) -> NDArray[np.float64]:
    """The weights of what was meant, given what the picture shows."""
    return np.append(domain.weights[:-2] @ _slips(domain.numbers), domain.weights[-2:])


def _posterior(domain: _Domain, meant: NDArray[np.float64]) -> Posterior:
    """Back from what was meant to what is written."""
    written = domain.weights[:-2] * (_slips(domain.numbers) @ (meant[:-2] / _meant(domain)[:-2]))
    numbers = {int(number): float(mass) for number, mass in zip(domain.numbers, written, strict=True)}
    return Posterior(numbers, float(meant[-2:].sum()))


# --- one equation as factors


def _is_short(left: Sequence[str], right: Sequence[str]) -> bool:
    return len(left) <= LONGEST_SUM and len(right) <= LONGEST_SUM


def _of_equation(equation: Equation, domains: Mapping[str, _Domain], prefix: str) -> list[Factor]:
    """One table for a short equation; for a long one, partial sums step by step, each a variable of its own."""
    left, right, tolerance = equation
    chances = {name: _chance(name, equation, domains) for name in left + right}
    local, steps = dict(domains), list[Factor]()
    left, right = (_added_up(side, local, chances, steps, f"{prefix}.{i}") for i, side in enumerate((left, right)))
    return [*steps, _held(left, right, tolerance, local, chances)]


def _held(
    left: Sequence[str],
    right: Sequence[str],
    tolerance: int,
    domains: Mapping[str, _Domain],
    chances: Mapping[str, float],
) -> Factor:
    """How well every combination of values agrees with an equation that people may have broken."""
    names = tuple(dict.fromkeys((*left, *right)))
    shape = [domains[name].weights.size for name in names]
    difference, misread, none = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.bool_)
    for axis, name in enumerate(names):
        domain = domains[name]
        along = [-1 if other == axis else 1 for other in range(len(names))]
        sign = left.count(name) - right.count(name)
        states = np.arange(domain.weights.size).reshape(along)
        difference = difference + sign * np.append(domain.numbers, (0, 0)).reshape(along)
        misread = np.maximum(misread, np.where(states == domain.numbers.size, chances[name], 0.0))
        none = none | (states == domain.numbers.size + 1)
    weights = agreement(np.maximum(np.abs(difference) - tolerance, 0))
    return Factor(names, np.where(none, CHANCE, np.where(misread > 0, misread, weights)))


def _added_up(
    side: tuple[str, ...],
    domains: dict[str, _Domain],
    chances: dict[str, float],
    steps: list[Factor],
    prefix: str,
) -> tuple[str, ...]:
    """A side of at most LONGEST_SUM fields as it is; a longer one as one variable that holds its sum."""
    if len(side) <= LONGEST_SUM:
        return side
    total = side[0]
    for number, name in enumerate(side[1:]):
        before, entry, after = domains[total], domains[name], f"{prefix}.{number}"
        domains[after], table = _plus(before, entry)
        steps.append(Factor((total, name, after), table))
        chances[after] = max(chances[total], chances[name])
        total = after
    return (total,)


def _plus(first: _Domain, second: _Domain) -> tuple[_Domain, NDArray[np.float64]]:
    """The domain of a sum (the most probable MOST_NUMBERS squared of its values) and the table that ties it."""
    sums = first.numbers[:, None] + second.numbers[None, :]
    values, places = np.unique(sums, return_inverse=True)
    mass = np.bincount(places.ravel(), np.outer(first.weights[:-2], second.weights[:-2]).ravel(), len(values))
    kept = np.sort(np.argsort(-mass, kind="stable")[: MOST_NUMBERS**2])
    numbers = values[kept]
    table = np.zeros((first.weights.size, second.weights.size, numbers.size + 2))
    table[:-2, :-2, :-2] = sums[:, :, None] == numbers[None, None, :]
    table[-1, :, -1] = table[:, -1, -1] = 1.0
    table[:, :, -2] = table.sum(axis=2) == 0
    return _Domain(numbers, np.append(mass[kept], (0.0, 0.0))), table


def _chance(name: str, equation: Equation, domains: Mapping[str, _Domain]) -> float:
    """Probability that the equation fits although this field was misread.

    A misreading cancels where the other side has the same digit in the same place and it was misread alike.
    """
    left, right, _ = equation
    mine = _most_probable(domains[name])
    others = [_most_probable(domains[other]) for other in (right if name in left else left) if other != name]
    places = range(len(str(mine)))
    shared = sum(any(_digit(mine, place) == _digit(other, place) for other in others) for place in places)
    return CHANCE + REPEATED * shared / len(places)


def _most_probable(domain: _Domain) -> int:
    return int(domain.numbers[int(np.argmax(domain.weights[:-2]))]) if domain.numbers.size else 0


def _digit(number: int, place: int) -> int | None:
    """The digit at 10 ** place; None above the number's own digits."""
    text = str(number)[::-1]
    return int(text[place]) if place < len(text) else None
