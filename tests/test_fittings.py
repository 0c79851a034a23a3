"""The panel that a configuration names, opened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from firmware.config import PanelConfig, PedalConfig
from firmware.errors import Refused
from firmware.panel.fittings import Fittings
from firmware.panel.panel import Heard, LampState, SilentPanel, Sound
from tests.panel_rig import Ears, MockRig


def no_pins() -> NoReturn:
    raise Refused("panel-pins", problem="no chip")


def test_a_kiosk_has_a_screen_alone() -> None:
    """No pin is looked for, and the station may light and sound what it likes."""
    with closing(Fittings(PanelConfig(), no_pins)) as fittings:
        fittings.listen(Ears())
        assert isinstance(fittings.panel, SilentPanel)
        fittings.panel.lamp(LampState.READY)
        fittings.panel.sound(Sound.DONE)


@pytest.mark.parametrize("config", [PanelConfig(button_pin=17), PanelConfig(lamp_pin=18), PanelConfig(buzzer_pin=27)])
def test_a_kiosk_goes_on_without_its_pins(config: PanelConfig) -> None:
    with pytest.raises(Refused, match="panel-pins"):
        Fittings(config, no_pins)


def test_everything_is_wired(tmp_path: Path) -> None:
    """Lamp and buzzer answer before anybody listens; the button is heard afterwards; the pedal is missed."""
    with closing(MockRig()) as rig:
        config = PanelConfig(rig.button, rig.lamp, rig.buzzer, PedalConfig(str(tmp_path / "no-pedal"), (48,)))
        ears = Ears()
        with closing(Fittings(config, lambda: rig.factory)) as fittings:
            fittings.panel.lamp(LampState.READY)
            assert rig.level(rig.lamp) == 1
            fittings.listen(ears)
            ears.wait(1)
            rig.contact(True)
            ears.wait(2)
        assert ears.heard == [(Heard.GONE, "pedal"), (Heard.PRESSED, "button")]
        assert rig.level(rig.lamp) == 0


def test_a_pin_is_taken_when_the_kiosk_starts() -> None:
    """What was opened before it is let go: the next start finds the other pins free."""
    with closing(MockRig()) as rig:
        config = PanelConfig(button_pin=rig.button, lamp_pin=rig.lamp, buzzer_pin=rig.buzzer)
        closed: list[bool] = []
        rig.factory.close = lambda: closed.append(True)  # type: ignore[method-assign]
        with closing(Fittings(PanelConfig(buzzer_pin=rig.buzzer), lambda: rig.factory)):
            with pytest.raises(Refused, match="panel-pins"):
                Fittings(config, lambda: rig.factory)
            assert closed
        with closing(Fittings(config, lambda: rig.factory)) as fittings:
            fittings.panel.lamp(LampState.READY)
            assert rig.level(rig.lamp) == 1
