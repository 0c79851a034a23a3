"""The printer: how it is, and a test print whose code the kiosk's own camera reads back."""

from __future__ import annotations

import secrets

from firmware.capture.camera import CameraFault
from firmware.errors import VerificationRefused
from firmware.messages import sentence
from firmware.receipt.printer import Printed, PrinterStatus
from firmware.receipt.trial import TRIAL_PREFIX, Slip, trial_text
from firmware.selftest.finding import Level, Outcome, bad, good
from firmware.selftest.kiosk import Kiosk
from firmware.signing.receipt_picture import codes_in

LAY_SECONDS = 60
"""For tearing the strip off and laying it under the camera."""
POLL_SECONDS = 1.0
TOKEN_BYTES = 4
"""So that yesterday's strip is not taken for today's."""


def printer(kiosk: Kiosk) -> Outcome:
    """As it answers now; low paper is good enough for today and is told."""
    status = kiosk.devices.status()
    if status is PrinterStatus.READY:
        return good(str(status))
    level = Level.NOTE if status.can_print else Level.FAILED
    return Outcome(level, str(status), f"printer.{status}")


def strip(kiosk: Kiosk) -> Outcome:
    """A test print comes out whole, and its code is read through the kiosk's own lens."""
    text = trial_text(secrets.token_hex(TOKEN_BYTES).upper())
    outcome = kiosk.devices.print(slip_of(kiosk, code=text))
    if outcome.printed is not Printed.CONFIRMED:
        told = sentence(f"printer.{outcome.status}")
        return bad("strip-not-printed", str(outcome.status), outcome=str(outcome.printed), status=told)
    kiosk.person.tell("lay-strip", seconds=LAY_SECONDS)
    began = kiosk.seconds()
    while kiosk.seconds() - began < LAY_SECONDS:
        if text in _read(kiosk):
            return good(text.removeprefix(TRIAL_PREFIX)[: 2 * TOKEN_BYTES])
        kiosk.pause(POLL_SECONDS)
    return bad("strip-not-read", seconds=LAY_SECONDS)


def _read(kiosk: Kiosk) -> set[str]:
    """The texts of test prints under the camera; none where there is no picture."""
    taken = kiosk.devices.picture()
    if isinstance(taken, CameraFault):
        return set()
    try:
        return codes_in(taken.data, TRIAL_PREFIX)
    except VerificationRefused:
        return set()


def slip_of(kiosk: Kiosk, **fields: object) -> Slip:
    """A strip that says which kiosk it is from, and when."""
    now, config = kiosk.clock(), kiosk.config
    known: dict[str, object] = {
        "mode": config.mode,
        "tps": config.tps.code,
        "place": config.tps.place,
        "unix": now.unix,
        "clock": str(now.quality),
    }
    return Slip(**{**known, **fields})  # type: ignore[arg-type]
