"""What the live view says to paper that is laid down right and wrong: `python -m tests.bench.live [STATIONS]`.

Rendered and filled pages of every form, photographed at the mild and the medium level, each once as it is and once
with each fault. Prints how often each instruction was given for each fault, and the processor time of a look.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from firmware.capture.camera import PREVIEW_SIDE
from firmware.capture.guidance import Bgr, Guidance, guide
from firmware.capture.picture import frame_from_bytes, glance
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.records import RefusedPage
from tests.simulators.paper.sets import paper_set

STATIONS = 10
"""Polling stations for each form and level."""
LEVELS = ("mild", "medium")
HEIGHT = 1600
"""Pixels of the photographs: more than a preview has."""
TABLE = (80, 90, 95)
INTERVAL = 0.17
Fault = Callable[[Bgr, np.random.Generator], cv2.typing.MatLike]


def _far(page: Bgr, rng: np.random.Generator) -> Bgr:
    share = rng.uniform(0.3, 0.45)
    small = cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    table = np.full_like(page, TABLE)
    y, x = (int(rng.uniform(0.05, 0.95 - share) * side) for side in page.shape[:2])
    table[y : y + len(small), x : x + small.shape[1]] = small
    return table


def _cut(page: Bgr, rng: np.random.Generator) -> cv2.typing.MatLike:
    share = rng.uniform(0.25, 0.45) * rng.choice((-1, 1))
    x, y = (share * page.shape[1], 0.0) if rng.random() < 0.5 else (0.0, share * page.shape[0])
    return cv2.warpAffine(page, np.array([[1, 0, x], [0, 1, y]]), page.shape[1::-1], borderValue=TABLE)


def _glare(page: Bgr, rng: np.random.Generator) -> Bgr:
    height, width = page.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = rng.uniform(0.3, 0.7, 2)
    away = ((columns / width - x) / 0.09) ** 2 + ((rows / height - y) / 0.09) ** 2
    return np.asarray(np.clip(page + 450 * np.exp(-away)[..., None], 0, 255), np.uint8)


def _moving(page: Bgr, rng: np.random.Generator) -> cv2.typing.MatLike:
    pixels = int(rng.integers(18, 30))
    kernel = np.full((1, pixels), 1 / pixels, np.float32)
    return cv2.filter2D(page, -1, kernel if rng.random() < 0.5 else kernel.T)


def _covered(page: Bgr, rng: np.random.Generator) -> cv2.typing.MatLike:
    """A hand of a sixth of the picture's height."""
    height, width = page.shape[:2]
    middle = (round(rng.uniform(0.35, 0.65) * width), round(rng.uniform(0.4, 0.7) * height))
    size = (round(height / 6), round(height / 11))
    return cv2.ellipse(page.copy(), middle, size, float(rng.uniform(0, 180)), 0, 360, (120, 150, 200), -1)


FAULTS: dict[str, Fault] = {
    "none: good": lambda page, rng: page,
    "empty table": lambda page, rng: np.full_like(page, TABLE),
    "too far": _far,
    "cut at the edge": _cut,
    "in the dark": lambda page, rng: cv2.convertScaleAbs(page, alpha=rng.uniform(0.1, 0.22)),
    "glare": _glare,
    "under a hand": _covered,
    "out of focus": lambda page, rng: cv2.GaussianBlur(page, (0, 0), rng.uniform(3.5, 5)),
    "moving": _moving,
}


def previews(stations: int) -> Iterator[tuple[FormLayout, int, Bgr, int]]:
    """Form, page, preview and seed."""
    for layout in shipped_layouts().values():
        for level in LEVELS:
            for seed in range(stations):
                made = paper_set(layout.id, 900 + seed, level, height=HEIGHT)
                for number, data in made.pages.items():
                    small = glance(frame_from_bytes(data, "preview"), PREVIEW_SIDE)
                    assert not isinstance(small, RefusedPage)
                    yield layout, number, small, seed


def _said(picture: Bgr, wanted: FormLayout, held: tuple[int, ...], times: list[float]) -> str:
    """What is said while the picture stays; the look at a new picture is timed."""
    layouts, said = tuple(shipped_layouts().values()), None
    for count in range(5):
        began = time.process_time()
        said = guide(picture, {wanted.id: held}, layouts, said, count * INTERVAL)
        times += [time.process_time() - began] if count == 0 else []
    assert isinstance(said, Guidance)
    return str(said.instruction) if said.page is None else f"{said.instruction} {said.page}"


def main() -> None:
    """Prints the table."""
    cv2.setNumThreads(1)
    stations = int(sys.argv[1]) if len(sys.argv) > 1 else STATIONS
    table: dict[str, Counter[str]] = defaultdict(Counter)
    times: list[float] = []
    for layout, number, page, seed in previews(stations):
        rng = np.random.default_rng([seed, number])

        def tell(fault: str, picture: Bgr, wanted: FormLayout, held: tuple[int, ...] = (), right: int = number) -> None:
            instruction, _, shown = _said(picture, wanted, held, times).partition(" ")
            table[fault][instruction if shown in ("", str(right)) else f"{instruction} of a wrong page"] += 1

        for fault, spoil in FAULTS.items():
            tell(fault, np.asarray(spoil(page, rng), np.uint8), layout)
        tell("already there", page, layout, (number,))
        tell("another form", page, next(other for other in shipped_layouts().values() if other.id != layout.id))
    for fault, counts in table.items():
        print(f"{fault:16} {sum(counts.values()):5}  " + ", ".join(f"{k} {n}" for k, n in counts.most_common()))
    middle, slow, slowest = (1e3 * float(np.percentile(times, part)) for part in (50, 95, 100))
    print(f"a look at a new picture: median {middle:.0f} ms, 95 % within {slow:.0f} ms, most {slowest:.0f} ms")


if __name__ == "__main__":
    main()
