"""The kiosk's own button, lamp and buzzer, as the rest of the program sees them.

Out: the station sets the lamp and makes a sound. In: whoever opens a contact (the button, a pedal) hands over a `Hear`
and is told what a person does with it; a contact answers with what contact.py makes of its edges, never with edges.

Out goes from any thread and never waits: no station stands still because a lamp is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol


class LampState(StrEnum):
    """What the lamp in the button says."""

    OFF = "off"
    """Nothing to press for."""
    READY = "ready"
    """Steady: the page under the camera is good, press now."""
    WORKING = "working"
    """Breathes: the kiosk works, a press is not needed."""
    ATTENTION = "attention"
    """Flashes: look at the screen."""


class Sound(StrEnum):
    """What the buzzer says, to people who look at the paper and not at the screen."""

    TAKEN = "taken"
    """One short: the picture is taken, the paper may go."""
    DONE = "done"
    """One long: the record is on disk."""
    REFUSED = "refused"
    """Three short: the picture was no good, look at the screen."""


class Panel(Protocol):
    """Lamp and buzzer. Every call returns at once, from any thread."""

    def lamp(self, state: LampState) -> None:
        """Shows `state` until the next call; the state it shows already goes on undisturbed."""

    def sound(self, sound: Sound) -> None:
        """Plays `sound`, in place of one that still plays."""

    def close(self) -> None:
        """Lamp and buzzer off; lets go of the pins."""


class SilentPanel:
    """The panel of a kiosk that has none: the screen says it all."""

    def lamp(self, state: LampState) -> None:
        """Nothing lights up."""

    def sound(self, sound: Sound) -> None:
        """Nothing sounds."""

    def close(self) -> None:
        """Nothing was held."""


class Heard(StrEnum):
    """What a person, or a broken contact, does."""

    PRESSED = "pressed"
    """A press, told when the contact has settled: once for each press, however long it lasts."""
    HELD = "held"
    """The same press still lasts after contact.HELD_S."""
    STUCK = "stuck"
    """Down at start, down or unsteady for longer than anybody presses: it is not listened to until FREE."""
    FREE = "free"
    """Let go, and at rest: it counts again."""
    GONE = "gone"
    """The device that it is on does not answer: unplugged."""
    BACK = "back"
    """The device answers again."""


Hear = Callable[[Heard, str], None]
"""Is told what happened and on which contact: `button` or `pedal`, the sources of a Press."""
