"""Finds the page in a picture: by its printed lines where they suffice, else by its identity and marks.

What a person can lay under the camera is answered from a closed set: one page, proven; or no form, another form, two
forms, a form whose place is not proven. A page whose identity cannot be read counts only when its printed lines prove
it and no other page's lines fit as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from firmware.capture.beside import is_another_beside
from firmware.capture.recognition import Known, Sighting, glance_tags, identity_at, known_pages, name, sightings
from firmware.capture.registration import (
    Doubtful,
    Lines,
    Placement,
    another_place,
    from_identity,
    from_marks,
    near_identity,
    register,
)
from firmware.capture.rulings import Floats, project
from firmware.capture.squares import guess_by_marks
from firmware.capture.structure import CLEAR_SCORE, Guess, guess_pages
from firmware.forms.layout import FormLayout, Mark
from firmware.records import Gray, Matrix, PageRefusal

GUESSES_TRIED = 3
"""Placements by lines alone that are put to the proof."""
LEAST_SCORE = 0.95
"""Of a guess that is tried. Real scans: 1.18 and more."""
CLEAR_LEAD = 1.2
"""A page without a legible identity is clear of every other page that scores this many times less. The real scans,
with the lower half of page 2 masked, lead 1.21 and more times."""
BY_SQUARES_SCORE = 1.0
"""What a guess by marks counts as beside guesses by lines: rivals by lines are tried unless they are poor."""
SOFT_SIDE = 1000
"""Longest side in pixels of the picture in which blur is judged."""
SOFT_CONTRAST = 60.0
"""Grey levels: with less there is nothing that could be sharp or blurred."""
SOFT_EDGE = 0.25
"""Steepest step from pixel to pixel, as part of the contrast, of a picture that is too blurred to look for lines. Real
scans: 0.7 and more, a poor photograph of a monitor 0.33; blurred until thin lines vanish: 0.24 and less."""
FORM_LIKE_SUPPORT = 0.45
"""From this share of a page's lines on, an unproven placement is a form that cannot be read, not "no form"."""


@dataclass(frozen=True, slots=True)
class Target:
    """A page that is looked for."""

    known: Known
    lines: Lines

    @property
    def identity(self) -> str:
        """Kind and value."""
        return name(self.known.page.identity.kind, self.known.page.identity.value)


@dataclass(frozen=True, slots=True)
class Located:
    """The page, proven."""

    known: Known
    placement: Placement


@dataclass(frozen=True, slots=True)
class Lost:
    """No page is proven."""

    reason: PageRefusal
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class _Layouts:
    """Layouts as a key for the cache: what they are is told by their digests."""

    digests: tuple[str, ...]
    layouts: tuple[FormLayout, ...] = field(compare=False, hash=False)


def targets_of(layouts: Sequence[FormLayout]) -> tuple[Target, ...]:
    """All pages of the layouts, with their lines cut (cached)."""
    return _targets(_Layouts(tuple(layout.sha256 for layout in layouts), tuple(layouts)))


@lru_cache(maxsize=8)
def _targets(key: _Layouts) -> tuple[Target, ...]:
    return tuple(Target(known, Lines.of(known.page)) for known in known_pages(key.layouts))


def find_page(gray: Gray, layouts: Sequence[FormLayout]) -> Located | Lost:
    """The one page in the picture, or why there is none."""
    targets = targets_of(layouts)
    tags = glance_tags(gray, [target.known for target in targets])
    if len(tags) > 1:
        return Lost(PageRefusal.TWO_FORMS)
    found = (_by_clear_tag(gray, targets, tags[0]) if tags else None) or _by_all_means(gray, targets)
    if isinstance(found, Located) and is_another_beside(gray, _outline(found)):
        return Lost(PageRefusal.TWO_FORMS)
    return found


def _by_clear_tag(gray: Gray, targets: Sequence[Target], tag: Sighting) -> Located | None:
    """The page whose tag is seen at a glance, when its lines prove it there: the quick way for forms with tags."""
    target = next(target for target in targets if target.identity == tag.identity)
    placement = register(gray, target.lines, near_identity(gray, target.lines, tag.corners))
    return Located(target.known, placement) if isinstance(placement, Placement) else None


def _by_all_means(gray: Gray, targets: Sequence[Target]) -> Located | Lost:
    """The page by its lines, else by its identity and its marks."""
    guesses = _guesses(gray, targets)
    found = _by_lines(gray, targets, guesses)
    if not isinstance(found, Located):
        found = _by_squares(gray, targets, guesses) or _by_identity(gray, targets, guesses, found)
    if isinstance(found, Located):
        return found
    return Lost(PageRefusal.TWO_FORMS) if _two_halves(gray, targets) else _explained(gray, guesses[0], found)


def _explained(gray: Gray, guess: Guess, lost: Lost) -> Lost:
    """Says blur where the whole picture is soft, and that there is a form where lines show one clearly."""
    if lost.reason not in (PageRefusal.NO_FORM, PageRefusal.NOT_REGISTERED):
        return lost
    if is_soft(gray):
        return Lost(PageRefusal.BLURRED, lost.support)
    return Lost(PageRefusal.NOT_REGISTERED if guess.score >= CLEAR_SCORE else lost.reason, lost.support)


def is_soft(gray: Gray) -> bool:
    """True when a picture has contrast and yet no steep edge anywhere."""
    factor = min(1.0, SOFT_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    dark, light = np.percentile(small, (1, 99.5))
    steepest = min(float(np.percentile(np.abs(np.diff(small, axis=axis)), 99.9)) for axis in (0, 1))
    return bool(light - dark >= SOFT_CONTRAST and steepest < SOFT_EDGE * (light - dark))


def _guesses(gray: Gray, targets: Sequence[Target]) -> list[Guess]:
    return guess_pages(gray, [(target.known.page, target.known.form.height) for target in targets])


def _by_lines(gray: Gray, targets: Sequence[Target], guesses: Sequence[Guess]) -> Located | Lost:
    """The page that the printed lines lead to, when it is proven and cannot be another."""
    best = 0.0
    for guess in guesses[:GUESSES_TRIED]:
        if guess.score < LEAST_SCORE:
            break
        found = _settled(gray, targets, guess, guesses, guess.homography)
        if isinstance(found, Located):
            return found
        best = max(best, found.support)
    return Lost(PageRefusal.NOT_REGISTERED if best >= FORM_LIKE_SUPPORT else PageRefusal.NO_FORM, best)


def _by_marks(gray: Gray, targets: Sequence[Target], guesses: Sequence[Guess], lost: Lost) -> Located | Lost:
    """The likeliest page by its lines, led by its corner marks: a flat guess for a picture taken from the side."""
    guess = guesses[0]
    led = from_marks(gray, targets[guess.page].lines, guess.homography) if guess.score >= LEAST_SCORE else None
    found = _settled(gray, targets, guess, guesses, led) if led is not None else lost
    return found if isinstance(found, Located) else lost


def _by_squares(gray: Gray, targets: Sequence[Target], guesses: Sequence[Guess]) -> Located | None:
    """The page that four corner marks lead to, whatever lies between them."""
    by_marks: dict[tuple[Mark, ...], list[int]] = {}
    for index, target in enumerate(targets):
        by_marks.setdefault(target.known.page.marks, []).append(index)
    for marks, pages in by_marks.items():
        for homography in guess_by_marks(gray, marks):
            for index in pages:
                guess = Guess(index, homography, BY_SQUARES_SCORE)
                found = _settled(gray, targets, guess, guesses, homography)
                if isinstance(found, Located):
                    return found
    return None


def _settled(
    gray: Gray, targets: Sequence[Target], guess: Guess, guesses: Sequence[Guess], homography: Matrix
) -> Located | Lost:
    """The guess put to the proof; then the identity at its place decides, also for another page of the same lines."""
    target = targets[guess.page]
    placement = register(gray, target.lines, homography)
    if isinstance(placement, Doubtful):
        return Lost(PageRefusal.NOT_REGISTERED, placement.support)
    seen = identity_at(gray, placement.geometry.homography, target.known.page.identity)
    if seen is None and (there := another_place(gray, target.lines, placement)):
        placement, seen = there, identity_at(gray, there.geometry.homography, target.known.page.identity)
    if seen == target.identity or (seen is None and _only_one(gray, targets, guess, guesses)):
        return Located(target.known, placement)
    for named in targets:
        if named.identity == seen:
            placement = register(gray, named.lines, placement.geometry.homography)
            return Located(named.known, placement) if isinstance(placement, Placement) else Lost(PageRefusal.NO_FORM)
    return Lost(PageRefusal.NO_FORM)


def _only_one(gray: Gray, targets: Sequence[Target], chosen: Guess, guesses: Sequence[Guess]) -> bool:
    """True when no other page's lines fit, wherever they are put: a rival that scores nearly as well is tried."""
    rivals: dict[int, Guess] = {}
    for guess in guesses:
        if guess.page != chosen.page and guess.score * CLEAR_LEAD > chosen.score:
            rivals.setdefault(guess.page, guess)
    return not any(
        isinstance(register(gray, targets[page].lines, guess.homography), Placement) for page, guess in rivals.items()
    )


def _by_identity(gray: Gray, targets: Sequence[Target], guesses: Sequence[Guess], lost: Lost) -> Located | Lost:
    """The page that a tag or barcode anywhere in the picture names; without any, what the marks lead to."""
    seen = sightings(gray, [target.known for target in targets])
    known = [sighting for sighting in seen if sighting.known]
    if len(known) > 1:
        return Lost(PageRefusal.TWO_FORMS)
    if not known:
        return Lost(PageRefusal.OTHER_FORM) if seen else _by_marks(gray, targets, guesses, lost)
    target = next(target for target in targets if target.identity == known[0].identity)
    guess = from_identity(gray, target.lines, known[0].corners)
    placement = register(gray, target.lines, guess) if guess is not None else Doubtful(0.0, 0.0, 0.0)
    if isinstance(placement, Doubtful):
        return Lost(PageRefusal.NOT_REGISTERED, placement.support)
    return Located(target.known, placement)


def _two_halves(gray: Gray, targets: Sequence[Target]) -> bool:
    """True when each half of the picture shows a form: two of them spoil each other's lines."""
    height, width = gray.shape
    first, second = (
        (gray[:, : width // 2], gray[:, width // 2 :]) if width > height else (gray[: height // 2], gray[height // 2 :])
    )
    return all(isinstance(_by_lines(half, targets, _guesses(half, targets)), Located) for half in (first, second))


def _outline(found: Located) -> Floats:
    """The sheet's corners in the picture."""
    form = found.known.form
    sheet = np.array([(0.0, 0.0), (form.width, 0.0), (form.width, form.height), (0.0, form.height)])
    homography: Matrix = found.placement.geometry.homography
    return project(homography, sheet)
