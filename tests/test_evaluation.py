"""The evaluation scores something else than the kiosk would do, forgets what it read, or tells it wrongly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from firmware.forms.loader import shipped_layouts
from firmware.reading import read_command
from firmware.records import Status
from tests.evaluation import crops, datasets, report, runner
from tests.evaluation.bounds import rate
from tests.evaluation.datasets import RENDERED, Paper, Task, Written, written
from tests.evaluation.metrics import RuleFigures, form_figures
from tests.evaluation.runner import Store
from tests.evaluation.seen import Alarm, Cell, Field, Loose, Tps

FORM = "c1-ppwp-2019"
TASK = Task(RENDERED, "7", FORM, "mild")


@pytest.fixture(scope="module")
def paper() -> Paper:
    return datasets.open_paper(TASK)


def field(
    name: str,
    value: int | None,
    truth: int | None,
    confidence: float = 0.99,
    *doubts: str,
    faults: tuple[str, ...] = (),
) -> Field:
    status = Status.REVIEW if doubts else Status.READ
    cells = (Cell(str(truth % 10) if truth else "X", str(value % 10) if value else "X", confidence),)
    return Field(name, 1, truth, value, str(value), confidence, status.value, doubts, faults, cells)


def tps(name: str, *fields: Field, level: str = "mild", alarms: tuple[Alarm, ...] = ()) -> Tps:
    return Tps(RENDERED, name, "kalam", FORM, level, {"page1": None, "page2": "blurred"}, fields, alarms, 0.5)


def seen_without_pictures(task: Task, folder: Path | None) -> Tps:
    """Stands in for reading where only the bookkeeping counts."""
    return Tps(task.data_set, task.name, "kalam", task.form, task.level, {}, (field("one", 1, 1),), (), 0.0)


# --- the same as the kiosk


def test_the_command_reads_something_else_than_was_measured(paper: Paper, tmp_path: Path) -> None:
    files = [tmp_path / f"{picture.name}.jpg" for picture in paper.pictures]
    for file, picture in zip(files, paper.pictures, strict=True):
        file.write_bytes(picture.data)
    out = tmp_path / "out.json"
    done = CliRunner().invoke(read_command, [*map(str, files), "--json", str(out)])
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())["fields"]
    seen, _ = runner.read_paper(TASK, paper, shipped_layouts(), runner.model())
    assert {one.field for one in seen.fields} == set(told) == set(shipped_layouts()[FORM].fields)
    for one in seen.fields:
        entry = told[one.field]
        assert (one.value, one.status) == (entry["value"], entry["status"])
        assert one.text.replace(" ", "") == entry["text"].replace(" ", "")
        assert round(one.confidence, 6) == entry["confidence"]


def test_a_page_is_refused_and_its_fields_are_not_counted(paper: Paper) -> None:
    cut = replace(paper, pictures=(paper.pictures[0], replace(paper.pictures[1], data=b"no picture")))
    seen, _ = runner.read_paper(TASK, cut, shipped_layouts(), runner.model())
    assert seen.pages == {"page1": None, "page2": "not-a-picture"}
    lost = [one for one in seen.fields if one.page == 2]
    assert len(seen.fields) == 39 and len(lost) == 5
    assert all(one.asked and one.value is None and not one.open for one in lost)


def test_a_page_is_taken_for_another(paper: Paper) -> None:
    swapped = replace(paper, pictures=tuple(replace(one, page=3 - one.page) for one in paper.pictures))
    seen, _ = runner.read_paper(TASK, swapped, shipped_layouts(), runner.model())
    assert set(seen.pages.values()) == {runner.WRONG_NUMBER}


def test_pictures_of_asked_fields_are_missing(paper: Paper, tmp_path: Path) -> None:
    wrong = {key: Written((truth.value or 0) + 1, truth.cells) for key, truth in paper.written.items()}
    seen, outcomes = runner.read_paper(TASK, replace(paper, written=wrong), shipped_layouts(), runner.model())
    assert not crops.complete(tmp_path, seen)
    crops.write(tmp_path, seen, outcomes)
    assert crops.complete(tmp_path, seen)
    assert len(list(tmp_path.rglob("SILENT-*.png"))) == sum(one.silent for one in seen.fields) > 0
    assert len(list(tmp_path.rglob("asked-*.png"))) == sum(one.asked for one in seen.fields)


def test_what_is_written_is_misunderstood() -> None:
    assert written("X28") == Written(28, ("X", "2", "8"))
    assert written("- 5") == Written(5, ("-", "blank", "5"))
    assert written("XXX") == Written(0, ("X", "X", "X"))
    assert written("   ") == Written(None, ("blank",) * 3)
    assert written(None) == Written(None, ())


# --- what was read already


def test_the_power_fails_while_a_line_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path / "seen.jsonl")
    assert store.load() == {}
    store.append(tps("1", field("one", 1, 1)))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole + whole[: len(whole) // 2])
    assert list(store.load()) == [tps("1").key]
    store.append(tps("2", field("one", 1, 1)))
    assert list(store.load()) == [tps("1").key, tps("2").key]


def test_a_run_that_was_stopped_starts_from_the_beginning(tmp_path: Path) -> None:
    store = Store(tmp_path / "seen.jsonl")
    old = tps("1000", field("one", 5, 5))
    store.append(old)
    tasks = [Task(RENDERED, name, FORM, "mild") for name in ("1000", "1001")]
    found = {entry.name: entry for entry in runner.run(tasks, store, 1, work=seen_without_pictures)}
    assert found["1000"] == old
    assert found["1001"] == seen_without_pictures(tasks[1], None)
    assert set(store.load()) == {task.key for task in tasks}


def test_another_program_goes_on_with_old_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "rule.py").write_text("ONE = 1")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "DIGESTED", ("firmware",))
    before = Store.of_program(tmp_path / "out").path
    (tmp_path / "firmware" / "rule.py").write_text("ONE = 2")
    assert Store.of_program(tmp_path / "out").path != before


def test_a_long_run_shares_nothing_with_a_short_one() -> None:
    short, long = (datasets.rendered_tasks("medium", fields) for fields in (500, 5000))
    assert set(short) < set(long)
    layouts = shipped_layouts()
    assert sum(len(layouts[task.form].fields) for task in long) >= 5000


# --- figures


def test_a_silent_error_is_not_counted() -> None:
    wrong = field("two", 617, 117, 0.995, faults=("overwritten",))
    seen = [
        tps("1", field("one", 1, 1), wrong, field("three", 9, 4, 0.4, "unsure")),
        tps("2", field("one", 2, 2, 0.97, "rule"), field("two", None, None, 0.0, "empty")),
    ]
    found = form_figures(seen)
    assert (found.silent, found.tps_silent) == (rate(1, 5), rate(1, 2))
    assert (found.read, found.fields_right) == (rate(2, 5), rate(3, 5))
    assert found.pages_right == found.tps_right == rate(1, 2)
    assert found.pages_refused == rate(2, 4) and found.refusals == {"blurred": 2}
    assert (found.silent_errors[0].name, found.silent_errors[0].value, found.silent_errors[0].truth) == ("1", 617, 117)
    assert found.faults["overwritten"].silent == rate(1, 1) and found.faults["none"].silent == rate(0, 4)
    assert found.asked_for == {"unsure": (1, 1), "rule": (1, 1), "empty": (1, 1)}


def test_a_threshold_lifts_a_failed_rule() -> None:
    """Only doubt about the number itself can be lifted: the field under an alarm is asked at any threshold."""
    seen = [tps("1", field("one", 1, 1, 0.6, "unsure"), field("two", 2, 2, 0.999, "unsure", "rule"))]
    (point,) = form_figures(seen).curve
    assert (point.threshold, point.read) == (0.6, 1)


def test_an_alarm_on_a_form_that_is_wrong_counts_as_false() -> None:
    alarms = (
        Alarm("H5", ("a", "b"), raised=True, kept=False),
        Alarm("H5", ("a", "b"), raised=True, kept=True),
        Alarm("H5", ("a", "b"), raised=False, kept=False),
        Alarm("H11", ("a",), raised=True, kept=None),
    )
    found = form_figures([tps("1", field("one", 1, 1), alarms=alarms)])
    assert found.rules == {"H11": RuleFigures(1, 0, 0, 0), "H5": RuleFigures(2, 1, 2, 1)}


def test_the_report_leaves_a_silent_error_out(tmp_path: Path) -> None:
    seen = [
        tps("1", field("one", 617, 117, 0.995)),
        tps("2", field("one", 1, 1), level="hard"),
    ]
    loose = {"boxes": [Loose("9_501.jpg", "numbers 50x", Cell("9", "8", 0.9))]}
    made = report.make("a" * 64, "b" * 64, "/nowhere", seen, loose)
    report.write(tmp_path, made)
    assert msgspec.to_builtins(report.load(tmp_path)) == msgspec.to_builtins(made)
    text = (tmp_path / report.MARKDOWN).read_text()
    assert "| rendered | c1-ppwp-2019 1, mild | one | `617` | 617 | 117 | 0.995000 |" in text
    assert "`/nowhere` is missing" in text
    assert "9 read 8 1" in text
    assert list(made.forms) == [f"rendered, {x}{y}" for x in ("mild", "hard") for y in ("", f", {FORM}")]
    section = report.card_section(tmp_path)
    assert "| rendered, mild | 1 | 1 | 1 | 0.00%" in section and "Silent errors" not in section
