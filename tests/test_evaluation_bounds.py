"""Figures of the evaluation promise more than was measured: bounds, curves and calibration against known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.bounds import clopper_pearson, cluster_bootstrap, rate
from tests.evaluation.calibration import calibration
from tests.evaluation.curve import Answer, at_target, curve, without_error

KNOWN = {
    (0, 10): (0.0, 0.3084971),
    (1, 10): (0.0025286, 0.4450161),
    (5, 10): (0.1870860, 0.8129140),
    (10, 10): (0.6915029, 1.0),
    (3, 100): (0.0062299, 0.0851761),
    (50, 100): (0.3983211, 0.6016789),
}
"""From published tables of the exact interval."""


@pytest.mark.parametrize(("count", "of"), KNOWN)
def test_an_exact_bound_is_not_the_published_one(count: int, of: int) -> None:
    assert clopper_pearson(count, of) == pytest.approx(KNOWN[count, of], abs=5e-7)


@pytest.mark.parametrize("of", [1, 7, 586, 30_000])
def test_nothing_went_wrong_and_certainty_is_claimed(of: int) -> None:
    """For no case among n the bound has a closed form: 1 - 0.025 ** (1 / n)."""
    assert clopper_pearson(0, of) == pytest.approx((0.0, 1 - 0.025 ** (1 / of)), rel=1e-9)


@given(st.integers(0, 400), st.integers(1, 400))
def test_hits_and_misses_have_different_bounds(count: int, more: int) -> None:
    of = count + more
    low, high = clopper_pearson(count, of)
    assert low <= count / of <= high
    assert clopper_pearson(of - count, of) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_more_went_wrong_than_was_measured() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        rate(3, 2)


def test_nothing_was_measured() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert rate(0, 0).share == 0.0


def test_errors_of_one_hand_count_as_independent() -> None:
    """Ten errors in one TPS of a hundred say less than one error in each of ten."""
    sizes = np.full(100, 20)
    together, apart = np.zeros(100, np.int64), np.zeros(100, np.int64)
    together[0], apart[:10] = 10, 1
    wide, narrow = cluster_bootstrap(together, sizes), cluster_bootstrap(apart, sizes)
    assert wide[0] < narrow[0] <= 0.005 <= narrow[1] < wide[1]
    assert cluster_bootstrap(apart, sizes) == narrow


def test_the_curve_hides_the_surest_error() -> None:
    answers = [Answer(0.999, True), Answer(0.99, False), Answer(0.98, True), Answer(0.5, True), Answer(None, True)]
    points = {point.threshold: (point.read, point.silent.count) for point in curve(answers)}
    assert points == {0.999: (1, 0), 0.99: (2, 1), 0.98: (3, 1), 0.5: (4, 1)}
    surer, worst = without_error(answers)
    assert (surer.count, surer.of, worst) == (1, 5, 0.99)


def test_equal_confidences_are_told_apart() -> None:
    """A threshold cannot pick the right one of two answers that are equally sure, whichever comes first."""
    answers = [Answer(0.9, True), Answer(0.9, False)]
    for order in (answers, answers[::-1]):
        (point,) = curve(order)
        assert (point.read, point.silent.count) == (2, 1)
        assert at_target([point]) is None


def test_a_long_curve_loses_its_errors_when_it_is_thinned() -> None:
    answers = [Answer(1 - index / 10_000, index % 1000 != 999) for index in range(10_000)]
    points = curve(answers)
    assert len(points) < 300
    assert {point.silent.count for point in points} == set(range(11))
    assert next(point.read for point in points if point.silent.count == 1) == 1000
    target = at_target(points)
    assert target is not None and (target.read, target.silent.count) == (1999, 1)


def test_certainty_is_stated_and_not_kept() -> None:
    assert calibration([0.8] * 150, [True, True, False, True, True] * 30).error == pytest.approx(0.0)
    sure = calibration([0.99] * 30, [True, False] * 15)
    assert sure.error == pytest.approx(0.49)
    assert [entry.right.of for entry in sure.bins] == [2] * 15
    assert calibration([], []).bins == ()
