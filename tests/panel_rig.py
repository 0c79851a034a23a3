"""A bench for the panel's pins: gpiozero's mock pins here, the pins of a Pi in real_hardware/panel_on_pins.py.

A rig closes the contact of the button and sees what lamp and buzzer get. What hears the panel is an `Ears`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Protocol
from unittest import mock

from gpiozero.pins.mock import MockFactory, MockPWMPin

from firmware.panel.panel import Heard

PATIENCE_S = 20.0
"""Longest wait for what must come: a machine that does ten other things still gets there."""


class Ears:
    """Hears a panel, and waits for what it should hear."""

    def __init__(self) -> None:
        self.heard: list[tuple[Heard, str]] = []
        self._news = threading.Condition()

    def __call__(self, happening: Heard, source: str) -> None:
        with self._news:
            self.heard.append((happening, source))
            self._news.notify_all()

    def wait(self, count: int) -> list[Heard]:
        """Everything heard, once it is so much; fails when it does not come."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.heard) >= count, PATIENCE_S), self.heard
            return [happening for happening, _source in self.heard]


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it holds; fails when it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


class Rig(Protocol):
    """A button, a lamp and a buzzer on the bench."""

    factory: Any
    button: int
    lamp: int
    buzzer: int
    """BCM numbers of the panel's pins."""

    def contact(self, closed: bool) -> None:
        """Closes or opens the button, also before anybody looks at it."""

    def bounce(self, times: int) -> None:
        """Closes and opens the button so often, all within a few milliseconds."""

    def level(self, pin: int) -> float:
        """What a pin of the panel gives now: 0 to 1, PWM in between where the bench can see it."""

    def rises(self, pin: int) -> int:
        """How often it went from 0 to more, since the rig was made."""


class _BenchPin(MockPWMPin):
    """A mock pin whose contact can be closed to ground before it gets its pull-up."""

    grounded = False

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self.grounded:
            self.drive_low()


class MockRig:
    """gpiozero's mock pins."""

    button, lamp, buzzer = 17, 18, 27

    def __init__(self) -> None:
        self.factory = MockFactory(pin_class=_BenchPin)

    def contact(self, closed: bool) -> None:
        pin = self.factory.pin(self.button)
        pin.grounded = closed
        if closed:
            pin.drive_low()
        else:
            pin.drive_high()

    def bounce(self, times: int) -> None:
        now = self.factory.ticks()
        with mock.patch("gpiozero.pins.mock.monotonic", lambda: now):  # however busy this machine is
            for _ in range(times):
                self.contact(True)
                self.contact(False)

    def level(self, pin: int) -> float:
        return float(self.factory.pin(pin).state)

    def rises(self, pin: int) -> int:
        levels = [float(state.state) for state in list(self.factory.pin(pin).states)]
        return sum(before == 0 < after for before, after in pairwise(levels))

    def close(self) -> None:
        self.factory.close()
