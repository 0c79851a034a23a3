"""The threshold from which a number is read without asking."""

from __future__ import annotations

from firmware.digit_model.manifest import Point
from tests.evaluation.choose import THRESHOLDS, chosen, measured
from tests.evaluation.seen import Field


def field(confidence: float, right: bool = True, doubts: tuple[str, ...] = ()) -> Field:
    return Field("one", 1, 20, 20 if right else 27, "X20", confidence, "review" if doubts else "read", doubts)


def curve(silent: tuple[int, ...], promised: tuple[float, ...]) -> tuple[Point, ...]:
    return tuple(Point(0.9 + 0.01 * i, 100, s, p) for i, (s, p) in enumerate(zip(silent, promised, strict=True)))


def test_an_error_above_a_threshold_is_overlooked() -> None:
    """Nothing is silent at the second threshold, but the posteriors promise more errors than allowed there."""
    points = curve((2, 0, 0), (3.0, 1.5, 0.4))
    assert chosen(points, 10_000, 1e-4) == points[2].threshold
    assert chosen(points, 20_000, 1e-4) == points[1].threshold


def test_an_error_is_surer_than_the_threshold_below_it() -> None:
    points = curve((2, 0, 2), (0.1, 0.1, 0.1))
    assert chosen(points, 10_000, 1e-4) == points[-1].threshold


def test_a_failed_rule_is_counted_as_read() -> None:
    seen = [
        field(0.9999),
        field(0.99995, right=False),
        field(0.99999, doubts=("rule",)),
        field(0.2, doubts=("unsure",)),
    ]
    last = measured(seen)[-1]
    assert (last.threshold, last.read, last.silent) == (THRESHOLDS[-1], 2, 1)
