"""Reads one set of pictures and says what it took: `python -m tests.bench.measure FOLDER FORM`, printed as JSON.

The process does nothing but read, so its peak memory is that of the kiosk's reading. Times are processor time of one
thread, which other work on the machine hardly moves, and are given as multiples of decoding the same JPEGs to colour
in the same run. A stage's time is its own: what it calls that is a stage too is not counted twice.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import cv2
import numpy as np

from firmware import reading
from firmware.capture import page, search
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model import classifier
from firmware.forms.loader import shipped_layouts
from firmware.records import Frame, Page

REPEATS = 7
"""Runs of which the quickest counts: what disturbs a run only ever adds to it."""
Stage = tuple[str, Any, str]
STAGES: tuple[Stage, ...] = (
    ("decode", page, "decode_page"),
    ("recognise", page, "find_page"),
    ("register", search, "register"),
    ("cells", page, "_page"),
    ("model", classifier.DigitModel, "read"),
    ("tally", reading, "_read"),
)
"""Name, and where the function is looked up. 'tally' holds bubbles, strokes, joint decoding and the rules."""

Result = TypeVar("Result")


class Stopwatch:
    """Own time of each stage, in seconds of processor time."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed(self, stage: str, work: Callable[..., Result]) -> Callable[..., Result]:
        """`work`, whose own time is added to the stage."""

        def run(*args: Any, **options: Any) -> Result:
            start = time.process_time()
            self._inner.append(0.0)
            try:
                return work(*args, **options)
            finally:
                spent = time.process_time() - start
                self.seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return run

    @contextmanager
    def watching(self, stages: Sequence[Stage] = STAGES) -> Iterator[None]:
        """Every stage is timed inside."""
        with ExitStack() as stack:
            for stage, place, name in stages:
                stack.enter_context(patch.object(place, name, self.timed(stage, getattr(place, name))))
            yield


def _seconds(work: Callable[[], object]) -> float:
    """Processor time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def best_of(work: Callable[[], object]) -> float:
    """Seconds of processor time of the quickest of REPEATS runs."""
    return min(_seconds(work) for _ in range(REPEATS))


def decode_all(frames: Sequence[Frame]) -> None:
    """The unit: every JPEG to colour, one after the other."""
    for frame in frames:
        cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR)


def measure(frames: Sequence[Frame], form: str) -> dict[str, Any]:
    """Memory first, then all figures of one TPS."""
    layouts = tuple(shipped_layouts().values())
    model = classifier.DigitModel.load(reading.MODELS)

    def read(pictures: Sequence[Frame]) -> reading.TpsReading:
        return reading.read_frames(pictures, layouts, model, form=form)

    found = read(frames)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert all(isinstance(outcome, Page) for outcome in found.outcomes), found.outcomes
    both = [(_seconds(lambda: decode_all(frames)), _stages(lambda: read(frames))) for _ in range(REPEATS)]
    unit, runs = min(seconds for seconds, _ in both), [stages for _, stages in both]
    stages = {stage: min(run[stage] for run in runs) / unit for stage, *_ in STAGES}
    pages = [best_of(partial(read, [frame])) / best_of(partial(decode_all, [frame])) for frame in frames]
    cells = sum(len(outcome.cells) for outcome in found.outcomes if isinstance(outcome, Page))
    return {
        "pages": len(frames),
        "cells": cells,
        "decode_ms": unit / len(frames) * 1000,
        "stages": stages,
        "whole": min(sum(run.values()) for run in runs) / unit,
        "each_page": pages,
        "cell_ms": stages["model"] * unit / cells * 1000,
        "page_bytes": statistics.mean(len(frame.data) for frame in frames),
        "peak_memory_mib": memory,
    }


def _stages(work: Callable[[], object]) -> dict[str, float]:
    """Seconds of every stage of one run; 'other' is what no stage accounts for."""
    watch = Stopwatch()
    with watch.watching():
        watch.timed("other", work)()
    return watch.seconds


def main(folder: Path, form: str) -> None:
    """Measures the pictures of `folder`."""
    cv2.setNumThreads(1)
    frames = [frame_from_bytes(path.read_bytes(), path.name) for path in sorted(folder.glob("*.jpg"))]
    json.dump(measure(frames, form), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
