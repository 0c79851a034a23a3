"""Training: batches of real boxes and pool cells, augmented anew each time, bfloat16 on the processor."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from firmware.digit_model import framing, normalise
from firmware.records import LABELS, Gray
from models.train import augment
from models.train.data import Box
from models.train.network import DigitNet
from models.train.pool import Pool

BATCH = 256
REAL_SHARE = 0.3
"""Share of every batch that is real boxes."""

WHOLE_SHARE = 0.2
"""Share of real boxes shown as the whole crop instead of framed: the border is not always found."""

PEAK_RATE = 3e-3
AGAIN_RATE = 1.5e-3
"""Peak of the learning rate for a network that was trained before."""

WEIGHT_DECAY = 2e-3
AVERAGE_FROM = 0.7
"""Part of the training after which the weights are averaged for the final network."""

QUEUE = 24


@dataclass(frozen=True)
class Real:
    """Framed and whole colour crops of the real training boxes at the model's size, and their labels."""

    framed: list[NDArray[np.uint8]]
    whole: list[NDArray[np.uint8]]
    labels: NDArray[np.int64]


def prepare(boxes: Sequence[Box]) -> Real:
    """Real boxes that have a label, framed once."""
    used = [box for box in boxes if box.label is not None]
    framed = [np.dstack([framing.frame_like(box.bgr, box.bgr[..., c]) for c in range(3)]) for box in used]
    whole = [np.asarray(cv2.resize(box.bgr, (48, 48), interpolation=cv2.INTER_AREA), np.uint8) for box in used]
    return Real(framed, whole, np.array([LABELS.index(str(box.label)) for box in used]))


def _real_cell(rng: np.random.Generator, real: Real, balance: NDArray[np.float64]) -> tuple[Gray, int]:
    index = int(np.searchsorted(balance, rng.random()))
    pictures = real.whole if rng.random() < WHOLE_SHARE else real.framed
    gray = augment.to_grey(rng, pictures[index])
    return augment.augment(rng, gray, augment.REAL_STRENGTH), int(real.labels[index])


def _batches(real: Real, pool: Pool, steps: int, seed: int, out: queue.Queue[tuple[Tensor, Tensor]]) -> None:
    counts = np.bincount(real.labels, minlength=len(LABELS)).astype(float)
    weights = 1.0 / np.maximum(counts[real.labels], 60.0)
    balance = np.cumsum(weights) / weights.sum()
    cells, labels = pool
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        chosen = rng.integers(0, len(labels), BATCH - int(BATCH * REAL_SHARE))
        pairs = [(augment.augment(rng, cells[i], augment.POOL_STRENGTH), int(labels[i])) for i in chosen]
        pairs += [_real_cell(rng, real, balance) for _ in range(BATCH - len(chosen))]
        inputs = torch.from_numpy(normalise.batch([cell for cell, _ in pairs]))
        out.put((inputs.contiguous(memory_format=torch.channels_last), torch.tensor([label for _, label in pairs])))


def train(real: Real, pool: Pool, steps: int, seed: int, start: DigitNet | None = None) -> DigitNet:
    """A trained network in evaluation mode, from random weights or from `start`; prints a line every 200 steps."""
    torch.manual_seed(seed)
    cv2.setNumThreads(1)  # its threads would fight with torch's for the same cores
    net = (start or DigitNet()).train().to(memory_format=torch.channels_last)
    peak = AGAIN_RATE if start else PEAK_RATE
    ready: queue.Queue[tuple[Tensor, Tensor]] = queue.Queue(QUEUE)
    threading.Thread(target=_batches, args=(real, pool, steps, seed, ready), daemon=True).start()
    optimiser = torch.optim.AdamW(net.parameters(), lr=peak, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=steps, pct_start=0.1)
    loss_of = nn.CrossEntropyLoss()
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    started, running = time.monotonic(), 0.0
    for step in range(steps):
        inputs, labels = ready.get()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(inputs)
        loss = loss_of(logits.float(), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step >= AVERAGE_FROM * steps:
            average.update_parameters(net)
        running = 0.98 * running + 0.02 * float(loss.detach()) if step else float(loss.detach())
        if step % 200 == 199:
            rate = (step + 1) * BATCH / (time.monotonic() - started)
            print(f"step {step + 1}/{steps} loss {running:.4f} {rate:.0f} cells/s", flush=True)
    final = average.module
    assert isinstance(final, DigitNet)
    return final.eval()
