"""What a hand on the panel does to a session."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from firmware.capture.camera import CameraFault
from firmware.config import PanelConfig
from firmware.errors import LedgerRefused
from firmware.events import Event
from firmware.messages import LANGUAGES, sentence
from firmware.panel.fittings import Fittings
from firmware.panel.hands import hands_on
from firmware.panel.panel import Heard
from firmware.states import State
from firmware.station import Station
from tests.kiosks import NOW, Room, refuse_once
from tests.panel_rig import MockRig, eventually


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory)


def notice(station: Station) -> str | None:
    shown = station.view().notice
    return shown.key if shown else None


def test_the_button_is_pressed_while_the_kiosk_works(room: Room) -> None:
    """One picture: the second press is answered, not kept for later."""
    room.later = []
    station = room.switch_on()
    hear = hands_on(station, lambda: NOW)
    hear(Heard.PRESSED, "button")
    hear(Heard.PRESSED, "pedal")
    hear(Heard.HELD, "pedal")
    assert station.view().state is State.CAPTURING
    assert len(room.later) == 1


def test_nobody_can_touch_the_screen_in_a_fault(room: Room) -> None:
    """The button alone leads out: a short press does nothing, a long one tries again."""
    room.trouble = refuse_once("capture", "ledger-full")
    station = room.switch_on()
    hear = hands_on(station, lambda: NOW)
    hear(Heard.PRESSED, "button")
    assert station.view().state is State.FAULT
    hear(Heard.PRESSED, "button")
    assert station.view().state is State.FAULT
    hear(Heard.HELD, "button")
    assert station.view().state is State.PREVIEWING


def test_a_long_press_in_a_quiet_moment_does_nothing_more(room: Room) -> None:
    room.desk = [CameraFault.GONE]
    station = room.switch_on()
    hear = hands_on(station, lambda: NOW)
    hear(Heard.PRESSED, "button")
    shown = station.view()
    hear(Heard.HELD, "button")
    assert station.view() == shown


@pytest.mark.parametrize(
    ("source", "happening"),
    [
        ("button", Heard.STUCK),
        ("button", Heard.FREE),
        ("pedal", Heard.STUCK),
        ("pedal", Heard.FREE),
        ("pedal", Heard.GONE),
        ("pedal", Heard.BACK),
    ],
)
def test_the_screen_has_no_word_for_it(room: Room, source: str, happening: Heard) -> None:
    station = room.switch_on()
    hands_on(station)(happening, source)
    key = notice(station)
    assert key == f"panel.{source}-{happening}"
    assert len({sentence(key, language) for language in LANGUAGES}) == len(LANGUAGES)
    assert room.ledger.events()[-1].fields == {"event": str(Event.PANEL), "source": source, "heard": str(happening)}


def test_the_button_is_stuck_while_the_kiosk_works(room: Room) -> None:
    """It is written down and takes nothing from the screen."""
    room.later = []
    station = room.switch_on()
    hear = hands_on(station, lambda: NOW)
    hear(Heard.PRESSED, "button")
    shown = station.view()
    hear(Heard.STUCK, "button")
    assert station.view() == shown
    assert room.ledger.events()[-1].fields["heard"] == "stuck"


def test_the_disk_is_full_when_the_button_is_used(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hears the panel goes on: the next press is another chance."""

    def full(*_: object, **__: object) -> None:
        raise LedgerRefused("ledger-full")

    hear = hands_on(room.switch_on())
    for step in ("press", "remark"):
        monkeypatch.setattr(Station, step, full)
    hear(Heard.PRESSED, "button")
    hear(Heard.STUCK, "button")


def test_one_press_of_a_bouncing_button_takes_two_pictures(room: Room) -> None:
    """From the pin to the disk: one."""
    station = room.switch_on()
    with closing(MockRig()) as rig:
        config = PanelConfig(button_pin=rig.button)
        with closing(Fittings(config, lambda: rig.factory)) as fittings:
            fittings.listen(hands_on(station, lambda: NOW))
            rig.bounce(5)
            rig.contact(True)
            eventually(lambda: any(page.picture for page in station.view().pages))
            rig.bounce(5)
    captured = [event.fields for event in room.ledger.events() if event.fields["event"] == str(Event.CAPTURED)]
    assert [event["source"] for event in captured] == ["button"]
