"""`c1kiosk read` and `c1kiosk digits`: hostile files, pages twice, missing, foreign. No number is invented."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from firmware import reading
from firmware.errors import ModelRefused
from firmware.forms.layout import FormLayout
from firmware.forms.loader import shipped_layouts
from firmware.records import (
    CELL_PIXELS,
    LABELS,
    CellImage,
    CellReading,
    Doubt,
    Frame,
    Geometry,
    Gray,
    Page,
    PageRefusal,
    RefusedPage,
    Status,
)
from tests.readings import FORM, GOOD, SYMBOLS, cell
from tests.simulators.paper import pen
from tests.simulators.paper.fill import fill_page, padded
from tests.simulators.paper.photograph import photograph
from tests.simulators.paper.sets import numbers

OTHER = "other"


class PaintedModel:
    """Reads cells whose grey value is the index of their label."""

    accept_number = 0.9

    def read(self, cells: Sequence[Gray]) -> list[CellReading]:
        return [cell(LABELS[int(gray[0, 0])]) for gray in cells]


def frame(number: int, texts: Mapping[str, str] = GOOD, form: str = FORM.id, salt: str = "") -> Frame:
    """A frame whose bytes say what the page shows; `painted_page` understands it."""
    data = json.dumps([form, number, dict(texts), salt]).encode()
    return Frame(data, hashlib.sha256(data).hexdigest(), "any name")


def painted_page(given: Frame, layouts: Sequence[FormLayout]) -> Page | RefusedPage:
    """Stands in for capture: takes the page that `frame` describes."""
    form, number, texts, _ = json.loads(given.data)
    if not number:
        return RefusedPage(given, PageRefusal.BLURRED)
    cells = tuple(
        CellImage(entry.id, i, np.full((CELL_PIXELS, CELL_PIXELS), LABELS.index(SYMBOLS.get(c, c)), np.uint8), 1.0)
        for entry in FORM.page(number).fields
        for i, c in enumerate(texts[entry.id])
    )
    marks = ("TL", "TR", "BL", "BR")[: 3 if number == 2 else 4]
    return Page(form, number, given, Geometry(np.eye(3), marks, 0.1, 1.0), cells[::-1], (), ())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., reading.TpsReading]:
    monkeypatch.setattr(reading, "take_page", painted_page)
    return lambda *frames, **more: reading.read_frames(frames, [FORM], PaintedModel(), **more)


def reasons(found: reading.TpsReading) -> list[str | None]:
    return [outcome.reason.value if isinstance(outcome, RefusedPage) else None for outcome in found.outcomes]


def asked(found: reading.TpsReading) -> set[str]:
    assert found.tally
    return {name for name, entry in found.tally.fields.items() if entry.status is Status.REVIEW}


def test_pages_come_in_any_order(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(2), frame(1))
    assert found.complete
    assert asked(found) == set()
    assert found.tally
    assert {name: entry.text for name, entry in found.tally.fields.items()} == GOOD
    assert found.tally.pages == (1, 2)
    assert [(c.left, c.right, c.ok) for c in found.tally.checks if c.rule == "I2"] == [(2, 3, False), (1, 4, True)]


def test_the_same_picture_is_given_twice(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(1), frame(2), frame(1))
    assert reasons(found) == [None, None, "same-picture"]
    assert not found.complete
    assert asked(found) == set()


def test_another_picture_of_a_page_reads_the_same(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(1), frame(2), frame(1, salt="again"))
    assert reasons(found) == [None, None, "page-again"]
    assert asked(found) == set()


@pytest.mark.parametrize("text", ["129", "   ", "XXX"])
def test_two_pictures_of_a_page_differ(read: Callable[..., reading.TpsReading], text: str) -> None:
    found = read(frame(1), frame(2), frame(2, {**GOOD, "two": text}))
    assert reasons(found) == [None, None, "page-twice"]
    assert asked(found) == set(FORM.fields)
    assert found.tally
    assert all(Doubt.PAGES in entry.doubts for entry in found.tally.fields.values())
    twice = [c for c in found.tally.checks if c.rule == "I1" and c.ok is False]
    assert [(c.left, c.right) for c in twice] == [(2, 2)]


def test_an_unclear_box_counts_as_a_difference(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(1), frame(2), frame(2, {**GOOD, "two": "1?8"}))
    assert reasons(found)[-1] == "page-again"


def test_a_page_is_missing_and_one_is_blurred(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(2), frame(0))
    assert reasons(found) == [None, "blurred"]
    assert found.tally
    assert found.tally.missing == (1,)
    assert asked(found) == {"voters", "ballots"}
    assert not found.complete


def test_a_page_of_another_form_lies_between(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(1, form=OTHER), frame(2), frame(1))
    assert reasons(found) == ["other-form", None, None]
    assert found.form == FORM.id


def test_the_form_that_is_asked_for_is_not_there(read: Callable[..., reading.TpsReading]) -> None:
    found = read(frame(1, form=OTHER), form=FORM.id)
    assert reasons(found) == ["other-form"]
    assert (found.form, found.reading, found.tally) == (None, None, None)


def test_the_station_reads_its_pages() -> None:
    pages = [painted_page(frame(number), [FORM]) for number in (1, 2)]
    tally = reading.read_pages(
        [page for page in pages if isinstance(page, Page)], FORM, PaintedModel(), {"voters": 150}
    )
    assert [c.fields for c in tally.checks if c.rule == "L1"] == [("total", "voters")]
    assert tally.fields["total"].doubts == (Doubt.RULE,)
    assert tally.fields["one"].status is Status.READ


def test_far_too_many_pictures(read: Callable[..., reading.TpsReading]) -> None:
    found = read(*(frame(0, salt=str(i)) for i in range(reading.MAX_PICTURES + 3)))
    assert reasons(found)[-4:] == ["blurred", "too-many", "too-many", "too-many"]


# --- the commands, with real files


def huge_png() -> bytes:
    """20,000 x 10,000 pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 2500) * 1000) for _ in range(10)) + packer.flush()
    header = struct.pack(">IIBBBBB", 20_000, 10_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(pixels: np.ndarray[Any, Any]) -> bytes:
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def wall() -> bytes:
    rng = np.random.default_rng(2)
    plaster = cv2.resize(rng.integers(150, 200, (30, 40, 3), np.uint8), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    return jpeg(plaster)


HOSTILE = {
    "text.jpg": b"Jumlah suara sah: 148",
    "empty.png": b"",
    "cut.jpg": wall()[:-20_000],
    "one.png": cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes(),
    "huge.png": huge_png(),
    "wall.jpg": wall(),
}
REASONS = {
    "text.jpg": {"not-a-picture"},
    "empty.png": {"not-a-picture"},
    "cut.jpg": {"truncated"},
    "one.png": {"too-small"},
    "huge.png": {"too-large"},
    "wall.jpg": {"no-form"},
    "missing.jpg": {"file-missing"},
    "folder": {"file-missing"},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reading.DigitModel, "load", classmethod(lambda cls, path: PaintedModel()))
    for name, data in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder").mkdir()
    return tmp_path


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_every_picture_is_bad(folder: Path) -> None:
    files = [folder / name for name in REASONS]
    done = run(reading.read_command, *files, "--json", folder / "out.json")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    result = json.loads((folder / "out.json").read_text())
    assert list(result) == ["form", "pages", "fields", "checks"]
    assert (result["form"], result["fields"], result["checks"]) == (None, {}, [])
    assert [page["file"] for page in result["pages"]] == [str(file) for file in files]
    for page, file in zip(result["pages"], files, strict=True):
        assert (page["page"], page["status"]) == (None, "rejected")
        assert page["reason"] in REASONS[file.name]
        assert f"{file}: {page['reason']}: " in done.stderr
    assert "Traceback" not in done.output


def test_no_digit_can_be_read(folder: Path) -> None:
    files = [folder / name for name in REASONS if name not in ("wall.jpg", "one.png")]
    done = run(reading.digits_command, *files, "--json", folder / "out.json")
    assert done.exit_code == 1
    result = json.loads((folder / "out.json").read_text())
    assert result == [{"file": str(file), "label": "unclear", "confidence": 0.0} for file in files]
    assert all(str(file) in done.stderr for file in files)


class Hesitant(PaintedModel):
    """Sees a 4 with a confidence below and above one half."""

    def read(self, cells: Sequence[Gray]) -> list[CellReading]:
        return [cell("4", 0.4 if gray.mean() < 128 else 0.95) for gray in cells]


def test_a_digit_is_not_certain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading.DigitModel, "load", classmethod(lambda cls, path: Hesitant()))
    for name, grey in (("dark.png", 20), ("light.png", 230)):
        cv2.imwrite(str(folder / name), np.full((42, 48), grey, np.uint8))
    done = run(reading.digits_command, folder / "dark.png", folder / "light.png", "--json", folder / "out.json")
    assert done.exit_code == 0, done.output
    entries = json.loads((folder / "out.json").read_text())
    assert [(entry["label"], entry["confidence"]) for entry in entries] == [("unclear", 0.4), ("4", 0.95)]


def test_the_whole_result_of_a_form(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "take_page", painted_page)
    monkeypatch.setattr(reading, "shipped_layouts", lambda: {FORM.id: FORM})
    texts = {**GOOD, "one": "- - 5".replace(" ", ""), "invalid": "XX?"}
    (folder / "a").write_bytes(frame(2, texts).data)
    done = run(reading.read_command, folder / "a", "--json", folder / "out.json")
    assert done.exit_code == 1
    assert "missing page 1" in done.stderr
    result = json.loads((folder / "out.json").read_text())
    assert result["pages"] == [{"file": str(folder / "a"), "page": 2, "status": "read", "reason": None}]
    one, invalid, voters = (result["fields"][name] for name in ("one", "invalid", "voters"))
    assert (one["value"], one["text"], one["status"], len(one["cells"])) == (5, "- - 5", "review", 3)
    assert one["cells"][0] == {"label": "-", "confidence": 0.9999}
    assert (invalid["value"], invalid["text"], invalid["confidence"]) == (None, "XX?", 0.0)
    assert voters == {"value": None, "text": "", "confidence": 0.0, "status": "review", "cells": []}
    failed = [(c["rule"], c["fields"]) for c in result["checks"] if c["ok"] is False]
    assert ("H5", ["one", "two", "valid"]) in failed
    assert ("I1", ["voters", "ballots"]) in failed
    assert all(set(c) == {"rule", "ok", "fields", "message"} and c["message"] for c in result["checks"])


def test_everything_is_fine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "take_page", painted_page)
    monkeypatch.setattr(reading, "shipped_layouts", lambda: {FORM.id: FORM})
    for number in (1, 2):
        (folder / str(number)).write_bytes(frame(number).data)
    done = run(reading.read_command, folder / "2", folder / "1", "--json", folder / "out.json")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert {f["status"] for f in json.loads((folder / "out.json").read_text())["fields"].values()} == {"read"}


def test_the_model_is_not_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cls: object, path: Path) -> None:
        raise ModelRefused("model-digest", file="digits.onnx")

    monkeypatch.setattr(reading.DigitModel, "load", classmethod(refuse))
    done = run(reading.read_command, folder / "wall.jpg", "--json", folder / "out.json")
    assert isinstance(done.exception, ModelRefused)
    page = {"file": str(folder / "wall.jpg"), "page": None, "status": "rejected", "reason": "model-digest"}
    assert json.loads((folder / "out.json").read_text()) == {"form": None, "pages": [page], "fields": {}, "checks": []}


def test_something_breaks_on_the_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(reading, "take_page", break_down)
    run(reading.read_command, folder / "wall.jpg", "--json", folder / "out.json")
    assert json.loads((folder / "out.json").read_text())["pages"][0]["reason"] == "not-read"


def test_the_command_is_used_wrongly(folder: Path) -> None:
    picture = folder / "wall.jpg"
    before = picture.read_bytes()
    for arguments in (
        [picture],
        ["--json", folder / "out.json"],
        [picture, "--json", folder / "nowhere" / "out.json"],
        [picture, "--json", folder / "folder"],
        [picture, "--json", picture],
        [picture, "--json", folder / "out.json", "--form", "c1-dprd-1955"],
    ):
        assert run(reading.read_command, *arguments).exit_code == 2, arguments
    assert picture.read_bytes() == before


def photographed(form: str, number: int) -> tuple[bytes, dict[str, int]]:
    """One page of a form, filled by one writer, as a JPEG; and what was written."""
    layout, writer = shipped_layouts()[form], pen.some_writer(4)
    values = numbers(layout, 4)
    texts = {field.id: padded(values[field.id], writer) for field in layout.page(number).fields}
    return photograph(fill_page(layout, number, texts, writer, 84, 4), "clean", 4), values


def test_a_real_form_with_a_page_missing_and_a_stranger_between(tmp_path: Path) -> None:
    """Rendered, filled and photographed pages through the real capture and the real model."""
    second, values = photographed("c.hasil-ppwp-2024", 2)
    first, _ = photographed("c.hasil-ppwp-2024", 1)
    stranger, _ = photographed("c.hasil-dpr-demo", 1)
    pictures = {"b": second, "x": stranger, "a": first, "wall": wall()}
    for name, data in pictures.items():
        (tmp_path / name).write_bytes(data)
    done = run(reading.read_command, *(tmp_path / name for name in pictures), "--json", tmp_path / "out.json")
    assert done.exit_code == 1
    assert "missing page 3" in done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["form"] == "c.hasil-ppwp-2024"
    assert [(page["page"], page["reason"]) for page in result["pages"]] == [
        (2, None), (1, "other-form"), (1, None), (None, "no-form")]  # fmt: skip
    read = {name: entry["value"] for name, entry in result["fields"].items() if entry["status"] == "read"}
    assert read == {name: values[name] for name in read}
    assert len(read) >= 10
    assert all(result["fields"][f"suara_{name}"]["value"] is None for name in ("sah", "tidak_sah", "total"))
