"""Figures on real and synthetic forms, measured through the command a person would use: `c1kiosk read --json`.

`python -m tests.system.evaluation` prints them. None of these pictures is trained on. Truth: for C1 2019 page 2 and
the two published totals KPU's data, for the rest of page 1 a person's reading (c1_2019_page1.json); a block that was
struck out has no number, so reading one from it counts as a silent error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.records import LABELS
from tests.simulators.paper.sets import paper_set

DATA = Path(os.environ.get("C1KIOSK_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROOT = Path(__file__).parents[2]
HELD_BACK = 480
"""Boxes with this number and higher are neither trained on nor used to choose anything."""
PAGE_2 = {
    "suara_1": "paslon01", "suara_2": "paslon02", "suara_sah": "sah", "suara_tidak_sah": "tidaksah",
    "suara_total": "jumlah",
}  # fmt: skip


@dataclass(slots=True)
class Score:
    """Counts over fields; `silent` names every field that was wrong and not asked about."""

    pages: int = 0
    pages_read: int = 0
    fields: int = 0
    asked: int = 0
    right: int = 0
    """Fields whose value is right, asked or not."""
    silent: list[str] = field(default_factory=list)
    alarms: int = 0

    def add(self, name: str, output: Mapping[str, Any], truth: Mapping[str, int | None]) -> None:
        """Counts one TPS."""
        self.pages += len(output["pages"])
        self.pages_read += sum(page["status"] == "read" for page in output["pages"])
        self.alarms += sum(check["ok"] is False for check in output["checks"])
        for key, value in truth.items():
            self.fields += 1
            got = output["fields"].get(key)
            if got is None or got["status"] == "review":
                self.asked += 1
            elif got["value"] != value:
                self.silent.append(f"{name} {key}: {got['text']!r} for {value}")
            self.right += got is not None and got["value"] == value

    def __str__(self) -> str:
        unasked = self.fields - self.asked
        return (
            f"pages {self.pages_read}/{self.pages}, fields {self.fields}, right {self.right / self.fields:.2%}, "
            f"read without asking {unasked / self.fields:.2%}, silent errors {len(self.silent)}, alarms {self.alarms}"
        )


def read(pictures: Iterable[Path], form: str | None = None) -> dict[str, Any]:
    """The JSON that `c1kiosk read` writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "firmware", "read", *map(str, pictures), "--json", str(out)]
        done = subprocess.run(command + (["--form", form] if form else []), capture_output=True, text=True, check=False)
        if "Traceback" in done.stderr:
            raise AssertionError(done.stderr)
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return result


def number(text: str | None) -> int | None:
    """What the boxes say: padding and digits; None for a struck-out block."""
    return None if text is None else int("".join(c for c in text if c.isdigit()) or 0)


def c1_2019() -> Score:
    """The 14 TPS and 8 loose pages of real C1-PPWP 2019 forms."""
    folder = DATA / "forms" / "c1_2019"
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    page_1 = json.loads((Path(__file__).parent / "c1_2019_page1.json").read_text(encoding="utf-8"))["tps"]
    score = Score()
    for name, label in labels.items():
        truth = {key: number(text) for key, text in page_1.get(name, {}).items()}
        truth |= {key: number(label["page2_text"][text]) for key, text in PAGE_2.items()}
        score.add(name, read(folder / page for page in label["pages"]), truth)
    return score


@dataclass(slots=True)
class BoxScore:
    """Loose pictures of one box each, held against one set of labels."""

    classes: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[float, str]] = field(default_factory=list)
    """Confidence and name of every picture that was read as something else."""
    confidences: list[float] = field(default_factory=list)
    """Of all that were read right."""
    confusion: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, want: str, got: str, confidence: float) -> None:
        """Counts one picture."""
        self.classes[want] += 1
        if got == want:
            self.confidences.append(confidence)
        else:
            self.wrong.append((confidence, f"{name}: {want} read {got}"))
            self.confusion[f"{want} read {got}"] += 1

    @property
    def total(self) -> int:
        """Pictures with a label."""
        return sum(self.classes.values())

    def __str__(self) -> str:
        worst = max((confidence for confidence, _ in self.wrong), default=0.0)
        accepted = sum(confidence > worst for confidence in self.confidences)
        return (
            f"{len(self.confidences)}/{self.total} right ({len(self.confidences) / self.total:.2%}), "
            f"{accepted / self.total:.2%} accepted at zero errors; wrong: "
            + "; ".join(f"{name} at {confidence:.3f}" for confidence, name in sorted(self.wrong, reverse=True))
        )


def boxes_2024() -> dict[str, BoxScore]:
    """The held-back block of real 2024 boxes through `c1kiosk digits`: labels as published, and as corrected."""
    published = json.loads((DATA / "digits" / "chasil2024_boxes.labels.json").read_text(encoding="utf-8"))
    corrections = json.loads((ROOT / "models" / "train" / "label_corrections.json").read_text(encoding="utf-8"))
    corrected = published | {name: entry["label"] for name, entry in corrections.items()}
    scores = {"published": BoxScore(), "corrected": BoxScore()}
    with tempfile.TemporaryDirectory() as folder, tarfile.open(DATA / "digits" / "chasil2024_boxes.tar") as tar:
        names = [name for name in sorted(tar.getnames()) if name.endswith(".jpg") and int(name[-7:-4]) >= HELD_BACK]
        tar.extractall(folder, [tar.getmember(name) for name in names], filter="data")
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "firmware", "digits", *names, "--json", str(out)]
        subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
        for entry in json.loads(out.read_text(encoding="utf-8")):
            for kind, labels in (("published", published), ("corrected", corrected)):
                if (want := labels[entry["file"]]) in LABELS:
                    scores[kind].add(entry["file"], want, entry["label"], entry["confidence"])
    return scores


def synthetic(form: str, level: str, seeds: Iterable[int]) -> Score:
    """Rendered TPS of one form, filled by twelve fonts and square digits that the model never saw."""
    score = Score()
    for seed in seeds:
        made = paper_set(form, seed, level)
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for page, data in made.pages.items():
                paths.append(Path(folder) / f"{page}.jpg")
                paths[-1].write_bytes(data)
            output = read(paths)
        truth = {key: None if not made.texts[key].strip() else value for key, value in made.values.items()}
        score.add(f"{form} {level} {seed}", output, truth)
    return score


def main() -> None:
    """Prints every figure; the synthetic ones for 50 TPS a level."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    if DATA.is_dir():
        for kind, boxes in boxes_2024().items():
            print(f"held-back 2024 boxes, labels as {kind}: {boxes}", flush=True)
        _print("C1-PPWP 2019, real", c1_2019())
    else:
        print(f"no real forms: {DATA} is missing")
    for form in ("c.hasil-ppwp-2024", "c1-ppwp-2019"):
        for level in ("mild", "medium", "hard"):
            _print(f"{form}, synthetic, {level}", synthetic(form, level, range(1000, 1000 + count)))


def _print(name: str, score: Score) -> None:
    print(f"{name}: {score}", flush=True)
    for line in score.silent:
        print("   silent:", line)


if __name__ == "__main__":
    main()
