"""Camera, printer, button and lamp as the self-test uses them, whoever holds them.

A `Bench` reaches them: the self-test's own where no station runs (own.py), or the station's, which lends them while
no day is open (lending.py, lent.py). So every check looks at the same thing in the same way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from firmware.capture.camera import Camera, CameraFault
from firmware.panel.panel import Hear, Heard, LampState, Panel, Sound
from firmware.receipt.printer import Printer, PrinterStatus, PrintOutcome
from firmware.receipt.trial import Slip, compose
from firmware.records import Frame

FLASH_SECONDS = 6.0
"""How long the lamp flashes: long enough to look up from the terminal."""


class NotToBeHad(Exception):
    """The station does not lend its devices; `code` is the sentence `selftest.<code>`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Devices(Protocol):
    """What a check may ask for. Every call may raise NotToBeHad, or Refused for a device that cannot be opened."""

    def picture(self) -> Frame | CameraFault:
        """One picture at full size."""

    def status(self) -> PrinterStatus:
        """How the printer is."""

    def print(self, slip: Slip) -> PrintOutcome:
        """Prints one strip."""

    def flash(self) -> None:
        """Lets the lamp flash for FLASH_SECONDS."""

    def presses(self) -> int:
        """How often button or pedal was pressed since somebody listens."""


class Presses:
    """Counts what is heard on the panel, and passes it on."""

    def __init__(self, hear: Hear | None = None) -> None:
        self._hear = hear
        self.count = 0

    def __call__(self, happening: Heard, source: str) -> None:
        """Something happened."""
        self.count += happening is Heard.PRESSED
        if self._hear is not None:
            self._hear(happening, source)


class TriedPanel:
    """A panel whose lamp can be tried out: for that long, what else is to be shown waits."""

    def __init__(self, panel: Panel, clock: Callable[[], float] = time.monotonic) -> None:
        self._panel, self._clock = panel, clock
        self._tried_until = 0.0
        self._lock = threading.Lock()

    def flash(self) -> None:
        """Flashes for FLASH_SECONDS; the next `lamp` after that ends it."""
        with self._lock:
            self._tried_until = self._clock() + FLASH_SECONDS
            self._panel.lamp(LampState.ATTENTION)

    def lamp(self, state: LampState) -> None:
        """Shows `state`, unless the lamp is tried out."""
        with self._lock:
            if self._clock() >= self._tried_until:
                self._panel.lamp(state)

    def sound(self, sound: Sound) -> None:
        """Plays `sound`."""
        self._panel.sound(sound)

    def close(self) -> None:
        """Lets go of the pins."""
        self._panel.close()


class Bench:
    """Devices that are reached from here; each is opened when it is first asked for."""

    def __init__(
        self,
        camera: Callable[[], Camera],
        printer: Callable[[], Printer],
        panel: Callable[[], tuple[TriedPanel, Presses]],
        width_dots: int,
    ) -> None:
        self._camera, self._printer, self._panel, self._width_dots = camera, printer, panel, width_dots

    def picture(self) -> Frame | CameraFault:
        """The last frame of a burst: by then the exposure has settled."""
        shots = self._camera().capture()
        return shots if isinstance(shots, CameraFault) else shots[-1]

    def status(self) -> PrinterStatus:
        """How the printer is."""
        return self._printer().status()

    def print(self, slip: Slip) -> PrintOutcome:
        """Prints one strip. Raises ReceiptRefused."""
        return self._printer().print(compose(slip, self._width_dots))

    def flash(self) -> None:
        """Lets the lamp flash."""
        self._panel()[0].flash()

    def presses(self) -> int:
        """How often a press was heard."""
        return self._panel()[1].count
