"""`make bench`: how long each stage takes, as a multiple of decoding the same JPEG, on one thread; and peak memory.

Pages are rendered and photographed by the repository itself (12 megapixels); with real forms beside the repository
they are measured too. Medians over the pages; each page is measured several times and its best time counts.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from firmware.capture.page import take_page
from firmware.capture.picture import decode, frame_from_bytes
from firmware.capture.search import find_page
from firmware.digit_model.classifier import DigitModel
from firmware.forms.loader import shipped_layouts
from firmware.reading import MODELS, read_pages
from firmware.records import Frame, Page
from tests.evaluation.datasets import DATA
from tests.simulators.paper.sets import paper_set

REPEATS = 3
PHOTOGRAPH_HEIGHT = 4000
"""3,000 x 4,000 pixels: the 12 megapixels of a Camera Module 3."""

Result = TypeVar("Result")


def best_of(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of the fastest of REPEATS runs, and what it gave."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def measure(name: str, frames: Sequence[Frame], form: str, model: DigitModel) -> None:
    """Prints one line a stage for the pages of one TPS or set."""
    layouts = tuple(shipped_layouts().values())
    stages: dict[str, list[float]] = {"decode": [], "checked decode": [], "find and register": [], "page": []}
    pages: list[Page] = []
    for frame in frames:
        base, _ = best_of(partial(cv2.imdecode, np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR))
        checked, picture = best_of(partial(decode, frame))
        assert isinstance(picture, np.ndarray), name
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        found, _ = best_of(partial(find_page, gray, layouts))
        whole, page = best_of(partial(take_page, frame, layouts))
        assert isinstance(page, Page), (name, frame.name, page)
        pages.append(page)
        for key, seconds in zip(stages, (base, checked, found, whole), strict=True):
            stages[key].append(seconds)
    base = statistics.median(stages["decode"])
    cells = [cell.gray for page in pages for cell in page.cells]
    model_time, _ = best_of(lambda: model.read(cells))
    tally_time, _ = best_of(lambda: read_pages(pages, shipped_layouts()[form], model))
    print(f"{name}: {len(pages)} pages, decoding one takes {base * 1000:.0f} ms = 1")
    for key, times in stages.items():
        print(f"  {key:<22}{statistics.median(times) / base:8.2f}")
    a_page, a_cell = model_time / len(pages) / base, model_time / len(cells) * 1000
    print(f"  {'model, a page':<22}{a_page:8.2f}   ({a_cell:.2f} ms a cell)")
    whole = statistics.median(stages["page"]) + tally_time / len(pages)
    print(f"  {'photograph to reading':<22}{whole / base:8.2f}")


def main() -> None:
    """Prints all figures."""
    cv2.setNumThreads(1)
    model = DigitModel.load(MODELS)
    for form in ("c.hasil-ppwp-2024", "c1-ppwp-2019"):
        made = paper_set(form, 1, "mild", height=PHOTOGRAPH_HEIGHT)
        frames = [frame_from_bytes(data, f"{form}-{number}", {}) for number, data in made.pages.items()]
        measure(f"{form}, rendered, 12 megapixels", frames, form, model)
    folder = DATA / "forms" / "c1_2019"
    if folder.is_dir():
        paths: list[Path] = sorted(folder.glob("tps0*_page[12].png"))[:10]
        frames = [frame_from_bytes(path.read_bytes(), path.name, {}) for path in paths]
        frames = [_as_jpeg(frame) for frame in frames]
        measure("c1-ppwp-2019, real scans as JPEG, 2 megapixels", frames[:2], "c1-ppwp-2019", model)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:.0f} MiB (it renders the forms too)")


def _as_jpeg(frame: Frame) -> Frame:
    picture = decode(frame)
    assert isinstance(picture, np.ndarray)
    return frame_from_bytes(cv2.imencode(".jpg", picture)[1].tobytes(), frame.name, {})


if __name__ == "__main__":
    main()
