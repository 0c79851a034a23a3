"""The camera between two presses: what the screen, the lamp and the buzzer say while paper is brought; and its faults.

The session is a real one (kiosks.py); the camera does what the script of the test says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from firmware import delays
from firmware.capture.camera import CameraFault, Preview
from firmware.forms.loader import shipped_layouts
from firmware.messages import LANGUAGES, sentence
from firmware.panel.panel import LampState, Sound
from firmware.panel.view import Answer
from firmware.records import Frame, Settled
from firmware.session.live import Live
from firmware.states import State
from firmware.station import Station
from tests.kiosks import PIN, Room, frame, press, settle, take_all_pages
from tests.photographs import HASIL, Picture, layout
from tests.test_guidance import sheet

TABLE = np.full((540, 960, 3), 90, np.uint8)


@dataclass
class ScriptedCamera:
    """Sees what it is told to; `during` happens in the middle of its next call."""

    sees: Picture | CameraFault = field(default_factory=TABLE.copy)
    shots: list[tuple[Frame, ...] | CameraFault] = field(default_factory=list)
    during: Callable[[], None] | None = None
    previews: int = 0
    captures: int = 0

    def preview(self) -> Preview | CameraFault:
        self.previews += 1
        self._happen()
        return self.sees if isinstance(self.sees, CameraFault) else Preview(self.sees, self.previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        self.captures += 1
        self._happen()
        return self.shots.pop(0)

    def close(self) -> None: ...

    def _happen(self) -> None:
        during, self.during = self.during, None
        if during:
            during()


@dataclass
class RecordedPanel:
    """Remembers what it showed and played."""

    lamps: list[LampState] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)

    def lamp(self, state: LampState) -> None:
        if self.lamps[-1:] != [state]:
            self.lamps.append(state)

    def sound(self, sound: Sound) -> None:
        self.sounds.append(sound)

    def close(self) -> None: ...


class Clock:
    """Stands still until it is put on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def panel() -> RecordedPanel:
    return RecordedPanel()


@pytest.fixture
def camera() -> ScriptedCamera:
    return ScriptedCamera()


@pytest.fixture
def room(memory: Path, camera: ScriptedCamera, panel: RecordedPanel, clock: Clock) -> Room:
    return Room(memory, camera=camera, panel=panel, clock=clock)


@pytest.fixture
def station(room: Room) -> Station:
    return room.switch_on()


def look(station: Station, clock: Clock, times: int = 1) -> None:
    """So many looks, as far apart as on a kiosk."""
    for _ in range(times):
        clock.now += station.watch()


def says(station: Station) -> str | None:
    live = station.view().live
    return live.key if live else None


def notice(station: Station) -> str | None:
    shown = station.view().notice
    return shown.key if shown else None


# --- bringing paper


def test_a_page_is_laid_down_and_the_lamp_says_press(
    station: Station, camera: ScriptedCamera, clock: Clock, panel: RecordedPanel
) -> None:
    look(station, clock)
    assert says(station) == "live.no-paper"
    camera.sees = sheet()
    look(station, clock, 2)
    assert says(station) == "live.steady"
    look(station, clock, 4)
    live = station.view().live
    assert live
    assert (live.key, live.page, live.good, len(live.outline)) == ("live.good", 2, True, 4)
    assert (station.live_picture() or b"")[:2] == b"\xff\xd8"
    assert panel.lamps == [LampState.OFF, LampState.READY]


def test_a_page_that_is_there_already_lies_under_the_camera(
    station: Station, camera: ScriptedCamera, clock: Clock
) -> None:
    camera.sees, camera.shots = sheet(), [(frame("page 2"),)]
    press(station)
    look(station, clock, 6)
    live = station.view().live
    assert live
    assert (live.key, live.values, live.good) == ("live.held", {"page": 2, "pages": 3}, False)


def test_what_was_good_before_the_press_must_be_good_anew(
    station: Station, camera: ScriptedCamera, clock: Clock
) -> None:
    camera.sees, camera.shots = sheet(), [(frame("wall"),)]
    look(station, clock, 6)
    press(station)
    look(station, clock)
    assert says(station) == "live.still"


def test_the_live_picture_does_not_change_the_version_that_makes_the_screen_load_anew(
    station: Station, camera: ScriptedCamera, clock: Clock
) -> None:
    before = station.view().version
    look(station, clock)
    camera.sees = sheet()
    look(station, clock, 6)
    assert station.view().version == before


def test_during_the_review_the_camera_looks_only_while_somebody_wants_to_take_a_page_again(
    station: Station, camera: ScriptedCamera, clock: Clock, panel: RecordedPanel
) -> None:
    camera.sees, camera.shots = sheet(), [(frame(f"page {number}"),) for number in (1, 2, 3)]
    take_all_pages(station)
    look(station, clock, 3)
    assert (station.view().live, camera.previews) == (None, 0)
    station.view(watching=True)
    look(station, clock, 6)
    live = station.view(watching=True).live
    assert live
    assert (live.key, live.page) == ("live.good", 2), "a page that is there may be taken again"
    assert panel.lamps[-1] is LampState.READY
    clock.now += delays.WATCHED + 1
    assert station.view().live is None
    look(station, clock)
    assert panel.lamps[-1] is LampState.OFF
    assert station.live_picture() is None


# --- the press


def test_the_button_is_pressed_twice(station: Station, room: Room, camera: ScriptedCamera) -> None:
    """One picture for two presses: the second one comes while the first is handled, and is not kept for later."""
    answers: list[Answer] = []
    room.later = []
    camera.shots = [(frame("page 2"),), (frame("page 1"),)]
    camera.during = lambda: answers.append(press(station))
    assert press(station) is Answer.ACCEPTED
    room.later.pop()()
    assert (answers, camera.captures) == ([Answer.BUSY], 1)
    assert [bool(page.picture) for page in station.view().pages] == [False, True, False]


def test_the_button_is_pressed_while_a_page_is_read(station: Station, room: Room, camera: ScriptedCamera) -> None:
    answers: list[Answer] = []
    camera.shots = [(frame("page 2"),)]

    def trouble(step: str) -> None:
        if step == "recognise":
            answers.append(press(station))

    room.trouble, room.later = trouble, []
    press(station)
    room.later.pop()()
    assert (answers, camera.captures) == ([Answer.BUSY], 1)


def test_no_look_falls_into_a_capture(station: Station, camera: ScriptedCamera, clock: Clock) -> None:
    camera.shots = [(frame("page 2"),)]
    live = Live(camera, (layout(HASIL),), clock)
    waits: list[float] = []
    camera.during = lambda: waits.append(live.look({HASIL: ()}))
    live.capture()
    assert (waits, camera.previews) == ([delays.LOOK], 0)


def test_a_burst_is_taken_and_its_best_frame_is_kept_untouched(
    station: Station, room: Room, camera: ScriptedCamera
) -> None:
    shots = (frame("wall"), frame("page 2"), frame("page 1"))
    camera.shots = [shots]
    press(station)
    (stored,) = [page.picture for page in station.view().pages if page.picture]
    assert stored == shots[1].sha256, "the first is refused, the next one is a page"
    assert room.ledger.picture(stored) == shots[1].data
    camera.shots = [(frame("page 1"),), (frame("page 3"),)]
    press(station)
    press(station)
    settle(station, room.values)
    station.seal("ketua", PIN)
    facts = room.ledger.records()[0].sealed.payload["pages"][1]["facts"]
    assert (facts["burst_index"], facts["burst_frames"]) == (1, 3)
    assert {"sharpness", "exposure"} <= set(facts)


def test_the_buzzer_tells_taken_refused_and_done(
    station: Station, room: Room, camera: ScriptedCamera, panel: RecordedPanel
) -> None:
    camera.shots = [(frame("wall"),), *((frame(f"page {number}"),) for number in (1, 2, 3))]
    press(station)
    assert panel.sounds == [Sound.TAKEN, Sound.REFUSED]
    assert panel.lamps[-1] is LampState.ATTENTION
    take_all_pages(station)
    settle(station, room.values)
    station.seal("ketua", PIN)
    assert panel.sounds[2:] == [Sound.TAKEN] * 3 + [Sound.DONE]
    assert LampState.WORKING in panel.lamps


# --- the camera fails


def test_the_camera_fails_once_and_twice_and_comes_back(
    station: Station, room: Room, camera: ScriptedCamera, panel: RecordedPanel
) -> None:
    camera.shots = [(frame("page 1"),), CameraFault.HUNG, CameraFault.GONE, (frame("page 2"),), CameraFault.HUNG]
    press(station)
    press(station)
    assert notice(station) == "camera.hung"
    press(station)
    assert notice(station) == "camera.fault-again"
    assert "kabel" in sentence("camera.fault-again")
    assert station.view().state is State.PREVIEWING
    press(station)
    assert [bool(page.picture) for page in station.view().pages] == [True, True, False], "nothing is lost"
    press(station)
    assert notice(station) == "camera.hung", "it is counted anew"
    assert panel.sounds.count(Sound.REFUSED) == 3


def test_the_live_picture_fails_and_comes_back(station: Station, camera: ScriptedCamera, clock: Clock) -> None:
    camera.sees = sheet()
    look(station, clock, 6)
    camera.sees = CameraFault.GONE
    assert station.watch() == delays.AILING
    assert says(station) == "live.good", "once is no reason to alarm anybody"
    look(station, clock)
    assert says(station) == "camera.fault-again"
    assert station.live_picture() is None
    camera.sees = sheet()
    look(station, clock)
    assert says(station) == "live.still"
    assert station.view().state is State.PREVIEWING


def test_the_live_picture_is_nonsense_and_the_button_still_works(
    station: Station, camera: ScriptedCamera, clock: Clock
) -> None:
    camera.sees = np.zeros((0, 0, 3), np.uint8)
    assert station.watch() == delays.AILING
    assert says(station) == "live.off"
    camera.shots = [(frame("page 2"),)]
    assert press(station) is Answer.ACCEPTED
    assert notice(station) == "screen.page-good"


# --- which page


def test_a_page_of_another_polling_station_is_among_them(station: Station, room: Room, camera: ScriptedCamera) -> None:
    """Its numbers do not tie with those of the other pages: people are asked about them, with a sentence."""
    other = " ".join(f"{name}={value}" for name, value in OTHER_STATION.items())
    camera.shots = [(frame("page 1"),), (frame("page 2"),), (frame(f"page 3 {other}"),)]
    view = take_all_pages(station)
    broken = {check.rule: check for check in view.failed}
    assert {"X6"} <= set(broken)
    assert all("TPS" in broken["X6"].sentence[language] or "polling" in broken["X6"].sentence[language]
               for language in LANGUAGES)  # fmt: skip
    assert any(entry.asked for entry in view.fields if entry.page == 3)
    camera.shots = [(frame("page 3"),)]
    press(station)
    station.choose(replace=True)
    assert "X6" not in {check.rule for check in station.view().failed}


OTHER_STATION = {"suara_sah": "X91", "suara_tidak_sah": "XX2", "suara_total": "X93"}


def test_a_retaken_page_keeps_what_was_settled_elsewhere(station: Station, camera: ScriptedCamera) -> None:
    camera.shots = [(frame(f"page {number}"),) for number in (3, 1, 2)]
    take_all_pages(station)
    station.accept(["suara_sah"])
    camera.shots = [(frame("page 2 again"),)]
    press(station)
    station.choose(replace=True)
    settled = {entry.id: entry.settled for entry in station.view().fields}
    assert settled["suara_sah"] is Settled.CONFIRMED


def test_every_form_that_a_person_may_bring_is_told_apart(camera: ScriptedCamera, clock: Clock) -> None:
    camera.sees = sheet("c.hasil-dpr-demo", 1)
    live = Live(camera, tuple(shipped_layouts().values()), clock)
    live.look({HASIL: ()})
    assert live.view
    assert live.view.key == "live.other-form"
