"""Whether 0.99 is right 99 times in 100: bins of equal count and the expected calibration error. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from tests.evaluation.bounds import Rate, rate

BINS = 15
"""Equal-count bins: as many as the literature uses, so that figures compare."""


class Bin(msgspec.Struct, frozen=True):
    """Neighbours in confidence."""

    confidence: float
    """Their mean."""
    right: Rate


class Calibration(msgspec.Struct, frozen=True):
    """The expected calibration error: mean distance of stated and measured probability, weighted by the bins."""

    error: float
    bins: tuple[Bin, ...]


def calibration(confidences: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Over all answers that claim something; without any, no bins and error 0."""
    if not confidences:
        return Calibration(0.0, ())
    order = np.argsort(np.asarray(confidences), kind="stable")
    parts = [part for part in np.array_split(order, BINS) if part.size]
    stated, hit = np.asarray(confidences, float), np.asarray(right, bool)
    bins = tuple(Bin(float(stated[part].mean()), rate(int(hit[part].sum()), int(part.size))) for part in parts)
    error = sum(abs(entry.confidence - entry.right.share) * entry.right.of for entry in bins) / len(confidences)
    return Calibration(error, bins)
