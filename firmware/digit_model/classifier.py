"""Cell pictures to calibrated readings. The only user of onnxruntime.

One cell is run at a time on one thread: the same picture gives the same bits, whatever was read beside it.
A doubtful cell is looked at again, a little smaller and a little larger, and the looks are averaged.

The runtime as published tells its maker which models it runs, unless it is told not to before it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from firmware.digit_model import manifest as manifests
from firmware.digit_model.manifest import Manifest
from firmware.digit_model.normalise import batch, magnified
from firmware.errors import ModelRefused
from firmware.records import LABELS, CellReading, Gray

LOOK_AGAIN_BELOW = 0.995
"""Confidence of the first look from which there is no other: 93 in 100 real boxes, 72 in 100 cells of 2019 forms."""

LOOKS = (0.91, 1.1)
"""Magnifications of the further looks. On cells that were not trained on, the average has a lower log loss."""

NEVER = 2.0
"""More than any probability."""


class DigitModel:
    """A loaded model whose digest matched its manifest."""

    def __init__(self, manifest: Manifest, session: onnxruntime.InferenceSession) -> None:
        self.manifest = manifest
        self._session = session

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> DigitModel:
        """The model in `folder` (digits.json and the file it names). Raises ModelRefused, see manifest.load."""
        manifest, data = manifests.load(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        if names != [manifest.input.name]:
            raise ModelRefused("model-manifest", problem="input")
        return cls(manifest, session)

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal SHA-256 of the model file, as it goes into the record."""
        return self.manifest.sha256

    @property
    def accept_digit(self) -> float:
        """Confidence from which a single cell needs no question."""
        return self.manifest.accept_digit

    @property
    def accept_number(self) -> float:
        """Posterior from which a whole number needs no question; out of reach when none was measured for this model."""
        return NEVER if self.manifest.numbers is None else self.manifest.numbers.accept

    def read(self, cells: Sequence[Gray]) -> list[CellReading]:
        """One reading a cell, in the order given. Raises ValueError for a cell of another shape or type."""
        return [self._reading(cell) for cell in cells]

    def _reading(self, cell: Gray) -> CellReading:
        first = self._logits(cell)
        reading = _softmax(first)
        if reading.confidence >= LOOK_AGAIN_BELOW:
            return reading
        return _softmax(np.mean([first, *(self._logits(magnified(cell, factor)) for factor in LOOKS)], axis=0))

    def _logits(self, cell: Gray) -> NDArray[np.float64]:
        logits = np.asarray(self._session.run(None, {self.manifest.input.name: batch([cell])})[0], np.float64)[0]
        if logits.shape != (len(LABELS),) or not np.isfinite(logits).all():
            raise ModelRefused("model-manifest", problem="output")
        return np.asarray(logits)


def _softmax(logits: NDArray[np.float64]) -> CellReading:
    odds = np.exp(logits - logits.max())
    return CellReading(tuple(float(value) for value in odds / odds.sum()))
