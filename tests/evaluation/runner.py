"""Reads TPS by the kiosk's own code in worker processes, one thread each; what was read already is not read again.

Each TPS becomes a JSON line as soon as it is read. The file is named by a digest of the code, the model and the paper
simulator, so that figures of different programs are never mixed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import msgspec

from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.reading import MODELS, CellReader, Outcome, TpsReading, read_frames
from firmware.records import Check, Doubt, FieldTally, Page, PageRefusal, Status, Tally
from firmware.tally import rules
from tests.evaluation import crops
from tests.evaluation.datasets import RENDERED, ROOT, Paper, Task, Written, open_paper
from tests.evaluation.seen import Alarm, Cell, Field, Tps

DIGESTED = (
    "firmware/capture", "firmware/digit_model", "firmware/forms", "firmware/tally", "firmware/reading.py",
    "firmware/records.py", "models/digits.onnx", "models/digits.json", "tests/simulators/paper",
    "tests/evaluation/datasets.py", "tests/evaluation/runner.py", "tests/evaluation/seen.py",
)  # fmt: skip
"""What a reading of rendered paper depends on."""
TRANSIENT = (".pyc", ".mo")
WRONG_NUMBER = "wrong-page-number"
"""Beside the reasons of PageRefusal: a page that was taken for another one."""
ONE_TPS = "X6"
"""The rule that all pages are of one TPS: here they always are."""
NO_ALARM = ("I1",)
"""A missing page is no alarm: the pages of a TPS are counted by themselves."""


# --- one TPS


def read_paper(
    task: Task, paper: Paper, layouts: Mapping[str, FormLayout], model: CellReader
) -> tuple[Tps, tuple[Outcome, ...]]:
    """What the program makes of one TPS, beside the truth; and the pages, for pictures of them."""
    frames = [frame_from_bytes(picture.data, picture.name, {}) for picture in paper.pictures]
    start = time.perf_counter()
    found = read_frames(frames, tuple(layouts.values()), model)
    seconds = time.perf_counter() - start
    tally = found.tally if found.form == task.form else None
    layout = layouts[task.form]
    pages = {layout_field.id: layout_field.page for layout_field in layout.fields.values()}
    fields = tuple(
        _field(key, pages[key], truth, tally.fields[key] if tally else None) for key, truth in paper.written.items()
    )
    seen = Tps(
        task.data_set, task.name, paper.hand, task.form, task.level, _pages(task, paper, found), fields,
        _alarms(paper, layout, tally), round(seconds, 4),
    )  # fmt: skip
    return seen, found.outcomes


def _pages(task: Task, paper: Paper, found: TpsReading) -> dict[str, str | None]:
    reasons: dict[str, str | None] = {}
    for picture, outcome in zip(paper.pictures, found.outcomes, strict=True):
        if not isinstance(outcome, Page):
            reasons[picture.name] = outcome.reason.value
        elif outcome.form != task.form:
            reasons[picture.name] = PageRefusal.OTHER_FORM.value
        else:
            reasons[picture.name] = None if outcome.number == picture.page else WRONG_NUMBER
    return reasons


def _field(name: str, page: int, truth: Written, read: FieldTally | None) -> Field:
    if read is None:
        return Field(name, page, truth.value, None, "", 0.0, Status.REVIEW.value, (Doubt.PAGES.value,), truth.faults)
    known = truth.cells or (None,) * len(read.cells)
    pairs = zip(known, read.cells, strict=True) if read.cells else ()
    cells = tuple(Cell(label, cell.label, cell.confidence) for label, cell in pairs)
    doubts = tuple(doubt.value for doubt in read.doubts)
    return Field(
        name, page, truth.value, read.value, read.text, read.confidence, read.status.value, doubts, truth.faults, cells
    )


def _alarms(paper: Paper, layout: FormLayout, tally: Tally | None) -> tuple[Alarm, ...]:
    """Every rule that failed as read or fails on paper."""
    values = {key: truth.value for key, truth in paper.written.items()}
    on_paper = _numbered(rules.check(values, layout))
    as_read = _numbered(tally.checks) if tally else {}
    found = []
    for place in dict.fromkeys([*as_read, *on_paper]):
        truth, read = on_paper.get(place), as_read.get(place)
        raised, broken = read is not None and read.ok is False, truth is not None and truth.ok is False
        named = read if raised else truth
        if place[0] in NO_ALARM or named is None or named.warning or not (raised or broken):
            continue
        kept = truth.ok if truth else (True if place[0] == ONE_TPS else None)
        found.append(Alarm(named.rule, named.fields, raised, kept))
    return tuple(found)


def _numbered(checks: Iterable[Check]) -> dict[tuple[str, int], Check]:
    """Checks by rule and their place among those of the rule: a form's rules come in the same order every time."""
    places: Counter[str] = Counter()
    found = {}
    for entry in checks:
        found[entry.rule, places[entry.rule]] = entry
        places[entry.rule] += 1
    return found


# --- many TPS


@dataclass(frozen=True, slots=True)
class Store:
    """The JSON lines of one program on one simulator."""

    path: Path

    @classmethod
    def of_program(cls, folder: Path) -> Store:
        """The file in `folder` that belongs to the code and model as they are now."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder / f"seen-{program_digest()[:16]}.jsonl")

    def load(self) -> dict[str, Tps]:
        """What was read already, by key. A last line that was cut off is dropped from the file."""
        if not self.path.exists():
            return {}
        whole, _, rest = self.path.read_bytes().rpartition(b"\n")
        if rest:
            self.path.write_bytes(whole + b"\n" if whole else b"")
        entries = [msgspec.json.decode(line, type=Tps) for line in whole.splitlines()]
        return {entry.key: entry for entry in entries}

    def append(self, entry: Tps) -> None:
        """Adds one TPS."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")


def program_digest() -> str:
    """SHA-256 over everything in DIGESTED."""
    digest = hashlib.sha256()
    for entry in DIGESTED:
        top = ROOT / entry
        files = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for path in files:
            if path.suffix not in TRANSIENT:
                digest.update(f"{path.relative_to(ROOT)}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def run(
    tasks: Sequence[Task],
    store: Store,
    workers: int,
    folder: Path | None = None,
    work: Callable[..., Tps] | None = None,
) -> Iterator[Tps]:
    """Every TPS of `tasks`, as they become ready. Rendered ones that `store` holds are not made again.

    With `folder`, pictures of fields go there; a TPS whose pictures are asked for and not there is read again.
    """
    known = store.load()
    wanted = []
    for task in tasks:
        old = known.get(task.key) if task.data_set == RENDERED else None
        if old is not None and (folder is None or crops.complete(folder, old)):
            yield old
        else:
            wanted.append(task)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=one_thread) as pool:
        for future in as_completed([pool.submit(work or see, task, folder) for task in wanted]):
            entry = future.result()
            if entry.data_set == RENDERED and entry.key not in known:
                store.append(entry)
            yield entry


def one_thread() -> None:
    """Makes this process use one thread: two workers on two cores do not fight."""
    cv2.setNumThreads(1)


def see(task: Task, folder: Path | None) -> Tps:
    """One TPS, opened, read and held against its truth."""
    entry, outcomes = read_paper(task, open_paper(task), shipped_layouts(), model())
    if folder is not None:
        crops.write(folder, entry, outcomes)
    return entry


@cache
def model() -> DigitModel:
    """The shipped model, loaded once a process."""
    return DigitModel.load(MODELS)


def default_workers() -> int:
    """One a core that this process may use."""
    return len(os.sched_getaffinity(0))
