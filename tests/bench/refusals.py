"""What becomes of a press over paper that is laid down right and wrong: `python -m tests.bench.refusals [STATIONS]`.

Rendered and filled pages of both presidential forms, photographed at the mild and the medium level, each once as it is
and once with each fault of the live view's benchmark, and beside another page. Prints how often each fault was taken
as the right page, as a wrong one, or refused, and with which reason.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np

from firmware.capture.guidance import Bgr
from firmware.capture.missing import explained
from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.forms.loader import shipped_layouts
from firmware.records import Page
from tests.bench.live import FAULTS, LEVELS
from tests.simulators.paper.sets import paper_set

STATIONS = 20
"""Polling stations for each form and level: with 11 faults, 2,200 photographs."""
FORMS = ("c.hasil-ppwp-2024", "c1-ppwp-2019")
FIRST_SEED = 7000
HEIGHT = 2400
JPEG_QUALITY = 88
BESIDE, CUT_SHORT = "beside another page", "a file cut short"

Job = tuple[str, str, int]


def outcomes(job: Job) -> list[tuple[str, str]]:
    """(fault, what became of it) for every page of one station with every fault."""
    cv2.setNumThreads(1)
    form, level, seed = job
    made = paper_set(form, seed, level, height=HEIGHT)
    pages = {number: _decoded(data) for number, data in made.pages.items()}
    found = []
    for number, page in pages.items():
        rng = np.random.default_rng([seed, number])
        other = pages[number % len(pages) + 1]
        for fault, spoil in FAULTS.items():
            found.append((fault, _taken(_encoded(np.asarray(spoil(page, rng), np.uint8)), form, number)))
        found.append((BESIDE, _taken(_encoded(_side_by_side(page, other)), form, number)))
        found.append(
            (
                CUT_SHORT,
                _taken(made.pages[number][: int(rng.uniform(0.2, 0.95) * len(made.pages[number]))], form, number),
            )
        )
    return found


def _decoded(data: bytes) -> Bgr:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def _encoded(picture: Bgr) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _side_by_side(page: Bgr, other: Bgr) -> Bgr:
    height = min(len(page), len(other))
    return np.hstack([page[:height], other[:height]])


def _taken(data: bytes, form: str, number: int) -> str:
    """ "taken", "taken for ANOTHER PAGE", or the reason of the refusal."""
    layouts = tuple(shipped_layouts().values())
    found = explained(take_page(frame_from_bytes(data, "photograph"), layouts), layouts)
    if not isinstance(found, Page):
        return found.reason.value
    return "taken" if (found.form, found.number) == (form, number) else "taken for ANOTHER PAGE"


def jobs(stations: int) -> Iterator[Job]:
    """Every station by form and level."""
    for form in FORMS:
        for level in LEVELS:
            yield from ((form, level, FIRST_SEED + index) for index in range(stations))


def main() -> None:
    """Prints the table."""
    stations = int(sys.argv[1]) if len(sys.argv) > 1 else STATIONS
    table: dict[str, Counter[str]] = {}
    with multiprocessing.get_context("spawn").Pool() as pool:
        for found in pool.imap_unordered(outcomes, jobs(stations)):
            for fault, outcome in found:
                table.setdefault(fault, Counter())[outcome] += 1
    for fault, counts in table.items():
        print(f"{fault:20} {sum(counts.values()):5}  " + ", ".join(f"{k} {n}" for k, n in counts.most_common()))


if __name__ == "__main__":
    main()
