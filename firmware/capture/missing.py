"""Why a form that is there was not taken: cut off by the picture's edge, or with numbers hidden. A second, quick look.

Registration proves or refuses; what is missing is not its business. Here the page is found again in a small picture,
and it is said which of its numbers are not seen. It never makes a page of a refused picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from firmware.capture.camera import PREVIEW_SIDE
from firmware.capture.glimpse import Glimpse, find, shown
from firmware.capture.picture import glance
from firmware.capture.registration import LEAST_GROUP_SUPPORT, support_of
from firmware.capture.search import Target, targets_of
from firmware.forms.layout import FormLayout
from firmware.records import Gray, Page, PageRefusal, RefusedPage

LEAST_SHOWN = 0.98
"""Share of a page's lines within the picture, below which it is cut: as registration asks for."""
BEYOND = 0.2
"""Part of the longer side by which the picture is looked at as if it went on: half of a page is found by its lines."""
TABLE = 110
"""Grey of what is not seen: neither paper nor ink."""

_UNEXPLAINED = frozenset({PageRefusal.NO_FORM, PageRefusal.NOT_REGISTERED})


def explained(outcome: Page | RefusedPage, layouts: Sequence[FormLayout]) -> Page | RefusedPage:
    """The outcome of take_page, with a better reason where one is seen."""
    if isinstance(outcome, Page) or outcome.reason not in _UNEXPLAINED:
        return outcome
    small = glance(outcome.frame, PREVIEW_SIDE)
    if isinstance(small, RefusedPage):
        return outcome
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    glimpse = _find_beyond(gray, targets_of(layouts))
    reason = _missing(gray, glimpse) if glimpse else None
    return replace(outcome, reason=reason) if reason else outcome


def _find_beyond(gray: Gray, targets: Sequence[Target]) -> Glimpse | None:
    """The page in the picture, also when it is larger than the picture."""
    around = round(BEYOND * max(gray.shape))
    wide = cv2.copyMakeBorder(gray, around, around, around, around, cv2.BORDER_CONSTANT, value=TABLE)
    found = find(np.asarray(wide, dtype=np.uint8), targets, (), None)
    back = np.array([[1.0, 0, -around], [0, 1.0, -around], [0, 0, 1.0]])
    return replace(found, homography=back @ found.homography) if found else None


def _missing(gray: Gray, glimpse: Glimpse) -> PageRefusal | None:
    """What keeps numbers of the page from being seen."""
    lines = glimpse.target.lines
    if shown(gray, lines, glimpse.homography).mean() < LEAST_SHOWN:
        return PageRefusal.CUT
    groups = (support_of(gray, lines, glimpse.homography, pieces)[0] for pieces in lines.groups.values())
    return PageRefusal.COVERED if min(groups) < LEAST_GROUP_SUPPORT else None
