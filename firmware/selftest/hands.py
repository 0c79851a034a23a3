"""Button and lamp, which only a person can try."""

from __future__ import annotations

from firmware.selftest.finding import Outcome, bad, good, note
from firmware.selftest.kiosk import Kiosk

PRESS_SECONDS = 30
"""For reading the sentence, finding the button, and pressing."""
POLL_SECONDS = 0.2


def button(kiosk: Kiosk) -> Outcome:
    """Somebody presses, and it is heard."""
    panel = kiosk.config.file.panel
    if panel.button_pin is None and panel.pedal is None:
        return note("button-none")
    before = kiosk.devices.presses()
    kiosk.person.tell("press-button", seconds=PRESS_SECONDS)
    for _ in range(round(PRESS_SECONDS / POLL_SECONDS)):
        if kiosk.devices.presses() > before:
            return good("")
        kiosk.pause(POLL_SECONDS)
    return bad("button-not-pressed", seconds=PRESS_SECONDS)


def lamp(kiosk: Kiosk) -> Outcome:
    """It flashes, and somebody sees it."""
    if kiosk.config.file.panel.lamp_pin is None:
        return note("lamp-none")
    kiosk.devices.flash()
    return good("") if kiosk.person.agrees("ask-lamp") else bad("lamp-dark")
