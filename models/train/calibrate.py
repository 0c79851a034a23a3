"""Calibration: one temperature and one acceptance threshold, both chosen on cells that training never saw."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from firmware.digit_model.normalise import batch
from firmware.records import LABELS
from models.train.evaluation import Result
from models.train.network import DigitNet
from models.train.pool import Pool

WEIGHTS = (0.4, 0.3, 0.3)
"""Weights of the real validation boxes, the synthetic validation pool and the foreign hands, which no network saw."""

ACCEPT_MINIMUM = 0.95
"""The threshold is never lower, however good the validation block looks: it is small."""

UNCLEAR_IN_LIFE = 0.005
"""Share of boxes that no one can read: 0.2 % of the 2024 boxes, 0.5 % of the cells of filled 2019 forms. The pool holds
far more of them, so that they are learnt."""

TEMPERATURES = np.geomspace(0.3, 3.0, 240)


def logits_of(net: DigitNet, cells: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logits of many cells, shape (n, len(LABELS))."""
    with torch.inference_mode():
        parts = [net(torch.from_numpy(batch(list(part)))) for part in np.array_split(cells, max(1, len(cells) // 512))]
    return torch.cat(parts).double().numpy()


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _loss(logits: NDArray[np.float64], truth: NDArray[np.int64], temperature: float) -> float:
    chosen = probabilities(logits / temperature)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def move_unclear_prior(net: DigitNet, before: float, after: float) -> None:
    """Moves the network from one share of unclear cells to another, such as that of life (Bayes: one logit shifts)."""
    with torch.no_grad():
        net.head[-1].bias[LABELS.index("unclear")] += math.log(after / before)


def fit_temperature(net: DigitNet, blocks: tuple[Pool, Pool, Pool]) -> float:
    """The temperature with the lowest log loss on the three blocks of WEIGHTS; it is stored in the network."""
    seen = [(logits_of(net, cells), truth) for cells, truth in blocks]
    losses = [
        sum(weight * _loss(logits, truth, t) for weight, (logits, truth) in zip(WEIGHTS, seen, strict=True))
        for t in TEMPERATURES
    ]
    best = float(TEMPERATURES[int(np.argmin(losses))])
    net.temperature.fill_(best)
    return best


def choose_threshold(result: Result) -> float:
    """Half way between the most confident dangerous error of the validation block and certainty."""
    worst = float(result.confidence[result.dangerous].max(initial=0.0))
    return round(max(ACCEPT_MINIMUM, 1 - (1 - worst) / 2), 4)
