"""Exact sum-product over discrete variables: bucket elimination, and back, for the marginal of every variable. Pure.

The graph need not be a tree (the voters of 2019 are a table with sums along rows and columns): variables are summed out
one by one, and what each summation joined becomes a clique of the tree on which the way back runs.
(Dechter 1999, "Bucket elimination"; Koller and Friedman 2009, chapter 10.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A non-negative weight for every combination of values; one axis a variable, in the order of `variables`."""

    variables: tuple[str, ...]
    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class _Clique:
    """What was joined to sum out `variable`, and what was handed on."""

    variable: str
    joined: Factor
    message: Factor
    members: tuple[Factor, ...]


def marginals(factors: Sequence[Factor]) -> dict[str, Table]:
    """The normalised marginal of every variable of `factors`. Raises ValueError when no combination is possible."""
    cliques = _forward(factors)
    parents = {id(member): clique for clique in cliques for member in clique.members}
    beliefs: dict[str, Factor] = {}
    for clique in reversed(cliques):
        parent = parents.get(id(clique.message))
        belief = clique.joined if parent is None else _informed(clique, beliefs[parent.variable])
        beliefs[clique.variable] = _normalised(belief)
    return {name: _onto(belief, (name,)).table for name, belief in beliefs.items()}


def largest_table(scopes: Iterable[tuple[str, ...]], sizes: Mapping[str, int]) -> int:
    """Entries of the largest table that `marginals` will build for factors over these variables."""
    return max((prod(sizes[name] for name in clique) for _, clique in _order(scopes, sizes)), default=0)


def _forward(factors: Sequence[Factor]) -> list[_Clique]:
    sizes = {name: size for factor in factors for name, size in zip(factor.variables, factor.table.shape, strict=True)}
    pool, cliques = list(factors), []
    for name, scope in _order([factor.variables for factor in factors], sizes):
        members = tuple(factor for factor in pool if name in factor.variables)
        joined = Factor(scope, reduce(np.multiply, [_spread(member, scope) for member in members]))
        message = _normalised(_onto(joined, tuple(other for other in scope if other != name)))
        pool = [factor for factor in pool if name not in factor.variables]
        if message.variables:
            pool.append(message)
        cliques.append(_Clique(name, joined, message, members))
    return cliques


def _order(scopes: Iterable[tuple[str, ...]], sizes: Mapping[str, int]) -> list[tuple[str, tuple[str, ...]]]:
    """Greedy: the variable whose clique is smallest goes first, ties by name. Each with its clique's variables."""
    remaining = [frozenset(scope) for scope in scopes]
    order = []
    names = sorted(set().union(*remaining)) if remaining else []
    while names:
        cliques = {name: frozenset().union(*(scope for scope in remaining if name in scope)) for name in names}
        best = min(names, key=lambda name: (prod(sizes[other] for other in cliques[name]), name))
        order.append((best, tuple(sorted(cliques[best]))))
        remaining = [scope for scope in remaining if best not in scope] + [cliques[best] - {best}]
        names.remove(best)
    return order


def _informed(clique: _Clique, above: Factor) -> Factor:
    """The clique's belief: what it joined, and what everything beyond its message knows."""
    known = _onto(above, clique.message.variables).table
    news = np.divide(known, clique.message.table, out=np.zeros_like(known), where=clique.message.table > 0)
    scope = clique.joined.variables
    return Factor(scope, clique.joined.table * _spread(Factor(clique.message.variables, news), scope))


def _spread(factor: Factor, scope: tuple[str, ...]) -> Table:
    """The factor's table with one axis for every variable of `scope`, of length 1 where it has none."""
    order = [factor.variables.index(name) for name in scope if name in factor.variables]
    sizes = dict(zip(factor.variables, factor.table.shape, strict=True))
    return factor.table.transpose(order).reshape([sizes.get(name, 1) for name in scope])


def _onto(factor: Factor, variables: tuple[str, ...]) -> Factor:
    """The factor summed over everything but `variables`, which keep the factor's order."""
    axes = tuple(axis for axis, name in enumerate(factor.variables) if name not in variables)
    kept = tuple(name for name in factor.variables if name in variables)
    return Factor(kept, np.asarray(factor.table.sum(axis=axes), np.float64))


def _normalised(factor: Factor) -> Factor:
    total = float(factor.table.sum())
    if not total > 0:
        raise ValueError("no combination of values is possible")
    return Factor(factor.variables, factor.table / total)
