"""Folds, shadows and glare over a number: it is refused, asked about, or right; never wrong without a question."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.capture.rulings import project
from firmware.digit_model.classifier import DigitModel
from firmware.forms.loader import shipped_layouts
from firmware.reading import MODELS, read_pages
from firmware.records import Page, RefusedPage, Status
from tests.photographs import C1, HASIL, Picture, frame
from tests.simulators.paper.sets import PaperSet, paper_set

LAYOUTS = shipped_layouts()
NUMBERS = [(HASIL, 2, "suara_2"), (C1, 1, "surat_suara_sisa")]


@cache
def station(form: str) -> PaperSet:
    return paper_set(form, 11, "mild", height=2400)


@cache
def flat(form: str, number: int) -> tuple[Picture, Page]:
    """The page before anything happens to it."""
    data = station(form).pages[number]
    page = take_page(frame_from_bytes(data, "flat"), tuple(LAYOUTS.values()))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert isinstance(page, Page)
    assert picture is not None
    return np.asarray(picture, np.uint8), page


def from_number(form: str, number: int, field: str, part: float) -> tuple[NDArray[np.float32], float]:
    """Pixels (rows, columns) to the right of an upright line through the field's middle box, and the box's width."""
    picture, page = flat(form, number)
    cell = LAYOUTS[form].fields[field].cells[1]
    ends = np.array([(cell.x, cell.y), (cell.x + cell.w, cell.y)])
    (left, _), (right, _) = project(page.geometry.homography, ends)
    columns = np.arange(picture.shape[1], dtype=np.float32) - np.float32(left + part * (right - left))
    return np.broadcast_to(columns, picture.shape[:2]), float(right - left)


def silent(form: str, number: int, picture: Picture) -> list[str]:
    """Numbers of the page that are read wrong without asking; the page with what is written on it, alone."""
    page = take_page(frame(picture), tuple(LAYOUTS.values()))
    if isinstance(page, RefusedPage):
        return []
    assert (page.form, page.number) == (form, number)
    others = [flat(form, other.number)[1] for other in LAYOUTS[form].pages if other.number != number]
    tally = read_pages([page, *others], LAYOUTS[form], DigitModel.load(MODELS))
    read = [tally.fields[field.id] for field in LAYOUTS[form].page(number).fields]
    return [
        entry.field for entry in read if entry.status is Status.READ and entry.value != station(form).truth[entry.field]
    ]


@pytest.mark.parametrize("hidden", [0.2, 0.5])
@pytest.mark.parametrize(("form", "number", "field"), NUMBERS)
def test_a_number_is_folded_over(form: str, number: int, field: str, hidden: float) -> None:
    """A part of a digit is in the fold, and the rest of the page lies nearer to it."""
    picture, _ = flat(form, number)
    away, side = from_number(form, number, field, 0.3)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    shorter = cv2.remap(picture, columns + np.where(away > 0, np.float32(hidden * side), 0), rows, cv2.INTER_LINEAR)
    dark = 1 - 0.4 * np.exp(-np.maximum(away, 0) / 6) * (away > 0)
    assert silent(form, number, np.asarray(shorter * dark[..., None], np.uint8)) == []


@pytest.mark.parametrize(("form", "number", "field"), NUMBERS)
def test_the_edge_of_a_shadow_runs_through_a_number(form: str, number: int, field: str) -> None:
    picture, _ = flat(form, number)
    away, _ = from_number(form, number, field, 0.5)
    assert silent(form, number, np.asarray(picture * np.where(away > 0, 0.3, 1.0)[..., None], np.uint8)) == []


@pytest.mark.parametrize(("form", "number", "field"), NUMBERS)
def test_a_lamp_is_mirrored_on_one_digit(form: str, number: int, field: str) -> None:
    """It washes a stroke out, so that an 8 may look like a 3."""
    picture, page = flat(form, number)
    cell = LAYOUTS[form].fields[field].cells[1]
    x, y = project(page.geometry.homography, np.array([(cell.x + 0.2 * cell.w, cell.y + cell.h / 2)]))[0]
    _, side = from_number(form, number, field, 0.5)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    spot = np.exp(-(((columns - x) / (0.35 * side)) ** 2 + ((rows - y) / (0.35 * side)) ** 2))
    assert silent(form, number, np.asarray(np.clip(picture + 400 * spot[..., None], 0, 255), np.uint8)) == []
