"""Tally strokes of every habit, in bad light, beside their place, scribbled over, left out."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.capture.tallies import cut_tally
from firmware.forms.layout import Field
from firmware.records import Gray, StrokeReading
from firmware.tally.strokes import likelihood, number, read_strokes, totals
from tests.photographs import HASIL, layout, printed
from tests.turus import HABITS, Hand, counts, draw

NUMBERS = 1000
HAND = Hand()
CANDIDATE, INVALID = "suara_2", "suara_tidak_sah"


def grid_field(name: str = CANDIDATE) -> Field:
    return layout(HASIL).fields[name]


def paper(strokes: NDArray[np.int64] | int, hand: Hand = HAND, name: str = CANDIDATE, seed: int = 1) -> Gray:
    """A page with strokes in the grid of one field: so many in all, or in every cell."""
    field = grid_field(name)
    assert field.tally is not None
    sheet, scale = printed(HASIL, field.page)
    drawn = np.asarray(cv2.cvtColor(sheet, cv2.COLOR_BGR2GRAY), np.uint8)
    cells = counts(strokes, field.tally) if isinstance(strokes, int) else strokes
    draw(drawn, scale, field.tally, cells, hand, seed)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.6), np.uint8)


def read(page: Gray, name: str = CANDIDATE, move: tuple[float, float] = (0.0, 0.0)) -> StrokeReading:
    """Reads the grid of a page that is taken to lie `move` millimetres beside where it is."""
    field = grid_field(name)
    assert field.tally is not None
    _, scale = printed(HASIL, field.page)
    homography = np.array([[scale, 0, scale * move[0]], [0, scale, scale * move[1]], [0, 0, 1.0]])
    return read_strokes(cut_tally(page, field, homography), field.tally)


def pixels(row: int, column: int) -> tuple[slice, slice]:
    """Where a cell of the grid is on the page."""
    area, (_, scale) = tally_area(), printed(HASIL, grid_field().page)
    height, width = area[3] / 5 * scale, area[2] / 12 * scale
    top, left = round(area[1] * scale + row * height), round(area[0] * scale + column * width)
    return slice(top, top + round(height)), slice(left, left + round(width))


def tally_area() -> tuple[float, float, float, float]:
    grid = grid_field().tally
    assert grid is not None
    return grid.area.x, grid.area.y, grid.area.w, grid.area.h


def peak(values: NDArray[np.float64]) -> int:
    return int(np.argmax(values))


def says_nothing(values: NDArray[np.float64]) -> bool:
    return bool(values.max() < 1.5 * values.min())


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("total", [60, 87, 128])
def test_everybody_draws_strokes_in_another_way(habit: str, total: int) -> None:
    found = read(paper(total, replace(HAND, habit=habit)))
    assert number(found) == total
    assert peak(likelihood(found, NUMBERS)) == total


@pytest.mark.parametrize("last", [1, 2, 3, 4])
@pytest.mark.parametrize("habit", ["slash up", "five upright", "box"])
def test_the_last_cell_is_not_full(habit: str, last: int) -> None:
    assert number(read(paper(35 + last, replace(HAND, habit=habit)))) == 35 + last


@pytest.mark.parametrize(
    "hand",
    [
        replace(HAND, pen=0.5, grey=110),
        replace(HAND, pen=1.4, grey=20),
        replace(HAND, lean=0.3),
        replace(HAND, lean=-0.25, bow=0.03),
        replace(HAND, uneven=0.04),
    ],
    ids=["faint", "marker", "leaning", "back", "uneven"],
)
def test_the_hand_is_faint_thick_leaning_or_uneven(hand: Hand) -> None:
    assert number(read(paper(87, hand))) == 87


def test_the_strokes_are_small_and_touch() -> None:
    """What a person must count twice is said to be unclear, and still speaks for the number."""
    found = read(paper(87, replace(HAND, width=0.5, height=0.45)))
    assert number(found) in (87, None)
    assert peak(likelihood(found, NUMBERS)) == 87


def test_only_a_few_votes_are_invalid() -> None:
    assert number(read(paper(4, name=INVALID), INVALID)) == 4
    assert number(read(paper(7, name=INVALID), INVALID)) == 7


def test_the_whole_grid_is_full() -> None:
    found = read(paper(300))
    assert number(found) == 300
    weights = likelihood(found, NUMBERS)
    assert weights[300] == weights[305] == weights.max()


# --- the picture


@pytest.mark.parametrize("move", [(1.0, 0.0), (0.0, -1.0), (-1.0, 1.0)])
def test_the_page_is_taken_to_lie_a_millimetre_beside_its_place(move: tuple[float, float]) -> None:
    assert number(read(paper(128), move=move)) == 128


def test_a_shadow_lies_over_half_of_the_grid() -> None:
    page = paper(128)
    light = np.interp(np.arange(page.shape[1]), [1050, 1090], [0.45, 1.0])
    assert number(read(np.asarray(page * light, np.uint8))) == 128


def test_the_picture_is_slightly_blurred_and_noisy() -> None:
    blurred = cv2.GaussianBlur(paper(128), (0, 0), 1.5).astype(np.float64)
    noisy = blurred + np.random.default_rng(3).normal(0, 5, blurred.shape)
    assert number(read(np.asarray(np.clip(noisy, 0, 255), np.uint8))) == 128


def test_the_paper_is_bent() -> None:
    page = paper(128)
    bow = 5 * np.cos(np.linspace(-2, 2, page.shape[1]))
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]].astype(np.float32)
    bent = cv2.remap(page, columns, (rows + bow).astype(np.float32), cv2.INTER_LINEAR, borderValue=255)
    assert number(read(np.asarray(bent, np.uint8))) == 128


# --- what people do


@pytest.mark.parametrize("hand", [replace(HAND, width=1.1), replace(HAND, height=1.1), replace(HAND, move=(0.15, 0.1))])
def test_strokes_cross_the_border_of_their_cell(hand: Hand) -> None:
    found = read(paper(87, hand))
    assert number(found) in (87, None)
    assert peak(likelihood(found, NUMBERS)) == 87


def test_a_row_is_left_half_empty() -> None:
    grid = grid_field().tally
    assert grid is not None
    strokes = counts(35, grid) + np.roll(counts(23, grid), 1, axis=0)
    assert number(read(paper(strokes))) == 58


def test_nobody_drew_strokes() -> None:
    """Left out is not zero."""
    found = read(paper(0))
    assert number(found) is None
    assert says_nothing(likelihood(found, NUMBERS))
    assert peak(totals(found)) == 0


def test_somebody_scribbled_in_the_grid() -> None:
    page = paper(87)
    points = np.random.default_rng(5).uniform(0.1, 0.9, (40, 2))
    rows, columns = pixels(2, 8)
    ends = points * (columns.stop - columns.start, rows.stop - rows.start) + (columns.start, rows.start)
    cv2.polylines(page, [np.round(ends).astype(np.int32)], False, 40, 3)
    found = read(page)
    assert max(found.rows[2][8]) < 0.5
    assert number(found) is None


def test_empty_cells_are_struck_out() -> None:
    page = paper(87)
    (top, _), (_, right) = pixels(1, 8), pixels(4, 11)
    bottom, left = pixels(4, 11)[0].stop, pixels(1, 8)[1].start
    cv2.line(page, (left, top.start), (right.stop, bottom), 40, 4)
    found = read(page)
    assert number(found) is None
    assert peak(likelihood(found, NUMBERS)) == 87


def test_a_stroke_is_forgotten_in_the_middle() -> None:
    """Three upright strokes and one across: four are drawn, five may be meant."""
    page = paper(87)
    rows, columns = pixels(0, 4)
    cell = page[rows, columns]
    cell[5:-5, round(0.55 * cell.shape[1]) : round(0.65 * cell.shape[1])] = 250
    found = read(page)
    assert number(found) is None
    weights = likelihood(found, NUMBERS)
    assert weights[86] + weights[87] > 0.8


def test_the_number_beside_the_strokes_is_off_by_one() -> None:
    """People slip; strokes speak against a number, and never forbid it."""
    weights = likelihood(read(paper(128)), NUMBERS)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[128] > 30 * weights[127] > 30 * weights[131] > 0
    assert weights[128] > 1000 * weights[900] > 0
