"""From a small picture to one instruction: what a person should do now so that the next press gives a good page.

Pure: the picture, what was seen before and the time are all it knows. What is said first is what makes the rest
pointless: nothing can be seen; which sheet this is; where it lies; how it looks; good. Sentences: messages/live.po.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.flaws import Instruction, flaw_of_page, flaw_without_page, sheet_corners, thumb_of
from firmware.capture.glimpse import Glimpse, find
from firmware.capture.rulings import project
from firmware.capture.search import targets_of
from firmware.forms.layout import FormLayout
from firmware.records import Gray

GOOD_SECONDS = 0.5
"""A page must stay good this long before the lamp says so: a hand that passes by is not a page."""
SAME_LEVELS = 6.0
"""Grey levels by which a picture's thumb may differ anywhere and still count as the same picture: noise, flicker."""
STILL_SHARE = 0.004
"""Part of the longer side that a corner may move between two pictures: at 6 a second, 0.8 pixels in a 1/30 s."""

Bgr = NDArray[np.uint8]

Wanted = Mapping[str, Collection[int]]
"""Forms that are wanted, by id, with the pages of each that need no picture any more."""

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Top left, top right, bottom right, bottom left of the sheet, as parts of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one small picture shows."""

    glimpse: Glimpse | None
    flaw: Instruction | None
    """The most important thing that is wrong with what lies there, whoever it is; None: nothing."""
    outline: Corners | None
    thumb: Gray


@dataclass(frozen=True, slots=True)
class Guidance:
    """One instruction, and what it is about."""

    instruction: Instruction
    values: Mapping[str, int]
    """What fills the sentence in: `page`, `pages`."""
    page: int | None
    outline: Corners | None
    good_since: float | None
    """Time from which on everything was right, None while it is not."""
    good: bool
    """Right for GOOD_SECONDS: the button will take this page."""
    sight: Sight = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """Of messages/: a page that has only just become good is not to be pressed for yet."""
        steady = self.instruction is Instruction.GOOD and not self.good
        return "live.steady" if steady else f"live.{self.instruction}"


def guide(
    bgr: Bgr,
    wanted: Wanted,
    layouts: Sequence[FormLayout],
    before: Guidance | None,
    now: float,
) -> Guidance:
    """What to do now; `now` in seconds, of any clock that only rises."""
    forms = [layout for layout in layouts if layout.id in wanted]
    sight = look(bgr, forms, [layout for layout in layouts if layout not in forms], before.sight if before else None)
    moved = before is None or _moved(before.sight, sight)
    instruction = _instruction(sight, wanted, moved)
    known = sight.glimpse.target.known if sight.glimpse and sight.glimpse.named else None
    form = known.form if known and known.form.id in wanted else None
    page = known.page.number if known and form else None
    since = None
    if instruction is Instruction.GOOD:
        since = before.good_since if before and before.page == page and before.good_since is not None else now
    good = since is not None and now - since >= GOOD_SECONDS
    values = {"page": page, "pages": len(form.pages)} if form and page is not None else {}
    return Guidance(instruction, values, page, sight.outline, since, good, sight)


def _instruction(sight: Sight, wanted: Wanted, moved: bool) -> Instruction:
    """The first thing to say."""
    if sight.glimpse is None:
        return sight.flaw or Instruction.NO_FORM
    known = sight.glimpse.target.known
    if known.form.id not in wanted:
        return Instruction.OTHER_FORM
    if sight.glimpse.named and known.page.number in wanted[known.form.id]:
        return Instruction.HELD
    if sight.flaw is not None:
        return sight.flaw
    if moved:
        return Instruction.STILL
    return Instruction.GOOD if sight.glimpse.named else Instruction.UNCLEAR


def look(bgr: Bgr, wanted: Sequence[FormLayout], others: Sequence[FormLayout], before: Sight | None) -> Sight:
    """What the picture shows; nothing is looked for again in a picture that is still the same."""
    gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    thumb = thumb_of(gray)
    if before is not None and _same(before.thumb, thumb):
        return before
    glimpse = find(gray, targets_of(wanted), targets_of(others), before.glimpse if before else None)
    if glimpse is None:
        return Sight(None, flaw_without_page(gray, thumb), None, thumb)
    outline = _outline(gray, glimpse)
    return Sight(glimpse, flaw_of_page(gray, thumb, glimpse), outline, thumb)


# --- what has changed


def _same(before: Gray, now: Gray) -> bool:
    return before.shape == now.shape and float(cv2.absdiff(before, now).max()) <= SAME_LEVELS


def _moved(before: Sight, now: Sight) -> bool:
    """True when the sheet is not where it was."""
    if before is now:
        return False
    if before.outline is None or now.outline is None:
        return True
    size = np.array(now.thumb.shape[::-1]) / max(now.thumb.shape)
    away = (np.array(before.outline) - np.array(now.outline)) * size
    return float(np.hypot(*away.T).max()) > STILL_SHARE


# --- where it is


def _outline(gray: Gray, glimpse: Glimpse) -> Corners:
    corners = project(glimpse.homography, sheet_corners(glimpse)) / (gray.shape[1], gray.shape[0])
    a, b, c, d = ((round(float(x), 4), round(float(y), 4)) for x, y in corners)
    return a, b, c, d
