"""The button, lamp and buzzer on the Pi's own pins. The only user of gpiozero (BSD-3-Clause) and lgpio.

The pin factory is a parameter: gpiozero's search for one that works, and its environment variable, are never reached.
An edge comes with the kernel's time (monotonic since Linux 5.7, as gpiozero takes it too), and is judged by
contact.py alone: gpiozero's own debouncing and holding stay off.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from gpiozero import PWMLED, Buzzer, InputDevice
from gpiozero.exc import GPIOZeroError

from firmware.errors import Refused
from firmware.panel.panel import Hear, LampState, Sound
from firmware.panel.watch import Watch

SOURCE = "button"
"""Source of a press that came from the button."""

BREATH_S = 0.6
"""From dark to bright, and again back, while the kiosk works: a sign of life, slower than any alarm."""

FLASH_S = 0.25
"""On, and again off, when the kiosk needs a person: twice a second, below the three a second that may harm (WCAG)."""


_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Beeps:
    """How a sound goes: on and off times in seconds, and how often."""

    on_s: float
    off_s: float
    times: int


SOUNDS: Mapping[Sound, Beeps] = {
    Sound.TAKEN: Beeps(0.08, 0.02, 1),
    Sound.DONE: Beeps(0.6, 0.02, 1),
    Sound.REFUSED: Beeps(0.12, 0.12, 3),
}
"""Told apart by number and length, which a noisy room and an ear that misses high tones leave."""


class PinFactory(Protocol):
    """What is used of gpiozero.Factory here; its devices need the real thing."""

    def ticks(self) -> float:
        """Now, in the seconds that edges are told in."""

    def close(self) -> None:
        """Lets go of every pin."""


def open_pi_pins() -> PinFactory:
    """The header of this Pi. Raises Refused("panel-pins") when there is none to be had."""
    try:
        from gpiozero.pins.lgpio import LGPIOFactory, lgpio
    except (ImportError, OSError) as problem:  # OSError: lgpio makes a pipe in the working folder when it is imported
        raise Refused("panel-pins", problem=str(problem)) from problem
    try:
        factory: PinFactory = LGPIOFactory()
    except (GPIOZeroError, OSError, lgpio.error) as problem:
        raise Refused("panel-pins", problem=str(problem)) from problem
    return factory


class GpiozeroPanel:
    """A lamp and a buzzer on pins (BCM numbers); None: not there. Both are on when their pin is high."""

    def __init__(self, factory: PinFactory, lamp_pin: int | None, buzzer_pin: int | None) -> None:
        """Raises Refused("panel-pins") when a pin is not free."""
        self._lock = threading.Lock()
        self._shown = LampState.OFF
        self._lamp: Any = _device(PWMLED, lamp_pin, factory)
        self._buzzer: Any = _device(Buzzer, buzzer_pin, factory)

    def lamp(self, state: LampState) -> None:
        """Shows `state`; see Panel."""
        with self._unharmed():
            if self._lamp is not None and state is not self._shown:
                self._show(state)
                self._shown = state

    def _show(self, state: LampState) -> None:
        match state:
            case LampState.OFF:
                self._lamp.off()
            case LampState.READY:
                self._lamp.on()
            case LampState.WORKING:
                self._lamp.pulse(fade_in_time=BREATH_S, fade_out_time=BREATH_S)
            case LampState.ATTENTION:
                self._lamp.blink(on_time=FLASH_S, off_time=FLASH_S)

    def sound(self, sound: Sound) -> None:
        """Plays `sound`; see Panel."""
        beeps = SOUNDS[sound]
        with self._unharmed():
            if self._buzzer is not None:
                self._buzzer.beep(on_time=beeps.on_s, off_time=beeps.off_s, n=beeps.times)

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """One thread at a time; what goes wrong is in the log alone: the session is worth more than a lamp."""
        with self._lock:
            try:
                yield
            except Exception:  # noqa: BLE001 - whatever a pin's driver raises; the screen says the same
                _log.exception("panel.dark")

    def close(self) -> None:
        """Off, and lets go of both pins; whatever is asked afterwards shows nothing."""
        with self._lock:
            lamp, buzzer, self._lamp, self._buzzer = self._lamp, self._buzzer, None, None
            for device in (lamp, buzzer):
                if device is not None:
                    device.off()
                    device.close()


class GpiozeroButton:
    """A button between its pin (BCM number) and ground, with the Pi's own pull-up; told as `button`."""

    def __init__(self, factory: PinFactory, pin: int, hear: Hear) -> None:
        """Raises Refused("panel-pins") when the pin is not free."""
        self._device: Any = _device(InputDevice, pin, factory, pull_up=True)
        self._watch = Watch(SOURCE, self._closed, hear, factory.ticks)
        self._device.pin.edges = "both"
        self._device.pin.when_changed = self._moved
        self._watch.edge(self._closed, factory.ticks())  # what moved before edges were told

    @property
    def _closed(self) -> bool:
        return bool(self._device.is_active)

    def _moved(self, ticks: float, state: int) -> None:
        self._watch.edge(not state, ticks)

    def close(self) -> None:
        """Lets go of the pin; nothing is heard any more when this returns."""
        self._device.pin.when_changed = None  # closing the device does not end lgpio's alerts
        self._device.close()
        self._watch.close()


def _device(kind: Any, pin: int | None, factory: PinFactory, **how: Any) -> Any:
    if pin is None:
        return None
    try:
        return kind(pin, pin_factory=factory, **how)
    except GPIOZeroError as problem:
        raise Refused("panel-pins", problem=str(problem)) from problem
