"""The data sets: pictures of whole TPS with what is written on them, and loose pictures of digit boxes.

Nothing here is trained on: real 2024 boxes of numbers held back, real C1 2019 forms, the photographs of a 2024 form on
a monitor, CVL digits (whose terms forbid it), and rendered TPS by hands that training does not use.

Truth of the real forms: KPU's data for C1 2019 page 2 and its two published totals, a person's reading for the rest of
page 1 (c1_2019_page1.json) and for the monitor. A block that is empty or struck out has no number, so reading one from
it is an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import MappingProxyType

import numpy as np

from firmware.forms.loader import shipped_layouts
from firmware.reading import CellReader
from firmware.records import LABELS
from models.train import data as training_data
from models.train.cvl import as_cells
from tests.evaluation.seen import Cell, Loose
from tests.simulators.paper.pen import some_writer
from tests.simulators.paper.sets import paper_set

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("C1KIOSK_DATA", ROOT.parent / "shared" / "data"))

C1_2019, MONITOR, RENDERED = "C1 2019, real", "C.HASIL 2024, photographed from a monitor", "rendered"
REAL = "real"
LEVELS = ("mild", "medium", "hard")
SHARES = MappingProxyType({"c.hasil-ppwp-2024": 0.5, "c1-ppwp-2019": 0.4, "c.hasil-dpr-demo": 0.1})
"""Of the fields of a level. The demonstration form is there to show that a form is data, not to be elected with."""
FIRST_SEED, NEXT_FORM = 1000, 1_000_000
"""Rendered TPS are named by seeds from here on, each form by others: a seed is a person and their numbers. The levels
share them, so that the same station is met with better and worse paper and light. Nothing is tuned on them."""
CHOICE_SEED = 500_000
"""The first seed of those TPS by which the threshold is chosen, and on which no figure is reported."""
SHEET_NUMBERS = 10
"""Held-back boxes whose numbers lie within the same ten may come from one sheet: they are one cluster."""

PAGE_2 = MappingProxyType(
    {
        "suara_1": "paslon01",
        "suara_2": "paslon02",
        "suara_sah": "sah",
        "suara_tidak_sah": "tidaksah",
        "suara_total": "jumlah",
    }
)
"""Names of C1 2019 page 2 in its labels file."""
ON_MONITOR = MappingProxyType(
    {
        "suara_1": "123",
        "suara_2": "274",
        "suara_3": "X32",
        "suara_sah": "427",
        "suara_tidak_sah": "  3",
        "suara_total": "430",
    }
)
"""Pages 2 and 3; page 1 is a blank. The votes are two more than their sum: a real alarm."""

_SPELLED = MappingProxyType({" ": "blank", "?": "unclear"})


@dataclass(frozen=True, slots=True)
class Task:
    """One TPS to be read. Small: the pictures are made or opened where they are read."""

    data_set: str
    name: str
    form: str
    level: str

    @property
    def key(self) -> str:
        """Names this TPS among all."""
        return f"{self.data_set}/{self.form}/{self.level}/{self.name}"


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the boxes of one field."""

    value: int | None
    cells: tuple[str | None, ...]
    """Labels; empty where nobody has said what is in the single boxes."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One photograph."""

    name: str
    page: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """The pictures of one TPS and the truth of every field that is scored."""

    pictures: tuple[Picture, ...]
    written: Mapping[str, Written]
    hand: str
    """Who wrote: TPS of one hand err alike."""


def available() -> bool:
    """Whether the folder with the real forms and digits is there."""
    return DATA.is_dir()


def open_paper(task: Task) -> Paper:
    """Reads or renders the pictures of one TPS."""
    if task.data_set == RENDERED:
        return _rendered(task)
    return _c1_2019(task.name) if task.data_set == C1_2019 else _monitor()


# --- whole TPS


def real_tasks() -> list[Task]:
    """The 14 TPS and 8 loose pages of C1 2019, and the form on the monitor."""
    names = json.loads((DATA / "forms" / "c1_2019" / "labels.json").read_text(encoding="utf-8"))
    forms = [Task(C1_2019, name, "c1-ppwp-2019", REAL) for name in names]
    return [*forms, Task(MONITOR, "monitor", "c.hasil-ppwp-2024", REAL)]


def rendered_tasks(level: str, fields: int, first: int = FIRST_SEED) -> list[Task]:
    """At least `fields` fields of one level, over all forms in their SHARES; more fields only append."""
    layouts = shipped_layouts()
    counts = {form: ceil(fields * share / len(layouts[form].fields)) for form, share in SHARES.items()}
    return [
        Task(RENDERED, str(first + place * NEXT_FORM + index), form, level)
        for index in range(max(counts.values()))
        for place, (form, count) in enumerate(counts.items())
        if index < count
    ]


def written(text: str | None, faults: tuple[str, ...] = ()) -> Written:
    """What boxes say by their text: padding and digits; None and all blank have no number."""
    if text is None:
        return Written(None, (), faults)
    digits = "".join(character for character in text if character.isdigit())
    labels = tuple(label if label in LABELS else None for label in (_SPELLED.get(c, c) for c in text))
    return Written(int(digits or 0) if text.strip() else None, labels, faults)


def _c1_2019(name: str) -> Paper:
    folder = DATA / "forms" / "c1_2019"
    label = json.loads((folder / "labels.json").read_text(encoding="utf-8"))[name]
    page_1 = json.loads(Path(__file__).with_name("c1_2019_page1.json").read_text(encoding="utf-8"))["tps"]
    texts = page_1.get(name, {}) | {key: label["page2_text"][text] for key, text in PAGE_2.items()}
    pictures = tuple(Picture(file, int(Path(file).stem[-1]), (folder / file).read_bytes()) for file in label["pages"])
    return Paper(pictures, {key: written(text) for key, text in texts.items()}, name)


def _monitor() -> Paper:
    layout = shipped_layouts()["c.hasil-ppwp-2024"]
    files = [DATA / "forms" / "chasil_2024" / f"monitor_photo_page{page.number}.jpg" for page in layout.pages]
    pictures = tuple(Picture(file.name, int(file.stem[-1]), file.read_bytes()) for file in files)
    texts = {key: ON_MONITOR.get(key, " " * len(field.cells)) for key, field in layout.fields.items()}
    return Paper(pictures, {key: written(text) for key, text in texts.items()}, "monitor")


def _rendered(task: Task) -> Paper:
    """Paper on which people err at the rates of the level."""
    made = paper_set(task.form, int(task.name), task.level, faults=True)
    truth = {
        key: Written(made.truth[key], written(text).cells, tuple(str(fault) for fault in made.faults.get(key, ())))
        for key, text in made.texts.items()
    }
    writer = some_writer(int(task.name))
    hand = f"{writer.font}, square" if writer.square else writer.font
    return Paper(tuple(Picture(f"page{page}", page, jpeg) for page, jpeg in made.pages.items()), truth, hand)


# --- loose boxes


def held_back_boxes() -> dict[str, list[Loose]]:
    """The held-back real 2024 boxes through `c1kiosk digits`, against labels as "published" and as "corrected"."""
    boxes = [box for box in training_data.read_boxes(DATA) if box.split == "test"]
    read = _digits([box.name for box in boxes])
    found: dict[str, list[Loose]] = {"published": [], "corrected": []}
    for box in boxes:
        for kind, label in (("published", box.published), ("corrected", box.label)):
            if label is not None:
                cluster = f"numbers {box.number // SHEET_NUMBERS}x"
                found[kind].append(Loose(box.name, cluster, Cell(label, *read[box.name])))
    return found


def _digits(names: list[str]) -> dict[str, tuple[str, float]]:
    """Label and confidence of boxes by name."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(DATA / "digits" / "chasil2024_boxes.tar") as tar:
        tar.extractall(folder, [tar.getmember(name) for name in names], filter="data")
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "firmware", "digits", *names, "--json", str(out)]
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
        entries = json.loads(out.read_text(encoding="utf-8"))
    return {entry["file"]: (entry["label"], entry["confidence"]) for entry in entries}


def cvl_digits(model: CellReader) -> Iterator[Loose]:
    """CVL test digits on plain cells, by writer."""
    cells, labels = as_cells(*training_data.cvl(DATA))
    writers = np.load(DATA / "digits" / "cvl.npz")["writer_test"]
    for index, reading in enumerate(model.read(list(cells))):
        cell = Cell(LABELS[int(labels[index])], reading.label, reading.confidence)
        yield Loose(f"cvl {index}", f"writer {writers[index]}", cell)
