"""Why a form that is there was not taken: too dark, cut off, too far away, blurred, or with numbers hidden.

Registration proves or refuses; what is wrong with the paper is not its business. Here the page is found again in a
small picture, and judged as the live view judges it, so that the screen says the same before and after a press. It
never makes a page of a refused picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import cv2
import numpy as np

from firmware.capture.camera import PREVIEW_SIDE
from firmware.capture.flaws import Instruction, flaw_of_page, flaw_without_page, thumb_of
from firmware.capture.glimpse import Glimpse, find
from firmware.capture.picture import glance
from firmware.capture.registration import LEAST_GROUP_SUPPORT, support_of
from firmware.capture.search import Target, targets_of
from firmware.forms.layout import FormLayout
from firmware.records import Gray, Page, PageRefusal, RefusedPage

BEYOND = 0.2
"""Part of the longer side by which the picture is looked at as if it went on: half of a page is found by its lines."""
TABLE = 110
"""Grey of what is not seen: neither paper nor ink."""

_UNEXPLAINED = frozenset({PageRefusal.NO_FORM, PageRefusal.NOT_REGISTERED})
_REASONS = MappingProxyType(
    {
        Instruction.TOO_DARK: PageRefusal.TOO_DARK,
        Instruction.BACK: PageRefusal.CUT,
        Instruction.CLOSER: PageRefusal.TOO_FAR,
        Instruction.BLURRED: PageRefusal.BLURRED,
        Instruction.GLARE: PageRefusal.GLARE,
        Instruction.COVERED: PageRefusal.COVERED,
    }
)
"""For what is wrong with the paper; a table without paper is simply no form."""


def explained(outcome: Page | RefusedPage, layouts: Sequence[FormLayout]) -> Page | RefusedPage:
    """The outcome of take_page, with a better reason where one is seen."""
    if isinstance(outcome, Page) or outcome.reason not in _UNEXPLAINED:
        return outcome
    small = glance(outcome.frame, PREVIEW_SIDE)
    if isinstance(small, RefusedPage):
        return outcome
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    reason = _reason(gray, _find_beyond(gray, targets_of(layouts)))
    return replace(outcome, reason=reason) if reason else outcome


def _find_beyond(gray: Gray, targets: Sequence[Target]) -> Glimpse | None:
    """The page in the picture, also when it is larger than the picture."""
    around = round(BEYOND * max(gray.shape))
    wide = cv2.copyMakeBorder(gray, around, around, around, around, cv2.BORDER_CONSTANT, value=TABLE)
    found = find(np.asarray(wide, dtype=np.uint8), targets, (), None)
    back = np.array([[1.0, 0, -around], [0, 1.0, -around], [0, 0, 1.0]])
    return replace(found, homography=back @ found.homography) if found else None


def _reason(gray: Gray, glimpse: Glimpse | None) -> PageRefusal | None:
    """What keeps the page, or its numbers, from being seen."""
    thumb = thumb_of(gray)
    if glimpse is None:
        alone = flaw_without_page(gray, thumb)
        return _REASONS.get(alone) if alone else None
    flaw = flaw_of_page(gray, thumb, glimpse)
    if flaw is not None:
        return _REASONS[flaw]
    lines = glimpse.target.lines
    groups = (support_of(gray, lines, glimpse.homography, pieces)[0] for pieces in lines.groups.values())
    return PageRefusal.COVERED if min(groups) < LEAST_GROUP_SUPPORT else None
