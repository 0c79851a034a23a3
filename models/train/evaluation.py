"""Figures: accuracy by class, confusion, calibration error, share accepted without an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.records import LABELS

BINS = 15
"""Equal-count bins of the calibration error."""


@dataclass(frozen=True)
class Result:
    """Probabilities of shape (n, len(LABELS)), true label indices and names of n cells."""

    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def guess(self) -> NDArray[np.int64]:
        """The most probable label of each cell."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Its probability."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Cells whose label is not the true one."""
        return self.guess != self.truth

    @property
    def dangerous(self) -> NDArray[np.bool_]:
        """Wrong cells that do not ask: anything but 'unclear' was said."""
        return self.wrong & (self.guess != LABELS.index("unclear"))


def accuracy_by_class(result: Result) -> dict[str, dict[str, int]]:
    """Cells and right ones for every label that occurs."""
    table = {}
    for index, label in enumerate(LABELS):
        of_class = result.truth == index
        if of_class.any():
            table[label] = {"cells": int(of_class.sum()), "right": int((of_class & ~result.wrong).sum())}
    return table


def confusion(result: Result) -> list[str]:
    """Every confusion as "true>read: count"."""
    pairs: dict[tuple[int, int], int] = {}
    for truth, guess in zip(result.truth[result.wrong], result.guess[result.wrong], strict=True):
        pairs[(int(truth), int(guess))] = pairs.get((int(truth), int(guess)), 0) + 1
    return [f"{LABELS[truth]}>{LABELS[guess]}: {count}" for (truth, guess), count in sorted(pairs.items())]


def accepted_without_error(result: Result) -> tuple[float, float]:
    """Share of cells above the most confident dangerous error, and that error's confidence (0 without any)."""
    limit = float(result.confidence[result.dangerous].max(initial=0.0))
    accepted = (result.confidence > limit) & (result.guess != LABELS.index("unclear"))
    return float(accepted.mean()), limit


def calibration_error(result: Result) -> float:
    """Expected calibration error of the most probable label, equal-count bins."""
    order = np.argsort(result.confidence)
    parts = np.array_split(order, BINS)
    right = ~result.wrong
    gaps = [abs(right[part].mean() - result.confidence[part].mean()) * len(part) for part in parts if len(part)]
    return float(sum(gaps) / len(order))


def at_threshold(result: Result, threshold: float) -> dict[str, int]:
    """What happens when cells are accepted from `threshold` on."""
    accepted = (result.confidence >= threshold) & (result.guess != LABELS.index("unclear"))
    return {"accepted": int(accepted.sum()), "accepted_wrong": int((accepted & result.wrong).sum())}


def summary(result: Result, threshold: float) -> dict[str, Any]:
    """All figures of one evaluation, for the manifest."""
    share, limit = accepted_without_error(result)
    return {
        "cells": len(result.truth),
        "right": int((~result.wrong).sum()),
        "accuracy": round(float((~result.wrong).mean()), 5),
        "by_class": accuracy_by_class(result),
        "confusion": confusion(result),
        "errors": [
            f"{result.names[i]}: {LABELS[result.truth[i]]} read {LABELS[result.guess[i]]} at {result.confidence[i]:.4f}"
            for i in np.flatnonzero(result.wrong)[:40]
        ],
        "accepted_at_zero_errors": round(share, 5),
        "most_confident_error": round(limit, 5),
        "calibration_error": round(calibration_error(result), 5),
        "at_accept_digit": at_threshold(result, threshold),
    }
