"""What a person is told while they put paper under the camera. The pictures are rendered here, as the camera sees."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from firmware.capture.camera import PREVIEW_SIDE
from firmware.capture.fit import Anchors, posed
from firmware.capture.flaws import Instruction
from firmware.capture.glimpse import drawn
from firmware.capture.guidance import GOOD_SECONDS, Bgr, Guidance, guide
from firmware.capture.picture import frame_from_bytes, glance
from firmware.capture.search import targets_of
from firmware.forms.loader import shipped_layouts
from firmware.messages import LANGUAGES, sentence
from firmware.records import RefusedPage
from tests.photographs import C1, DPR, HASIL, TABLE, jpeg, layout, photograph, pose
from tests.simulators.mishaps import mishaps

SIZE = (720, 960)
"""Width and height of a preview."""
FORMS = tuple(shipped_layouts().values())
INTERVAL = 0.16
PAGES = [(HASIL, 1), (HASIL, 3), (C1, 1), (C1, 2), (DPR, 4)]


def sheet(
    form: str = HASIL, number: int = 2, turn: float = 1.5, fill: float = 0.92, seed: int = 3, blur: float = 0.4
) -> Bgr:
    """A preview of a page that lies on the table."""
    return photograph(form, number, pose(form, SIZE, turn, 0.01, fill, seed), SIZE, blur=blur)


def shifted(picture: Bgr, right: float, down: float) -> Bgr:
    """The paper pushed by so many pixels."""
    move = np.array([[1.0, 0, right], [0, 1.0, down]])
    return np.asarray(cv2.warpAffine(picture, move, SIZE, borderValue=(TABLE,) * 3), np.uint8)


def darker(picture: Bgr, share: float) -> Bgr:
    return np.asarray(picture * share, np.uint8)


def noisy(picture: Bgr, seed: int) -> Bgr:
    noise = np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def glaring(picture: Bgr) -> Bgr:
    """A lamp that is mirrored in the middle of the paper."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    away = ((columns / SIZE[0] - 0.5) / 0.09) ** 2 + ((rows / SIZE[1] - 0.5) / 0.09) ** 2
    return np.asarray(np.clip(picture + 400 * np.exp(-away)[..., None], 0, 255), np.uint8)


def held_down(picture: Bgr) -> Bgr:
    """A hand lies on the page."""
    return np.asarray(cv2.ellipse(picture.copy(), (460, 420), (120, 70), 60, 0, 360, (120, 150, 200), -1), np.uint8)


def smeared(picture: Bgr, pixels: int) -> Bgr:
    kernel = np.full((1, pixels), 1 / pixels, np.float32)
    return np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8)


def watch(*pictures: Bgr, wanted: str = HASIL, held: tuple[int, ...] = ()) -> Guidance:
    """What is said at the last of the pictures, which come one after the other."""
    said: Guidance | None = None
    for count, picture in enumerate(pictures):
        said = guide(picture, {wanted: held}, FORMS, said, 100.0 + count * INTERVAL)
    assert said is not None
    return said


@pytest.mark.parametrize(("form", "number"), PAGES)
def test_a_page_lies_still_and_the_lamp_says_so_after_half_a_second(form: str, number: int) -> None:
    pictures = [noisy(sheet(form, number), seed) for seed in range(6)]
    first, second, last = (watch(*pictures[:count], wanted=form) for count in (1, 2, 6))
    assert first.instruction is Instruction.STILL
    assert (second.instruction, second.page, second.good) == (Instruction.GOOD, number, False)
    assert (last.page, last.good) == (number, True)
    assert 4 * INTERVAL >= GOOD_SECONDS


@pytest.mark.parametrize("turn", [90, 180, 270, -8])
def test_the_paper_lies_turned(turn: float) -> None:
    picture = sheet(turn=turn)
    assert (watch(picture, picture).instruction, watch(picture).page) == (Instruction.GOOD, 2)


@pytest.mark.parametrize("form", [C1, HASIL])
def test_the_camera_looks_from_the_side(form: str) -> None:
    sheet_size = layout(form).width, layout(form).height
    corners = np.array([(0, 0), (sheet_size[0], 0), sheet_size, (0, sheet_size[1])], np.float32)
    seen = np.array([(103, 37), (690, 58), (676, 921), (30, 878)], np.float32)
    picture = photograph(form, 1, cv2.getPerspectiveTransform(corners, seen).astype(float), SIZE, blur=0.4)
    assert watch(picture, picture, wanted=form).instruction is Instruction.GOOD


def test_the_outline_is_where_the_sheet_is() -> None:
    homography = pose(HASIL, SIZE, 1.5, 0.01, 0.92, 3)
    outline = watch(sheet()).outline
    assert outline is not None
    corners = np.array([(0, 0), (600, 0), (600, 900), (0, 900)], float)
    expected = cv2.perspectiveTransform(corners[None], homography)[0] / SIZE
    assert np.abs(np.array(outline) - expected).max() < 0.005


@cache
def wrong_pictures() -> dict[str, tuple[Bgr, Instruction]]:
    table = np.full((SIZE[1], SIZE[0], 3), TABLE, np.uint8)
    white = np.full_like(table, TABLE)
    white[200:800, 100:600] = 230
    return {
        "nothing": (table, Instruction.NO_PAPER),
        "a white table": (np.full_like(table, 220), Instruction.NO_PAPER),
        "a blank sheet": (white, Instruction.NO_PAPER),
        "no light": (darker(sheet(), 0.15), Instruction.TOO_DARK),
        "little light": (darker(sheet(), 0.24), Instruction.TOO_DARK),
        "far away": (sheet(fill=0.45), Instruction.CLOSER),
        "cut at the side": (shifted(sheet(), 150, 0), Instruction.BACK),
        "cut at the top": (shifted(sheet(), 0, -160), Instruction.BACK),
        "half of it": (shifted(sheet(), 0, 480), Instruction.BACK),
        "a lamp in the paper": (glaring(sheet()), Instruction.GLARE),
        "a hand on the numbers": (held_down(sheet()), Instruction.COVERED),
        "out of focus": (sheet(blur=5.0), Instruction.BLURRED),
        "another form": (sheet(DPR, 1), Instruction.OTHER_FORM),
        "an old form": (sheet(C1, 1), Instruction.OTHER_FORM),
    }


@pytest.mark.parametrize("what", wrong_pictures())
def test_something_is_wrong_and_the_most_important_thing_is_said(what: str) -> None:
    picture, said = wrong_pictures()[what]
    guidance = watch(picture, picture)
    assert guidance.instruction is said
    assert not watch(*[picture] * 6).good


def test_the_hand_moves_while_the_sensor_looks() -> None:
    assert watch(smeared(sheet(), 25)).instruction is Instruction.BLURRED


def test_the_paper_is_pushed_and_then_lies_still() -> None:
    picture = sheet()
    pushed = [shifted(picture, right, 0) for right in (0, 6, 12, 18)]
    assert watch(*pushed).instruction is Instruction.STILL
    assert watch(*pushed, pushed[-1]).instruction is Instruction.GOOD


def test_a_page_that_moves_must_be_good_for_half_a_second_anew() -> None:
    picture, pushed = sheet(), shifted(sheet(), 8, 0)
    good = watch(*[picture] * 6)
    assert good.good
    after = guide(pushed, {HASIL: ()}, FORMS, good, 101.0)
    again = guide(pushed, {HASIL: ()}, FORMS, after, 101.2)
    assert (after.good, again.instruction, again.good) == (False, Instruction.GOOD, False)


def test_a_page_that_has_been_taken_lies_there_still() -> None:
    picture = sheet()
    said = watch(*[picture] * 5, held=(2,))
    assert (said.instruction, said.good) == (Instruction.HELD, False)
    assert sentence(said.key, "id", **said.values) == "Halaman 2 dari 3 sudah ada"


def test_the_page_under_the_camera_is_taken_at_this_moment() -> None:
    picture = sheet()
    good = watch(*[picture] * 6)
    assert guide(picture, {HASIL: (2,)}, FORMS, good, 102.0).instruction is Instruction.HELD


def test_another_page_of_the_same_lines_comes_into_its_place() -> None:
    """Four pages of this form have the same printed lines; only the tag tells them apart."""
    said = watch(*[sheet(DPR, 3)] * 4, *[sheet(DPR, 4)] * 2, wanted=DPR)
    assert (said.page, said.good) == (4, False)


def test_the_tag_of_a_page_that_others_resemble_is_covered() -> None:
    picture = sheet(DPR, 3)
    homography = pose(DPR, SIZE, 1.5, 0.01, 0.92, 3)
    box = layout(DPR).page(3).identity.box
    thumb = cv2.perspectiveTransform(np.array([[(box.x + box.w / 2, box.y + box.h / 2)]]), homography)[0, 0]
    cv2.circle(picture, (round(thumb[0]), round(thumb[1])), 34, (110, 140, 190), -1)
    said = watch(picture, picture, wanted=DPR)
    assert (said.instruction, said.page) == (Instruction.UNCLEAR, None)


@pytest.mark.parametrize("flat", [(1.0, 1.0, 0.0), (0.0, 0.0, 0.0)])
def test_a_guess_folds_the_page_into_a_line(flat: tuple[float, float, float]) -> None:
    """What a tag and two wrong marks can lead to: it is given up, and nothing breaks."""
    gray = cv2.cvtColor(sheet(), cv2.COLOR_BGR2GRAY)
    lines = targets_of([layout(HASIL)])[1].lines
    guess = np.array([flat, flat, (0.0, 0.0, 1.0)])
    assert drawn(np.asarray(gray, np.uint8), lines, guess) is None
    corner = Anchors(np.zeros((1, 2)), np.zeros((1, 2)), 1.0)
    assert (posed(guess, corner, lines.pose) == guess).all()


def test_noise_alone_makes_no_work() -> None:
    first, second = (noisy(sheet(), seed) for seed in (1, 2))
    before = watch(first)
    assert guide(second, {HASIL: ()}, FORMS, before, 101.0).sight is before.sight


MISHAPS = {
    "empty-table.jpg": {"live.no-paper"},
    "far-away.jpg": {"live.closer"},
    "cut-off.jpg": {"live.back"},
    "in-the-dark.jpg": {"live.too-dark"},
    "moving.jpg": {"live.blurred"},
}
"""What is said to what the demo lays under the camera."""


def test_the_demo_lays_paper_down_wrong() -> None:
    page = jpeg(photograph(HASIL, 1, pose(HASIL, (1500, 2000), 1.0, 0.01), (1500, 2000)))
    said = {}
    for name, data in mishaps(page):
        small = glance(frame_from_bytes(data, name), PREVIEW_SIDE)
        assert not isinstance(small, RefusedPage)
        said[name] = {watch(small, small).key}
    assert said == MISHAPS


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_instruction_is_short_enough_for_the_screen(language: str) -> None:
    for instruction in (*Instruction, "steady"):
        words = sentence(f"live.{instruction}", language, page=2, pages=3).split()
        assert 1 <= len(words) <= 6, instruction
