"""The camera: that it gives pictures, and that on a printed target it is sharp, well lit, and sees all of it.

The limits are where reading begins to suffer, measured with filled forms that were blurred, darkened and shaded step by
step beside the target (tests/bench/focus.py; the table is in docs/SELFTEST.md).
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware.building import form_of
from firmware.capture.camera import CameraFault
from firmware.capture.picture import decode
from firmware.capture.target import Missing, Sighting, look
from firmware.config import KioskConfig
from firmware.messages import sentence
from firmware.records import Frame, RefusedPage
from firmware.selftest.finding import Level, Outcome, bad, good
from firmware.selftest.kiosk import Kiosk

LINES_LEAST = 4.0
"""Lines across the smallest digit box that keep half of their contrast: pages are read down to 3.2, refused as blurred
from 2.9 on, and a hand and a lamp take their share."""
PAPER_LEAST = 70.0
"""Brightness of the darkest paper, of 255: pages are read at 51, and refused at 31."""
PAPER_MOST = 254.0
"""Brightness of the lightest paper: above it a pencil is as white as the paper."""
EVENNESS_LEAST = 0.6
"""The darkest paper of the target as a part of the lightest: a large sheet is read whole while the target in its middle
shows 0.64; beyond the target the light falls further."""
CONTRAST_LEAST = 0.4
"""How much darker black is than paper, as a part of it: print is read at 0.12, a pencil has a third of its contrast."""
_PERCENT = 100


def camera(kiosk: Kiosk) -> Outcome:
    """A picture at full size comes, is whole, and is not black."""
    taken = _taken(kiosk)
    if isinstance(taken, Outcome):
        return taken
    return good(f"{taken.shape[1]} x {taken.shape[0]}")


def focus(kiosk: Kiosk) -> Outcome:
    """What the camera makes of the target, held against what the forms of this election need."""
    kiosk.person.tell("lay-target")
    taken = _taken(kiosk)
    return taken if isinstance(taken, Outcome) else judge(look(taken), smallest_box(kiosk.config))


def _taken(kiosk: Kiosk) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]] | Outcome:
    taken = kiosk.devices.picture()
    if isinstance(taken, CameraFault):
        return Outcome(Level.FAILED, str(taken), f"camera.{taken}")
    picture = _decoded(taken)
    return picture if picture is not None else Outcome(Level.FAILED, "garbage", "camera.garbage")


def _decoded(frame: Frame) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]] | None:
    picture = decode(frame)
    if isinstance(picture, RefusedPage):
        return None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def smallest_box(config: KioskConfig) -> float:
    """Side in millimetres of the smallest digit box on the forms of this election."""
    forms = (form_of(contest) for contest in config.definition.election.contests)
    return min(min(cell.w, cell.h) for form in forms for field in form.fields.values() for cell in field.cells)


def judge(seen: Sighting | Missing, box_mm: float) -> Outcome:
    """The target as it was seen, for digit boxes of this side. Pure."""
    if isinstance(seen, Missing):
        if seen.all:
            return bad("focus-none")
        corners = ", ".join(sentence(f"selftest.corner-{tag}") for tag in seen.tags)
        return bad("focus-cut", f"{len(seen.tags)}", corners=corners)
    return _light(seen) or _sharp(seen, box_mm)


def _light(seen: Sighting) -> Outcome | None:
    dark, light, percent = min(seen.whites), max(seen.whites), round(_PERCENT * seen.evenness)
    if light > PAPER_MOST:
        return bad("focus-bright", f"{light:.0f}", level=f"{light:.0f}")
    if seen.evenness < EVENNESS_LEAST:
        return bad("focus-uneven", f"{percent} %", percent=percent)
    if dark < PAPER_LEAST:
        return bad("focus-dark", f"{dark:.0f}", level=f"{dark:.0f}")
    if seen.contrast < CONTRAST_LEAST:
        return bad("focus-flat", f"{seen.contrast:.2f}", percent=round(_PERCENT * seen.contrast))
    return None


def _sharp(seen: Sighting, box_mm: float) -> Outcome:
    lines = seen.worst * box_mm
    shown = f"{lines:.1f}"
    if lines < LINES_LEAST:
        return bad("focus-blurred", shown, lines=shown, least=f"{LINES_LEAST:.1f}")
    return good(f"{shown} / {LINES_LEAST:.1f}, {round(_PERCENT * seen.evenness)} %")
