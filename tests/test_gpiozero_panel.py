"""Button, lamp and buzzer on pins: what goes wrong at the table.

Mock pins; the same on the pins of a Pi: real_hardware/panel_on_pins.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from gpiozero import PWMLED, Device

from firmware.errors import Refused
from firmware.panel.contact import DEBOUNCE_S
from firmware.panel.gpiozero_panel import SOUNDS, GpiozeroButton, GpiozeroPanel, open_pi_pins
from firmware.panel.panel import Heard, LampState, Sound
from tests.panel_rig import Ears, MockRig, Rig, eventually


@pytest.fixture
def rig() -> Iterator[Rig]:
    with closing(MockRig()) as bench:
        yield bench


def press(rig: Rig, ears: Ears) -> None:
    """A press that is let go when it was heard, and stays so."""
    before = len(ears.heard)
    rig.contact(True)
    ears.wait(before + 1)
    rig.contact(False)
    time.sleep(3 * DEBOUNCE_S)


def test_a_press_is_heard_once(rig: Rig) -> None:
    ears = Ears()
    with closing(GpiozeroButton(rig.factory, rig.button, ears)):
        rig.contact(True)
        assert ears.wait(1) == [Heard.PRESSED]
        assert ears.heard == [(Heard.PRESSED, "button")]


def test_the_button_bounces(rig: Rig) -> None:
    ears = Ears()
    with closing(GpiozeroButton(rig.factory, rig.button, ears)):
        rig.bounce(20)
        press(rig, ears)
        rig.bounce(20)
    assert [happening for happening, _ in ears.heard] == [Heard.PRESSED]


def test_something_leans_on_the_button_when_the_kiosk_starts(rig: Rig) -> None:
    ears = Ears()
    rig.contact(True)
    with closing(GpiozeroButton(rig.factory, rig.button, ears)):
        assert ears.wait(1) == [Heard.STUCK]
        rig.contact(False)
        assert ears.wait(2) == [Heard.STUCK, Heard.FREE]
        press(rig, ears)
    assert [happening for happening, _ in ears.heard] == [Heard.STUCK, Heard.FREE, Heard.PRESSED]


def test_the_button_is_pressed_while_the_kiosk_closes(rig: Rig) -> None:
    ears = Ears()
    GpiozeroButton(rig.factory, rig.button, ears).close()
    rig.contact(True)
    rig.contact(False)
    assert not ears.heard


def test_what_hears_the_button_breaks(rig: Rig) -> None:
    """The next press is still heard."""
    ears = Ears()

    def hear(happening: Heard, source: str) -> None:
        ears(happening, source)
        raise Refused("ledger-full")

    with closing(GpiozeroButton(rig.factory, rig.button, hear)):
        press(rig, ears)
        press(rig, ears)
    assert [happening for happening, _ in ears.heard] == [Heard.PRESSED, Heard.PRESSED]


def test_the_lamp_says_one_thing_at_a_time(rig: Rig) -> None:
    with closing(GpiozeroPanel(rig.factory, rig.lamp, None)) as panel:
        eventually(lambda: rig.level(rig.lamp) == 0)
        panel.lamp(LampState.READY)
        eventually(lambda: rig.level(rig.lamp) == 1)
        panel.lamp(LampState.WORKING)
        eventually(lambda: rig.rises(rig.lamp) >= 2)
        panel.lamp(LampState.READY)
        eventually(lambda: rig.level(rig.lamp) == 1)
        rises = rig.rises(rig.lamp)
        panel.lamp(LampState.ATTENTION)
        eventually(lambda: rig.rises(rig.lamp) >= rises + 2)
        panel.lamp(LampState.OFF)
        eventually(lambda: rig.level(rig.lamp) == 0)


def test_the_lamp_is_told_the_same_again(rig: Rig) -> None:
    """Guidance says what it sees five times a second: that must not keep the lamp from breathing."""
    with closing(GpiozeroPanel(rig.factory, rig.lamp, None)) as panel:
        panel.lamp(LampState.WORKING)
        rises = rig.rises(rig.lamp)
        eventually(lambda: bool(panel.lamp(LampState.WORKING) or rig.rises(rig.lamp) >= rises + 2))


@pytest.mark.parametrize("sound", list(Sound))
def test_a_sound_does_not_end(rig: Rig, sound: Sound) -> None:
    with closing(GpiozeroPanel(rig.factory, None, rig.buzzer)) as panel:
        panel.sound(sound)
        eventually(lambda: rig.rises(rig.buzzer) == SOUNDS[sound].times and rig.level(rig.buzzer) == 0)


def test_lamp_and_buzzer_are_on_when_the_kiosk_closes(rig: Rig) -> None:
    with closing(GpiozeroPanel(rig.factory, rig.lamp, rig.buzzer)) as panel:
        panel.lamp(LampState.ATTENTION)
        panel.sound(Sound.DONE)
    eventually(lambda: rig.level(rig.lamp) == rig.level(rig.buzzer) == 0)
    panel.lamp(LampState.READY)
    panel.sound(Sound.TAKEN)
    eventually(lambda: rig.level(rig.lamp) == rig.level(rig.buzzer) == 0)


def test_the_lamp_breaks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The station that lights it does not notice; once it works again, it lights up."""

    def broken(*_: object) -> None:
        raise OSError("no such line")

    with closing(GpiozeroPanel(rig.factory, rig.lamp, rig.buzzer)) as panel:
        with monkeypatch.context() as fault:
            fault.setattr(PWMLED, "_write", broken)
            panel.lamp(LampState.READY)
        panel.lamp(LampState.READY)
        eventually(lambda: rig.level(rig.lamp) == 1)


def test_the_pins_are_not_let_go(rig: Rig) -> None:
    for _ in range(2):
        with (
            closing(GpiozeroPanel(rig.factory, rig.lamp, rig.buzzer)),
            closing(GpiozeroButton(rig.factory, rig.button, Ears())),
            pytest.raises(Refused, match="panel-pins"),
        ):
            GpiozeroPanel(rig.factory, rig.button, None)


def test_a_panel_has_neither_lamp_nor_buzzer(rig: Rig) -> None:
    with closing(GpiozeroPanel(rig.factory, None, None)) as panel:
        panel.lamp(LampState.READY)
        panel.sound(Sound.DONE)


def test_the_environment_names_another_factory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nothing of the kind")
    with (
        closing(GpiozeroPanel(rig.factory, rig.lamp, rig.buzzer)),
        closing(GpiozeroButton(rig.factory, rig.button, Ears())),
    ):
        assert Device.pin_factory is None


def test_the_kiosk_has_no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pins in the configuration and none in the machine: it does not go on without."""
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(Refused, match="panel-pins"):
        open_pi_pins()
