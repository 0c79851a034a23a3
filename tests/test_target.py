"""The printed target: what is measured on it is what was done to the picture, near and far, straight and tilted."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.capture.target import Missing, Sighting, look
from firmware.forms.pdfium_picture import picture
from firmware.forms.target import HEIGHT, TAGS, WIDTH, target_pdf
from firmware.selftest.finding import Level
from firmware.selftest.sight import judge

Picture = NDArray[np.uint8]
FINE = 8.0
"""Pixels a millimetre of the sheet that is photographed."""
GAUSS_MTF50 = math.sqrt(math.log(2) / 2) / math.pi
"""Cycles a pixel at half contrast of a blur with a standard deviation of one pixel."""


@pytest.fixture(scope="module")
def sheet() -> Picture:
    return np.asarray(30 + picture(target_pdf(), 1, FINE * 25.4).astype(np.float32) * 0.75, np.uint8)


def seen(sheet: Picture, scale: float, blur: float, turn: float = 0.0, lean: float = 0.0) -> Picture:
    """The sheet at `scale` pixels a millimetre, turned by degrees and leaning away, then blurred."""
    wide, high = WIDTH * scale, HEIGHT * scale
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)]) - (wide / 2, high / 2)
    angle = math.radians(turn)
    turned = corners @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turned[:2] *= 1 - lean
    side = round(1.5 * high)
    place = np.asarray(turned + side / 2, np.float32)
    source = np.array([(0, 0), (sheet.shape[1], 0), sheet.shape[1::-1], (0, sheet.shape[0])], np.float32)
    soft = cv2.GaussianBlur(sheet, (0, 0), 0.4 * FINE / scale) if scale < FINE else sheet
    table = np.full((side, side, 3), 90, np.uint8)
    matrix = cv2.getPerspectiveTransform(source, place)
    cv2.warpPerspective(soft, matrix, (side, side), table, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return np.asarray(cv2.cvtColor(cv2.GaussianBlur(table, (0, 0), blur), cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize("scale", [3.0, 5.0])
@pytest.mark.parametrize("blur", [1.5, 2.5])
@pytest.mark.parametrize("turn", [0.0, 90.0, 197.0])
def test_the_blur_that_was_made_is_measured(sheet: Picture, scale: float, blur: float, turn: float) -> None:
    found = look(seen(sheet, scale, blur, turn))
    assert isinstance(found, Sighting)
    assert found.pixels_per_mm == pytest.approx(scale, rel=0.01)
    made = GAUSS_MTF50 / math.hypot(blur, 0.45) * scale
    for place in found.sharpness:
        assert place == pytest.approx(made, rel=0.12)


def test_a_tilted_camera(sheet: Picture) -> None:
    found = look(seen(sheet, 4.0, 1.5, lean=0.15))
    assert isinstance(found, Sighting)
    assert found.worst == pytest.approx(GAUSS_MTF50 / math.hypot(1.5, 0.45) * 4.0, rel=0.25)


def test_a_hand_that_moves(sheet: Picture) -> None:
    """Smeared in one direction only: the worse direction counts."""
    still = look(seen(sheet, 4.0, 1.0))
    kernel = np.full((1, 9), 1 / 9, np.float32)
    smeared = look(np.asarray(cv2.filter2D(seen(sheet, 4.0, 1.0), -1, kernel), np.uint8))
    assert isinstance(still, Sighting)
    assert isinstance(smeared, Sighting)
    assert smeared.worst < 0.4 * still.worst


@pytest.mark.parametrize("tag", list(TAGS))
def test_a_hand_on_a_corner(sheet: Picture, tag: int) -> None:
    box = TAGS[tag]
    covered = sheet.copy()
    left, top = round(box.x * FINE), round(box.y * FINE)
    covered[top : top + round(12 * FINE), left : left + round(24 * FINE)] = 120
    assert look(seen(covered, 4.0, 1.0)) == Missing((tag,))


def test_the_light_is_measured(sheet: Picture) -> None:
    found = look(seen(sheet, 4.0, 1.0))
    assert isinstance(found, Sighting)
    assert min(found.whites) == pytest.approx(221, abs=3)
    assert found.evenness > 0.97
    assert list(found.greys) == sorted(found.greys)
    assert judge(found, 18.0).level is Level.PASSED


@pytest.mark.parametrize(("box_mm", "level"), [(18.0, Level.PASSED), (7.5, Level.FAILED)])
def test_small_boxes_need_a_sharper_picture(sheet: Picture, box_mm: float, level: Level) -> None:
    """A camera over a wall sheet is good enough for its boxes of 18 mm, and not for those of an A4 form."""
    found = look(seen(sheet, 3.3, 1.6))
    assert isinstance(found, Sighting)
    assert judge(found, box_mm).level is level


def test_the_sheet_is_the_same_every_time() -> None:
    assert target_pdf() == target_pdf()
