"""What becomes of a press over paper that is laid down right and wrong: `python -m tests.bench.refusals [STATIONS]`.

Rendered pages of both presidential forms, filled in with the faults of writers, photographed at the mild and the
medium level: each once as it is, once with every fault of the live view's benchmark and of mishaps.py, and with another
page beside it. Prints how often each was taken as the right page, as a wrong one, or refused, and with which reason;
and of those taken, read with the station's other pages, how many numbers were read without asking, and how many of
these are wrong.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from firmware.capture.guidance import Bgr
from firmware.capture.missing import explained
from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.reading import MODELS, read_pages
from firmware.records import Page, RefusedPage, Status
from tests.bench import live, mishaps
from tests.simulators.paper.sets import PaperSet, paper_set

STATIONS = 20
"""Polling stations for each form and level: with 17 kinds of paper, 3,400 photographs."""
FORMS = ("c.hasil-ppwp-2024", "c1-ppwp-2019")
FIRST_SEED = 7000
HEIGHT = 2400
JPEG_QUALITY = 88
FAULTS: Mapping[str, live.Fault] = live.FAULTS | mishaps.FAULTS
CUT_SHORT = "a file cut short"
TAKEN, TAKEN_WRONG = "taken", "taken for ANOTHER PAGE"

Job = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one photograph."""

    fault: str
    outcome: str
    """TAKEN, TAKEN_WRONG or the reason of the refusal."""
    numbers: int = 0
    """On the page, where it was taken."""
    unasked: int = 0
    silent: tuple[str, ...] = ()
    """Those read without asking and wrong: "station.page.field: right, read"."""


@dataclass(slots=True)
class Row:
    """All photographs of one fault."""

    outcomes: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    unasked: int = 0
    silent: list[str] = field(default_factory=list)

    def add(self, fate: Fate) -> None:
        """One photograph more."""
        self.outcomes[fate.outcome] += 1
        self.numbers += fate.numbers
        self.unasked += fate.unasked
        self.silent += fate.silent


@dataclass(frozen=True, slots=True)
class Station:
    """One polling station, its good pages taken once."""

    job: Job
    made: PaperSet
    layout: FormLayout
    good: Mapping[int, Page]
    model: DigitModel

    def fate(self, fault: str, data: bytes, number: int) -> Fate:
        """What becomes of the picture `data` of page `number`."""
        layouts = tuple(shipped_layouts().values())
        found = explained(take_page(frame_from_bytes(data, "photograph"), layouts), layouts)
        if isinstance(found, RefusedPage):
            return Fate(fault, found.reason.value)
        if (found.form, found.number) != (self.layout.id, number):
            return Fate(fault, TAKEN_WRONG)
        tally = read_pages(list({**self.good, number: found}.values()), self.layout, self.model)
        fields = [tally.fields[entry.id] for entry in self.layout.page(number).fields]
        unasked = [entry for entry in fields if entry.status is Status.READ]
        silent = tuple(
            f"{self.job} page {number} {entry.field}: {self.made.truth[entry.field]} read {entry.value}"
            for entry in unasked
            if entry.value != self.made.truth[entry.field]
        )
        return Fate(fault, TAKEN, len(fields), len(unasked), silent)


def _station(job: Job) -> Station:
    form, level, seed = job
    layouts = shipped_layouts()
    made = paper_set(form, seed, level, height=HEIGHT, faults=True)
    taken = [take_page(frame_from_bytes(data, "good"), tuple(layouts.values())) for data in made.pages.values()]
    good = {page.number: page for page in taken if isinstance(page, Page)}
    return Station(job, made, layouts[form], good, DigitModel.load(MODELS))


def fates(job: Job) -> list[Fate]:
    """Every page of one station with every fault."""
    cv2.setNumThreads(1)
    station = _station(job)
    pages = {number: _decoded(data) for number, data in station.made.pages.items()}
    return [fate for number in pages for fate in _of_page(station, pages, number)]


def _of_page(station: Station, pages: Mapping[int, Bgr], number: int) -> Iterator[Fate]:
    rng = np.random.default_rng([station.job[2], number])
    page, other = pages[number], pages[number % len(pages) + 1]
    for fault, spoil in FAULTS.items():
        yield station.fate(fault, _encoded(np.asarray(spoil(page, rng), np.uint8)), number)
    for fault, put_beside in mishaps.NEIGHBOURS.items():
        yield station.fate(fault, _encoded(put_beside(page, other, rng)), number)
    data = station.made.pages[number]
    yield station.fate(CUT_SHORT, data[: int(rng.uniform(0.2, 0.95) * len(data))], number)


def _decoded(data: bytes) -> Bgr:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def _encoded(picture: Bgr) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def jobs(stations: int) -> Iterator[Job]:
    """Every station by form and level."""
    for form in FORMS:
        for level in live.LEVELS:
            yield from ((form, level, FIRST_SEED + index) for index in range(stations))


def _show(fault: str, row: Row) -> None:
    said = ", ".join(f"{outcome} {count}" for outcome, count in row.outcomes.most_common())
    read = f"{row.unasked:5} of {row.numbers:5} unasked, {len(row.silent)} wrong" if row.numbers else ""
    print(f"{fault:20} {row.outcomes.total():5}  {read:34}  {said}")
    for entry in row.silent:
        print(f"    wrong: {entry}")


def main() -> None:
    """Prints the table."""
    stations = int(sys.argv[1]) if len(sys.argv) > 1 else STATIONS
    table: dict[str, Row] = {}
    with multiprocessing.get_context("spawn").Pool() as pool:
        for found in pool.imap_unordered(fates, jobs(stations)):
            for fate in found:
                table.setdefault(fate.fault, Row()).add(fate)
    for fault, row in table.items():
        _show(fault, row)


if __name__ == "__main__":
    main()
