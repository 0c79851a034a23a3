"""Confidence bounds of a share: Clopper-Pearson (exact) and the bootstrap over clusters. Pure."""

from __future__ import annotations

from functools import lru_cache
from math import lgamma

import msgspec
import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""Of every interval here: two-sided, so that each end is missed one time in forty."""
BISECTIONS = 60
"""Halvings of the interval 0..1: below the spacing of double precision near 0.5."""
RESAMPLES = 2000
"""Of the bootstrap: the 2.5 % points then move by less than a tenth of the interval from seed to seed."""
SEED = 20240214


class Rate(msgspec.Struct, frozen=True):
    """`count` of `of`, with exact bounds that take the cases for independent."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """0 of 0 is 0: the bounds, 0 to 1, say that nothing is known."""
        return self.count / self.of if self.of else 0.0


def rate(count: int, of: int) -> Rate:
    """A share with its Clopper-Pearson bounds. Raises ValueError unless 0 <= count <= of."""
    low, high = clopper_pearson(count, of)
    return Rate(count, of, low, high)


@lru_cache(maxsize=100_000)
def clopper_pearson(count: int, of: int) -> tuple[float, float]:
    """The exact interval of a binomial share; (0, 1) for 0 of 0."""
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of}")
    return 1.0 - _upper(of - count, of), _upper(count, of)


def _upper(count: int, of: int) -> float:
    """The share at which `count` or fewer of `of` have half of what LEVEL leaves open."""
    if count == of:
        return 1.0
    few = 2 * count < of  # the shorter tail is summed: hits up to `count`, or misses fewer than it leaves
    chosen = np.arange(count + 1 if few else of - count)
    ways = np.array([lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) for k in chosen])
    low, high = count / of, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        drawn, other = (middle, 1 - middle) if few else (1 - middle, middle)
        summed = float(np.exp(ways + chosen * np.log(drawn) + (of - chosen) * np.log(other)).sum())
        tail = summed if few else 1.0 - summed
        low, high = (middle, high) if tail > (1 - LEVEL) / 2 else (low, middle)
    return (low + high) / 2


def cluster_bootstrap(counts: NDArray[np.int64], sizes: NDArray[np.int64], seed: int = SEED) -> tuple[float, float]:
    """Bounds of sum(counts) / sum(sizes) when whole clusters are drawn again; both of shape (clusters,).

    What is written by one hand or photographed at once goes wrong together. With no count at all it says 0 to 0:
    then the exact bound on clusters must speak.
    """
    if not sizes.sum():
        return 0.0, 1.0
    draws = np.random.default_rng(seed).multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size), RESAMPLES)
    totals = draws @ sizes
    shares = (draws @ counts)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
