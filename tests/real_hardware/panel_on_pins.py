"""The tests of button, lamp and buzzer on the pins of this Pi: `pytest tests/real_hardware/panel_on_pins.py`.

Wire BCM 17-22, 18-23 and 27-24 first. Needs the `pi` extra.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from gpiozero import DigitalInputDevice, DigitalOutputDevice

from firmware.panel.gpiozero_panel import open_pi_pins
from tests.panel_rig import Rig
from tests.test_gpiozero_panel import *  # noqa: F403 - the same tests


@pytest.fixture  # type: ignore[no-redef]  # in the place of the mock pins
def rig() -> Iterator[Rig]:
    with closing(WiredRig(open_pi_pins())) as bench:
        yield bench


class WiredRig:
    """Each pin of the panel wired, through 1 kohm, to a pin that plays finger, eye or ear; nothing else on them."""

    button, lamp, buzzer = 17, 18, 27
    finger, eye, ear = 22, 23, 24

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        self._finger = DigitalOutputDevice(self.finger, initial_value=True, pin_factory=factory)
        self._senses = {
            pin: DigitalInputDevice(sense, pull_up=False, pin_factory=factory)
            for pin, sense in ((self.lamp, self.eye), (self.buzzer, self.ear))
        }
        self._rises: Counter[int] = Counter()
        for pin, sense in self._senses.items():
            sense.when_activated = partial(self._rises.update, (pin,))

    def contact(self, closed: bool) -> None:
        self._finger.value = not closed

    def bounce(self, times: int) -> None:
        for _ in range(times):
            self.contact(True)
            self.contact(False)

    def level(self, pin: int) -> float:
        return float(self._senses[pin].value)

    def rises(self, pin: int) -> int:
        return self._rises[pin]

    def close(self) -> None:
        for device in (self._finger, *self._senses.values()):
            device.close()
        self.factory.close()
