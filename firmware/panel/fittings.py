"""Opens what kiosk.toml's `[panel]` names: lamp and buzzer at once, button and pedal when there is somebody to tell.

gpiozero is loaded where pins are named and nowhere else: a kiosk with a screen alone does not need it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from firmware.config import PanelConfig
from firmware.panel.evdev_keys import EvdevKeys
from firmware.panel.panel import Hear, Panel, SilentPanel

if TYPE_CHECKING:
    from firmware.panel.gpiozero_panel import PinFactory


def _pi_pins() -> PinFactory:
    from firmware.panel.gpiozero_panel import open_pi_pins

    return open_pi_pins()


class Fittings:
    """The panel of one kiosk, open. Ends with `close`."""

    def __init__(self, config: PanelConfig, open_pins: Callable[[], PinFactory] = _pi_pins) -> None:
        """Raises Refused("panel-pins") when pins are named and are not to be had."""
        self._config = config
        self.panel: Panel = SilentPanel()
        with ExitStack() as opened:
            self._pins = opened.enter_context(closing(open_pins())) if config.pins else None
            if self._pins is not None:
                self.panel = opened.enter_context(closing(self._lights(self._pins)))
            self._open = opened.pop_all()

    def _lights(self, pins: PinFactory) -> Panel:
        from firmware.panel.gpiozero_panel import GpiozeroPanel

        return GpiozeroPanel(pins, self._config.lamp_pin, self._config.buzzer_pin)

    def listen(self, hear: Hear) -> None:
        """From now on `hear` is told what happens on button and pedal. Raises Refused("panel-pins")."""
        if self._pins is not None and self._config.button_pin is not None:
            from firmware.panel.gpiozero_panel import GpiozeroButton

            self._open.enter_context(closing(GpiozeroButton(self._pins, self._config.button_pin, hear)))
        if self._config.pedal is not None:
            self._open.enter_context(closing(EvdevKeys(self._config.pedal.device, self._config.pedal.keys, hear)))

    def close(self) -> None:
        """Nothing is heard any more, lamp and buzzer are off, and every pin is free when this returns."""
        self._open.close()
