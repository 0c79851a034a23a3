"""Whether blur, glare and shadow over a box are told by its print, whoever wrote in it and with what."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from firmware.capture.sharpness import PLACE, print_around, sharpness, visibility
from firmware.records import CELL_PIXELS, Gray

PENS = {"blank": (0, 0), "light pencil": (1, 150), "thick pen": (5, 20)}
FAR = CELL_PIXELS - 1 - PLACE


def box(pen: str, blur: float = 0.0, paper: int = 220) -> Gray:
    """A printed box, four times as fine, with a digit across its border, seen through a lens."""
    fine = 4
    large = np.full((fine * CELL_PIXELS, fine * CELL_PIXELS), paper, np.uint8)
    cv2.rectangle(large, (fine * PLACE, fine * PLACE), (fine * FAR, fine * FAR), 30, 2 * fine)
    width, grey = PENS[pen]
    if width:
        cv2.line(large, (fine * 20, fine * 2), (fine * 26, fine * 46), grey, width * fine)
        cv2.circle(large, (fine * 24, fine * 24), fine * 9, grey, width * fine)
    small = cv2.resize(large, (CELL_PIXELS, CELL_PIXELS), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), blur) if blur else small, np.uint8)


def page(*cells: Gray) -> Gray:
    """Cells among eight that nothing is wrong with."""
    return np.stack([*cells, *[box("thick pen")] * 8])


@pytest.mark.parametrize("blur", [0.0, 1.0, 1.5, 2.5])
def test_blur_is_the_same_for_a_pencil_a_thick_pen_and_a_blank_box(blur: float) -> None:
    shares = sharpness(print_around(np.stack([box(pen, blur) for pen in PENS])))
    assert np.ptp(shares) < 0.1


def test_a_more_blurred_box_is_less_sharp() -> None:
    shares = sharpness(print_around(np.stack([box("thick pen", blur) for blur in (0.0, 1.5, 2.0, 3.0)])))
    assert shares[0] == 1.0
    assert (np.diff(shares) < -0.05).all()


def test_the_lamp_shines_on_one_box() -> None:
    glare = np.asarray(255 - (255 - box("light pencil").astype(np.int16)) // 5, np.uint8)
    seen = visibility(print_around(page(glare)))
    assert seen[0] < 0.5
    assert seen[1:].min() == 1.0


def test_a_hand_throws_its_shadow_on_one_box() -> None:
    shadow = box("light pencil")
    shadow[:, CELL_PIXELS // 2 :] //= 6
    seen = visibility(print_around(page(shadow)))
    assert seen[0] < 0.6
    assert seen[1:].min() == 1.0


def test_the_whole_page_lies_in_dim_light() -> None:
    dim = np.asarray(page(box("light pencil")) // 2, np.uint8)
    assert visibility(print_around(dim)).min() > 0.9
