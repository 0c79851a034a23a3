"""Whether the cells of a photographed form are found where they are, or the picture is refused."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from firmware.capture.fit import Anchors, corrected
from firmware.capture.page import take_page
from firmware.capture.recognition import box_corners
from firmware.capture.registration import Lines, Placement, register
from firmware.capture.rulings import Probe, cell_side, cut, project
from firmware.capture.search import Located, Lost, find_page
from firmware.forms.layout import Rect
from firmware.forms.loader import shipped_layouts
from firmware.records import CELL_PIXELS, Matrix, Page, PageRefusal, RefusedPage
from tests.photographs import C1, DPR, HASIL, Picture, frame, layout, photograph, pose
from tests.simulators.paper.level import LEVELS
from tests.simulators.paper.table import table

LAYOUTS = tuple(shipped_layouts().values())
PHONE = (1800, 2400)
KIOSK_2_MEGAPIXELS = (1224, 1632)
MOST_ERROR_CELLS = 0.06
"""Of a cell's side, and never more than half a millimetre."""
MOST_ERROR_MM = 0.5


def located(picture: Picture) -> Located | Lost:
    return find_page(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), LAYOUTS)


def tilted(form: str, degrees: float, side: float) -> Matrix:
    """Page mm to pixels of a camera, two heights of the sheet away, that looks `degrees` aslant from a side."""
    sheet, (width, height) = layout(form), PHONE
    corners = np.array([(0, 0), (sheet.width, 0), (sheet.width, sheet.height), (0, sheet.height)], dtype=float)
    flat = (corners - corners.mean(axis=0)) / sheet.height
    towards = np.array([np.cos(np.radians(side)), np.sin(np.radians(side))])
    along, lean = (flat @ towards)[:, None], np.radians(degrees)
    seen = (flat - along * towards * (1 - np.cos(lean))) / (2 + along * np.sin(lean))
    seen *= 0.94 * min(width / np.ptp(seen[:, 0]), height / np.ptp(seen[:, 1]))
    seen += np.array([width / 2, height / 2]) - (seen.max(axis=0) + seen.min(axis=0)) / 2
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32)), dtype=float)


def worst_error(found: Located, truth: Matrix) -> float:
    """mm on the paper: the corner of a cell that is farthest from where it is."""
    page = found.known.page
    back = np.asarray(np.linalg.inv(truth), dtype=float)
    errors = []
    for field in page.fields:
        for cell in field.cells:
            corners = box_corners(cell)
            seen = project(back, project(found.placement.fields[field.id], corners))
            errors.append(float(np.linalg.norm(seen - corners, axis=1).max()))
    return max(errors)


def assert_found(picture: Picture, truth: Matrix, form: str, number: int) -> Located:
    found = located(picture)
    assert isinstance(found, Located), found
    assert (found.known.form.id, found.known.page.number) == (form, number)
    assert worst_error(found, truth) < min(MOST_ERROR_MM, MOST_ERROR_CELLS * cell_side(found.known.page))
    return found


def refusal(picture: Picture) -> PageRefusal:
    outcome = take_page(frame(picture), LAYOUTS)
    assert isinstance(outcome, RefusedPage), outcome
    return outcome.reason


def cover(picture: Picture, truth: Matrix, area: Rect, grey: int) -> Picture:
    """Something lies on the page: an opaque patch over `area` (mm)."""
    patched = picture.copy()
    cv2.fillConvexPoly(patched, np.round(project(truth, box_corners(area))).astype(np.int32), (grey, grey, grey))
    return patched


EVERY_PAGE = [(form.id, page.number) for form in LAYOUTS for page in form.pages]


@pytest.mark.parametrize(("form", "number"), EVERY_PAGE)
def test_a_page_lies_a_little_askew(form: str, number: int) -> None:
    truth = pose(form, PHONE, turn=1.4, lean=0.01, seed=number)
    found = assert_found(photograph(form, number, truth, PHONE), truth, form, number)
    assert found.placement.geometry.marks == ("TL", "TR", "BL", "BR")
    assert found.placement.geometry.support > 0.9


@pytest.mark.parametrize("turn", [90.0, 180.0, 270.0, 33.0, 147.0])
@pytest.mark.parametrize(("form", "number"), [(C1, 1), (C1, 2), (HASIL, 2)])
def test_a_page_lies_turned(form: str, number: int, turn: float) -> None:
    size = (2400, 2400)
    truth = pose(form, size, turn=turn)
    assert_found(photograph(form, number, truth, size), truth, form, number)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("form", "number"), [(HASIL, 1), (HASIL, 2), (HASIL, 3), (DPR, 2)])
def test_a_page_is_photographed_from_the_side(form: str, number: int, seed: int) -> None:
    truth = pose(form, PHONE, turn=5.0, lean=0.09, seed=seed)
    assert_found(photograph(form, number, truth, PHONE), truth, form, number)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [1, 2])
def test_a_page_without_a_tag_is_photographed_from_the_side(number: int, seed: int) -> None:
    """Its barcode is illegible and its lines are far from parallel; its four marks lead to it."""
    truth = pose(C1, PHONE, turn=9.0, lean=0.08, fill=0.9, seed=seed)
    assert_found(photograph(C1, number, truth, PHONE), truth, C1, number)


@pytest.mark.parametrize(
    ("form", "number", "side"), [(HASIL, 1, 0.0), (HASIL, 3, 80.0), (HASIL, 2, 315.0), (DPR, 1, 315.0), (C1, 1, 315.0)]
)
def test_the_camera_looks_at_the_page_35_degrees_aslant(form: str, number: int, side: float) -> None:
    truth = tilted(form, 35.0, side)
    assert_found(photograph(form, number, truth, PHONE), truth, form, number)


@pytest.mark.parametrize(("form", "number"), [(HASIL, 2), (C1, 1)])
def test_the_paper_was_folded_and_opened_again(form: str, number: int) -> None:
    """Its ridge stands up by 3 mm on A4 and throws light and shade: the cells beside it follow."""
    truth = pose(form, PHONE, turn=1.0)
    field = layout(form).page(number).fields[-1]
    at = project(truth, box_corners(field.cells[0]))[:, 1].max() + 4
    rows = np.arange(PHONE[1], dtype=np.float32)[:, None] - np.float32(at)
    rise = (0.004 * PHONE[1] * np.exp(-np.abs(rows) / (0.05 * PHONE[1]))).astype(np.float32)
    y, x = np.mgrid[0 : PHONE[1], 0 : PHONE[0]].astype(np.float32)
    risen = cv2.remap(photograph(form, number, truth, PHONE), x, y + rise, cv2.INTER_LINEAR)
    light = 1 - 0.25 * np.tanh(rows / 2) * np.exp(-np.abs(rows) / (0.05 * PHONE[1]))
    found = located(np.asarray(np.clip(risen * light[..., None], 0, 255), np.uint8))
    assert isinstance(found, Located), found
    for cell in field.cells:
        seen = project(found.placement.fields[field.id], box_corners(cell))
        below = seen + np.stack([np.zeros(4), np.interp(seen[:, 1], rows[:, 0] + at, rise[:, 0])], axis=1)
        away = np.linalg.norm(project(np.asarray(np.linalg.inv(truth), float), below) - box_corners(cell), axis=1).max()
        assert away < MOST_ERROR_CELLS * cell_side(found.known.page)


@pytest.mark.parametrize("slope", [0.0, 0.4])
@pytest.mark.parametrize(("form", "number"), [(HASIL, 2), (C1, 1)])
def test_the_edge_of_a_shadow_runs_across_the_marks(form: str, number: int, slope: float) -> None:
    truth = pose(form, PHONE, turn=1.0)
    marks = project(
        truth, np.array([(mark.squares[0].x, mark.squares[0].y) for mark in layout(form).page(number).marks])
    )
    rows, columns = np.mgrid[: PHONE[1], : PHONE[0]]
    dark = columns - marks[0, 0] - slope * (rows - marks[0, 1]) < 6
    shaded = np.where(
        dark[..., None], photograph(form, number, truth, PHONE) * 0.3, photograph(form, number, truth, PHONE)
    )
    found = assert_found(np.asarray(shaded, np.uint8), truth, form, number)
    assert found.placement.geometry.marks == ("TL", "TR", "BL", "BR")


@pytest.mark.parametrize(("form", "number"), [(HASIL, 1), (HASIL, 2), (C1, 2)])
def test_one_lamp_far_away_lights_the_page(form: str, number: int) -> None:
    """A quarter of the light, and the noise of a small sensor."""
    truth = pose(form, PHONE, turn=2.0, lean=0.02)
    noise = np.random.default_rng(number).normal(0, 4, (PHONE[1], PHONE[0], 3))
    dim = np.clip(photograph(form, number, truth, PHONE) * 0.25 + noise, 0, 255)
    assert_found(np.asarray(dim, np.uint8), truth, form, number)


@pytest.mark.parametrize(("form", "number"), [(HASIL, 2), (C1, 1)])
def test_the_page_is_photographed_from_a_screen(form: str, number: int) -> None:
    """Its pixels beat with those of the camera: stripes of colour in both directions, on a black frame."""
    truth = pose(form, PHONE, turn=1.0, lean=0.02)
    rows, columns = np.mgrid[: PHONE[1], : PHONE[0]].astype(np.float32)
    beat = [1 + 0.12 * np.sin(columns / 3.1 + shift) + 0.12 * np.sin(rows / 17 + shift) for shift in (0, 2, 4)]
    frame_of_it = np.full((PHONE[1], PHONE[0], 3), 12, np.uint8)
    seen = photograph(form, number, truth, PHONE, frame_of_it) * np.stack(beat, axis=2)
    assert_found(np.asarray(np.clip(seen, 0, 255), np.uint8), truth, form, number)


@pytest.mark.parametrize("column", [-1, 1, 3])
def test_the_search_starts_some_columns_aside(column: int) -> None:
    """Nearly all lines of a table fall on other lines then; the page is not taken for being there."""
    truth = pose(C1, PHONE, turn=1.0)
    gray = np.asarray(cv2.cvtColor(photograph(C1, 1, truth, PHONE), cv2.COLOR_BGR2GRAY), np.uint8)
    lines = Lines.of(layout(C1).page(1))
    aside = truth @ np.array([[1, 0, column * layout(C1).page(1).fields[0].cells[0].w], [0, 1, 0], [0, 0, 1.0]])
    placed = register(gray, lines, aside)
    if isinstance(placed, Placement):
        there = project(placed.geometry.homography, lines.pieces.centre)
        assert np.abs(there - project(truth, lines.pieces.centre)).max() < 4.0


@pytest.mark.parametrize("number", [1, 2])
def test_a_2_megapixel_picture_of_a4_whose_barcode_is_illegible(number: int) -> None:
    truth = pose(C1, KIOSK_2_MEGAPIXELS, turn=1.0, lean=0.02, fill=0.97, seed=number)
    assert_found(photograph(C1, number, truth, KIOSK_2_MEGAPIXELS), truth, C1, number)


def test_the_paper_is_not_flat() -> None:
    """A bulge moves one table by a millimetre; its cells follow."""
    truth = pose(C1, PHONE, turn=0.5)
    picture = photograph(C1, 1, truth, PHONE)
    y, x = np.mgrid[0 : PHONE[1], 0 : PHONE[0]].astype(np.float32)
    middle = project(truth, np.array([(185.0, 215.0)]))[0]
    swell = 8.0 * np.exp(-(((x - middle[0]) / 500) ** 2 + ((y - middle[1]) / 330) ** 2))
    bulged = np.asarray(cv2.remap(picture, x, (y + swell).astype(np.float32), cv2.INTER_LINEAR), np.uint8)
    found = located(bulged)
    assert isinstance(found, Located)
    cell = found.known.form.fields["surat_suara_sisa"].cells[1]
    there = project(found.placement.fields["surat_suara_sisa"], box_corners(cell)).mean(axis=0)
    flat = project(truth, box_corners(cell)).mean(axis=0)
    moved = 8.0 * np.exp(-(((there[0] - middle[0]) / 500) ** 2 + ((there[1] - middle[1]) / 330) ** 2))
    scale = PHONE[1] * 0.92 / 297
    assert abs(flat[1] - there[1] - moved) < 0.3 * scale


def test_a_corner_mark_is_torn_off_or_covered() -> None:
    truth = pose(HASIL, PHONE, turn=2.0, lean=0.02)
    picture = photograph(HASIL, 2, truth, PHONE)
    for corner in (Rect(20, 40, 50, 50), Rect(530, 850, 50, 40)):
        picture = cover(picture, truth, corner, 240)
    found = assert_found(picture, truth, HASIL, 2)
    assert found.placement.geometry.marks == ("TR", "BL")


def test_the_tag_is_covered_and_the_lines_tell_the_page() -> None:
    truth = pose(HASIL, PHONE, turn=2.0)
    tag = Rect(480, 95, 60, 60)
    assert_found(cover(photograph(HASIL, 2, truth, PHONE), truth, tag, 250), truth, HASIL, 2)


def test_the_tag_is_covered_and_another_page_has_the_same_lines() -> None:
    """Party pages differ in their tag and words only: without the tag none of them is proven."""
    truth = pose(DPR, PHONE, turn=2.0)
    box = layout(DPR).pages[2].identity.box
    tag = Rect(box.x - 4, box.y - 4, box.w + 8, box.h + 8)
    assert refusal(cover(photograph(DPR, 3, truth, PHONE), truth, tag, 250)) in (
        PageRefusal.NO_FORM,
        PageRefusal.NOT_REGISTERED,
    )


@pytest.mark.parametrize(("form", "number"), [(C1, 1), (HASIL, 2), (DPR, 2)])
@pytest.mark.parametrize("shown", [0.45, 0.6])
def test_half_of_the_page_is_outside_of_the_picture(form: str, number: int, shown: float) -> None:
    truth = pose(form, PHONE)
    picture = photograph(form, number, truth, PHONE)
    assert refusal(picture[: int(PHONE[1] * shown)]) in (PageRefusal.NO_FORM, PageRefusal.NOT_REGISTERED)


@pytest.mark.parametrize(("form", "number", "field"), [(C1, 1, "surat_suara_sisa"), (HASIL, 2, "suara_3")])
def test_a_hand_lies_on_the_numbers(form: str, number: int, field: str) -> None:
    truth = pose(form, PHONE, turn=1.0)
    cell = layout(form).fields[field].cells[0]
    hand = Rect(cell.x - 2 * cell.w, cell.y - 4 * cell.h, 8 * cell.w, 9 * cell.h)
    assert refusal(cover(photograph(form, number, truth, PHONE), truth, hand, 150)) is PageRefusal.NOT_REGISTERED


@pytest.mark.parametrize(("form", "pages"), [(C1, (1, 2)), (C1, (1, 1)), (HASIL, (2, 3)), (HASIL, (1, 1))])
def test_two_forms_lie_side_by_side(form: str, pages: tuple[int, int]) -> None:
    size = (2800, 2000)
    left = pose(form, (1400, 2000), turn=1.0, fill=0.95)
    right = np.array([[1, 0, 1400], [0, 1, 0], [0, 0, 1.0]]) @ pose(form, (1400, 2000), turn=-1.0, fill=0.95)
    picture = photograph(form, pages[1], right, size, photograph(form, pages[0], left, size))
    assert refusal(picture) is PageRefusal.TWO_FORMS


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("shown", [0.35, 0.6])
@pytest.mark.parametrize(("form", "pages"), [(C1, (1, 2)), (C1, (2, 1)), (HASIL, (2, 3)), (DPR, (3, 4))])
def test_part_of_a_second_form_is_in_the_picture(form: str, pages: tuple[int, int], shown: float, below: bool) -> None:
    """Whichever of the two is whole, nobody can know that it is the one that was meant."""
    whole, other = (
        photograph(form, number, pose(form, PHONE, turn=turn), PHONE)
        for number, turn in zip(pages, (1, 4), strict=True)
    )
    part = other[: round(shown * PHONE[1])] if below else other[:, : round(shown * PHONE[0])]
    assert refusal(np.concatenate([whole, part], axis=0 if below else 1)) is PageRefusal.TWO_FORMS


@pytest.mark.parametrize("form", [C1, HASIL])
def test_a_second_form_looks_out_from_under_the_first(form: str) -> None:
    size = (2400, 2400)
    under = photograph(form, 2, pose(form, size, turn=12.0, fill=0.95), size)
    aside = np.array([[1, 0, -500], [0, 1, 0], [0, 0, 1.0]]) @ pose(form, size, turn=1.0, fill=0.9)
    assert refusal(photograph(form, 1, aside, size, under)) is PageRefusal.TWO_FORMS


@pytest.mark.parametrize(("form", "number"), [(C1, 1), (HASIL, 2)])
def test_other_paper_and_things_lie_around_the_page(form: str, number: int) -> None:
    """Letters, a pen, a telephone and a glass; and the margin of another form: the page is taken."""
    truth = pose(form, PHONE, turn=1.0, fill=0.8)
    crowded = replace(LEVELS["hard"], clutter=1.0)
    for seed in range(3):
        desk = table(PHONE, crowded, np.zeros((4, 2)), np.random.default_rng(seed))
        assert_found(photograph(form, number, truth, PHONE, desk), truth, form, number)
    margin = photograph(form, 2, pose(form, PHONE, turn=1.0), PHONE)[:, : round(0.08 * PHONE[0])]
    assert_found(np.concatenate([photograph(form, number, truth, PHONE), margin], axis=1), truth, form, number)


def test_a_page_of_a_form_that_nobody_asked_for() -> None:
    truth = pose(HASIL, PHONE, turn=1.0)
    outcome = take_page(frame(photograph(HASIL, 2, truth, PHONE)), [layout(DPR), layout(C1)])
    assert isinstance(outcome, RefusedPage)
    assert outcome.reason is PageRefusal.OTHER_FORM


@pytest.mark.parametrize(("form", "number"), EVERY_PAGE)
def test_a_mirrored_picture(form: str, number: int) -> None:
    truth = pose(form, PHONE, turn=1.0)
    mirrored = np.ascontiguousarray(photograph(form, number, truth, PHONE)[:, ::-1])
    assert refusal(mirrored) in (PageRefusal.NO_FORM, PageRefusal.NOT_REGISTERED)


@pytest.mark.parametrize(("form", "number"), [(C1, 1), (HASIL, 2)])
def test_the_camera_moved(form: str, number: int) -> None:
    truth = pose(form, PHONE, turn=1.0)
    shaken = cv2.GaussianBlur(photograph(form, number, truth, PHONE), (0, 0), 7.0)
    assert refusal(np.asarray(shaken, np.uint8)) is PageRefusal.BLURRED


def test_cells_bubbles_and_strips_show_their_field() -> None:
    truth = pose(HASIL, PHONE, turn=3.0, lean=0.03)
    picture = photograph(HASIL, 2, truth, PHONE)
    field = layout(HASIL).fields["suara_2"]
    assert field.bubbles is not None
    x, y = field.bubbles.centres[1][7]
    half = 0.35 * field.bubbles.diameter
    picture = cover(picture, truth, Rect(x - half, y - half, 2 * half, 2 * half), 20)
    box = field.cells[2]
    picture = cover(picture, truth, Rect(box.x + 0.4 * box.w, box.y + 0.2 * box.h, 0.2 * box.w, 0.6 * box.h), 20)

    page = take_page(frame(picture), LAYOUTS)

    assert isinstance(page, Page)
    assert len(page.cells) == 9
    assert len(page.bubbles) == 9
    cells = {(cell.field, cell.index): cell for cell in page.cells}
    inked, blank = cells["suara_2", 2].gray, cells["suara_2", 0].gray
    assert inked.shape == (CELL_PIXELS, CELL_PIXELS)
    middle = slice(CELL_PIXELS // 2 - 2, CELL_PIXELS // 2 + 2)
    assert inked[middle, middle].mean() < 90 < 180 < blank[middle, middle].mean()
    column = next(b for b in page.bubbles if (b.field, b.index) == ("suara_2", 1)).gray
    ink = 255 - column[:, 8:16, 8:16].mean(axis=(1, 2))
    assert int(np.argmax(ink)) == 7
    strip = next(s for s in page.strips if s.field == "suara_2").bgr
    assert strip.shape[1] == 300
    assert strip.shape[2] == 3


def test_a_blurred_cell_is_less_sharp() -> None:
    truth = pose(HASIL, PHONE, turn=1.0)
    sharp = photograph(HASIL, 2, truth, PHONE, blur=0.5)
    soft = photograph(HASIL, 2, truth, PHONE, blur=2.5)
    figures = []
    for picture in (sharp, soft):
        page = take_page(frame(picture), LAYOUTS)
        assert isinstance(page, Page)
        figures.append(float(np.median([cell.sharpness for cell in page.cells])))
    assert figures[1] < 0.7 * figures[0]


def test_a_picture_without_a_form_leads_to_a_nonsensical_guess() -> None:
    """Guesses and marks of all sizes, most of which no sheet of paper can have: nothing breaks, nothing is lost."""
    rng = np.random.default_rng(0)
    nothing = cut((), 1.0), Probe(np.zeros(0), np.zeros(0))
    unchanged = 0
    for _ in range(400):
        guess = rng.normal(size=(3, 3)) * 10.0 ** rng.uniform(-8, 8, (3, 3))
        places = [rng.normal(size=(6, 2)) * 10.0 ** rng.uniform(-3, 6) for _ in range(2)]
        found = corrected(guess, *nothing, Anchors(places[0], places[1], 1.0))
        assert found.shape == (3, 3)
        unchanged += bool((found == guess).all())
    assert 0 < unchanged < 400
