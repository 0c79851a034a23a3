"""The camera fails in the middle of a session, in its own process, and nothing of the session is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware.capture.camera_child import Patience
from firmware.capture.camera_process import ProcessCamera
from firmware.capture.picture import frame_from_bytes
from firmware.messages import both
from firmware.records import Frame, Page, RefusedPage
from firmware.states import State
from firmware.station import Station
from tests.kiosks import FORM, Room, frame, page_of, press
from tests.simulators.camera import Desk, Trouble, command, patchwork

PAGES = (1, 2, 3)


@dataclass
class PhotographedRoom(Room):
    """A room whose camera takes photographs: which page each one shows is known by its hash."""

    numbers: dict[str, int] = field(default_factory=dict)

    def _recognise(self, shot: Frame) -> Page | RefusedPage:
        number = self.numbers[shot.sha256]
        return page_of(self.layout, number, frame(f"page {number}"), FORM)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.lay_out(tmp_path / "desk", [(f"{number}.jpg", patchwork(number)) for number in PAGES])


@pytest.fixture
def station(tmp_path: Path, desk: Desk) -> Iterator[Station]:
    camera = ProcessCamera(command(desk, 0.01, helping_hand=True), Patience(silence=1.0))
    numbers = {frame_from_bytes(patchwork(number), "").sha256: number for number in PAGES}
    yield PhotographedRoom(tmp_path / "kiosk", camera=camera, numbers=numbers).switch_on()
    camera.close()


def told(station: Station) -> str:
    """The sentence after a press."""
    press(station)
    notice = station.view().notice
    assert notice is not None
    return notice.key


def test_the_ribbon_is_loose_until_somebody_pushes_it_in(station: Station, desk: Desk) -> None:
    assert told(station) == "screen.page-good"
    desk.trouble(Trouble.HANG)
    assert told(station) == "camera.hung"
    desk.trouble(Trouble.SEGFAULT)
    assert told(station) == "camera.fault-again"
    assert "kedua ujungnya" in both("camera.fault-again")
    assert station.view().state is State.PREVIEWING
    assert told(station) == "screen.page-good"
    desk.trouble(Trouble.GARBAGE)
    assert told(station) == "camera.garbage"
    press(station)
    assert station.view().state is State.REVIEWING


def test_the_lens_is_covered_and_then_the_camera_is_unplugged(station: Station, desk: Desk) -> None:
    desk.trouble(Trouble.BLACK)
    assert [told(station), told(station)] == ["camera.black", "camera.black-again"]
    desk.trouble(Trouble.UNPLUGGED)
    assert told(station) == "camera.fault-again"
    desk.mend()
    assert told(station) == "screen.page-good"
