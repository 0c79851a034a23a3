"""One press gives several pictures: the sharpest usable one is taken, and what is missing on a page is said."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from firmware.capture.burst import MOST_TRIED, choose, sharpness
from firmware.capture.missing import explained
from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.forms.loader import shipped_layouts
from firmware.records import Frame, Geometry, Page, PageRefusal, RefusedPage
from tests.photographs import C1, DPR, HASIL, Picture, frame, layout, photograph, pose

PHONE = (1500, 2000)
FORMS = tuple(shipped_layouts().values())


@cache
def page(form: str = HASIL, number: int = 2) -> Picture:
    return photograph(form, number, pose(form, PHONE, 1.0, 0.01, 0.92, 5), PHONE)


def smeared(picture: Picture, pixels: int) -> Picture:
    """The hand moved by so many pixels while the sensor looked."""
    return np.asarray(cv2.filter2D(picture, -1, np.full((1, pixels), 1 / pixels, np.float32)), np.uint8)


def burst(*movements: int) -> list[Frame]:
    return [frame(smeared(page(), pixels)) for pixels in movements]


class Reader:
    """Recognises what it is told to, and remembers what it was asked."""

    def __init__(self, *refusals: PageRefusal | None) -> None:
        self.seen: list[Frame] = []
        self._refusals = list(refusals)

    def __call__(self, given: Frame) -> Page | RefusedPage:
        self.seen.append(given)
        reason = self._refusals.pop(0)
        if reason is not None:
            return RefusedPage(given, reason)
        return Page(HASIL, 2, given, Geometry(np.eye(3), (), 0.0, 1.0), (), (), ())


@pytest.mark.parametrize("movements", [(1, 7, 13), (9, 1, 5), (12, 8, 3)])
def test_the_hand_moves_during_the_burst_and_the_sharpest_frame_is_read(movements: tuple[int, ...]) -> None:
    frames, reader = burst(*movements), Reader(None)
    choice = choose(frames, reader)
    best = movements.index(min(movements))
    assert [given.sha256 for given in reader.seen] == [frames[best].sha256]
    assert isinstance(choice.outcome, Page)
    assert choice.outcome.frame.facts["burst_index"] == best
    assert choice.outcome.frame.facts["burst_frames"] == 3


def test_the_chosen_bytes_are_the_camera_s_own_and_its_facts_stay() -> None:
    given = [frame_from_bytes(entry.data, "camera", {"ExposureTime": 8000 + n}) for n, entry in enumerate(burst(9, 1))]
    chosen = choose(given, Reader(None)).outcome.frame
    assert (chosen.data, chosen.sha256) == (given[1].data, given[1].sha256)
    assert chosen.facts["ExposureTime"] == 8001
    assert chosen.facts["sharpness"] > 0  # type: ignore[operator]


def test_the_sharpest_frame_is_refused_and_the_next_best_is_read() -> None:
    reader = Reader(PageRefusal.BLURRED, None)
    choice = choose(burst(12, 1, 6), reader)
    assert isinstance(choice.outcome, Page)
    assert (choice.outcome.frame.facts["burst_index"], choice.tried) == (2, 2)


def test_nothing_in_the_burst_is_a_page_and_the_sharpest_one_tells_why() -> None:
    reader = Reader(PageRefusal.NOT_REGISTERED, PageRefusal.BLURRED, PageRefusal.BLURRED)
    choice = choose(burst(12, 1, 6), reader)
    assert isinstance(choice.outcome, RefusedPage)
    assert choice.outcome.reason is PageRefusal.NOT_REGISTERED
    assert len(reader.seen) == MOST_TRIED


def test_another_form_is_not_read_twice() -> None:
    reader = Reader(PageRefusal.OTHER_FORM, None)
    assert isinstance(choose(burst(1, 3), reader).outcome, RefusedPage)
    assert len(reader.seen) == 1


def test_a_frame_of_the_burst_is_damaged() -> None:
    whole, reader = burst(9)[0], Reader(None)
    torn = frame_from_bytes(burst(1)[0].data[:20_000], "camera")
    assert sharpness(torn) == 0.0
    assert choose([torn, whole], reader).outcome.frame.sha256 == whole.sha256


def test_a_burst_without_frames_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without frames"):
        choose([], Reader())


# --- what is missing


def why(picture: Picture) -> PageRefusal | None:
    outcome = explained(take_page(frame(picture), FORMS), FORMS)
    return outcome.reason if isinstance(outcome, RefusedPage) else None


@pytest.mark.parametrize(("form", "number"), [(HASIL, 2), (C1, 1), (DPR, 1)])
@pytest.mark.parametrize("kept", [0.55, 0.7])
def test_the_picture_ends_before_the_page_does(form: str, number: int, kept: float) -> None:
    picture = page(form, number)
    assert why(picture) is None
    assert why(picture[: int(kept * PHONE[1])]) is PageRefusal.CUT


def test_a_hand_lies_on_the_numbers() -> None:
    picture = page().copy()
    cells = layout(HASIL).fields["suara_2"].cells
    corners = np.array([[(cells[0].x, cells[0].y), (cells[-1].x + cells[-1].w, cells[-1].y + cells[-1].h)]])
    (x0, y0), (x1, y1) = cv2.perspectiveTransform(corners, pose(HASIL, PHONE, 1.0, 0.01, 0.92, 5))[0]
    cv2.ellipse(picture, (round((x0 + x1) / 2), round((y0 + y1) / 2)), (150, 90), 20, 0, 360, (120, 150, 200), -1)
    assert why(picture) is PageRefusal.COVERED


@pytest.mark.parametrize("form", [HASIL, C1])
def test_the_page_is_in_the_dark(form: str) -> None:
    assert why(np.asarray(page(form, 1) * 0.07, np.uint8)) is PageRefusal.TOO_DARK


@pytest.mark.parametrize("form", [HASIL, C1])
def test_the_page_lies_too_far_away(form: str) -> None:
    far = np.full((PHONE[1], PHONE[0], 3), 70, np.uint8)
    small = cv2.resize(page(form, 1), None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    far[800 : 800 + small.shape[0], 600 : 600 + small.shape[1]] = small
    assert why(far) is PageRefusal.TOO_FAR


def test_a_lamp_is_mirrored_on_the_numbers() -> None:
    picture = page()
    rows, columns = np.mgrid[: PHONE[1], : PHONE[0]]
    away = ((columns / PHONE[0] - 0.75) / 0.08) ** 2 + ((rows / PHONE[1] - 0.45) / 0.08) ** 2
    assert why(np.asarray(np.clip(picture + 900 * np.exp(-away)[..., None], 0, 255), np.uint8)) is PageRefusal.GLARE


def test_a_wall_has_nothing_missing() -> None:
    assert why(np.full((2000, 1500, 3), 128, np.uint8)) is PageRefusal.NO_FORM
