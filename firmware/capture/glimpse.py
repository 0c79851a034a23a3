"""Where a page is in a small picture, quickly: what a person is guided by while nothing has been taken yet.

The same means as search.py, without its proof: where the page was a moment ago, its tag, its printed lines, its marks.
A glimpse proves nothing and no cell is ever cut by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from firmware.capture.fit import FREE, Anchors, corrected
from firmware.capture.recognition import Sighting, glance_tags, identity_at
from firmware.capture.registration import Lines, from_identity, near_identity, support_of
from firmware.capture.rulings import Floats, probe, project
from firmware.capture.search import Target
from firmware.capture.squares import guess_by_marks
from firmware.capture.structure import guess_pages
from firmware.forms.layout import IdentityKind
from firmware.records import Gray, Matrix

DRAW_CELLS = ((0.36, 4), (0.18, 2), (0.1, 2))
"""How far from its predicted place a line is looked for, in cell sides, and every how manieth piece, step by step."""
SUPPORT_NTH = 2
"""Every how manieth piece of line is asked for when a glimpse is judged."""
LEAST_SEEN = 0.3
"""Share of lines that must be anywhere near, or the guess is given up: a page may be half out of the picture."""
LEAST_SUPPORT = 0.6
"""Least share of the lines within the picture that are where they should be. Rendered previews: 0.9 and more."""
LEAST_SHOWN = 0.3
"""Share of the page's lines that must be within the picture at all."""
LEAST_SCORE = 0.95
"""Of a guess by lines that is followed up."""
GUESSES_TRIED = 3
QUADS_TRIED = 6
"""Choices of four marks that are followed up, the largest first."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A page that seems to be where `homography` says."""

    target: Target
    homography: Matrix
    """Page mm to pixels of the small picture."""
    named: bool
    """True when a tag says which page it is, or no other page has its lines."""


def find(gray: Gray, wanted: Sequence[Target], others: Sequence[Target], before: Glimpse | None) -> Glimpse | None:
    """The page in the picture: one of `wanted`, else one of `others`, else None."""
    everything = (*wanted, *others)
    return (
        (_followed(gray, everything, before) if before else None)
        or _by_tag(gray, everything)
        or _by_lines(gray, wanted)
        or _by_squares(gray, wanted)
        or _by_lines(gray, others)
    )


def shown(gray: Gray, lines: Lines, homography: Matrix) -> Floats:
    """Which pieces of the page's lines are within the picture (booleans)."""
    x, y = project(homography, lines.pieces.centre).T
    return np.asarray((x >= 0) & (y >= 0) & (x < gray.shape[1]) & (y < gray.shape[0]))


def _followed(gray: Gray, targets: Sequence[Target], before: Glimpse) -> Glimpse | None:
    """The page where it was a moment ago, or moved a little; another page in its place is told by its tag."""
    homography = drawn(gray, before.target.lines, before.homography)
    if homography is None:
        return None
    identity = before.target.known.page.identity
    if identity.kind is not IdentityKind.APRILTAG:
        return Glimpse(before.target, homography, before.named)
    seen = identity_at(gray, homography, identity)
    if seen == before.target.identity:
        return Glimpse(before.target, homography, True)
    if seen is None and not any(_alike(before.target, other) for other in targets):
        return Glimpse(before.target, homography, before.named)
    return None


def _by_tag(gray: Gray, targets: Sequence[Target]) -> Glimpse | None:
    tags = glance_tags(gray, [target.known for target in targets])
    if len(tags) != 1:
        return None
    tag = tags[0]
    target = next(target for target in targets if target.identity == tag.identity)
    homography = drawn(gray, target.lines, near_identity(gray, target.lines, tag.corners))
    return Glimpse(target, homography, True) if homography is not None else _around(gray, target, tag)


def _around(gray: Gray, target: Target, seen: Sighting) -> Glimpse | None:
    """The page that lies around its identity, also when its other end is out of the picture."""
    guess = from_identity(gray, target.lines, seen.corners)
    homography = drawn(gray, target.lines, guess) if guess is not None else None
    return Glimpse(target, homography, True) if homography is not None else None


def _by_lines(gray: Gray, targets: Sequence[Target]) -> Glimpse | None:
    if not targets:
        return None
    guesses = guess_pages(gray, [(target.known.page, target.known.form.height) for target in targets])
    for guess in guesses[:GUESSES_TRIED]:
        if guess.score < LEAST_SCORE:
            return None
        target = targets[guess.page]
        homography = drawn(gray, target.lines, guess.homography)
        if homography is not None:
            named, alike = _named(gray, homography, target, targets)
            return Glimpse(named or target, homography, named is not None or not alike)
    return None


def _by_squares(gray: Gray, targets: Sequence[Target]) -> Glimpse | None:
    """A page that lies too aslant for its lines, by its four marks where these are squares."""
    by_marks = {target.known.page.marks for target in targets}
    guesses = (guess for marks in by_marks for guess in guess_by_marks(gray, marks)[:QUADS_TRIED])
    for guess, target in product(guesses, targets):
        homography = drawn(gray, target.lines, guess)
        if homography is not None:
            return Glimpse(target, homography, not any(_alike(target, other) for other in targets))
    return None


def _named(gray: Gray, homography: Matrix, target: Target, targets: Sequence[Target]) -> tuple[Target | None, bool]:
    """The page that the tag at its place names; and whether other pages have the same lines."""
    seen = None
    if target.known.page.identity.kind is IdentityKind.APRILTAG:
        seen = identity_at(gray, homography, target.known.page.identity)
    named = next((other for other in targets if other.identity == seen), None)
    return named, any(_alike(target, other) for other in targets)


def _alike(target: Target, other: Target) -> bool:
    """True for another page with the same printed lines."""
    return other is not target and other.known.page.rulings == target.known.page.rulings


def drawn(gray: Gray, lines: Lines, guess: Matrix) -> Matrix | None:
    """`guess` drawn to the printed lines; None when they are not there."""
    homography = guess
    for reach, nth in DRAW_CELLS:
        pieces = lines.pieces.every(nth)
        seen = probe(gray, homography, pieces, reach * lines.side)
        if float(seen.seen.mean()) < LEAST_SEEN:
            return None
        homography = corrected(homography, pieces, seen, Anchors.none(), FREE)
    inside = shown(gray, lines, homography)
    if inside.mean() < LEAST_SHOWN or not _is_sheet(lines, homography):
        return None
    within = lines.pieces.take(inside.astype(bool)).every(SUPPORT_NTH)
    return homography if support_of(gray, lines, homography, within)[0] >= LEAST_SUPPORT else None


def _is_sheet(lines: Lines, homography: Matrix) -> bool:
    """True when the page's corners are a convex quadrangle in front of the camera."""
    low, high = lines.pieces.centre.min(axis=0), lines.pieces.centre.max(axis=0)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    depth = corners @ homography[2, :2] + homography[2, 2]
    quad = project(homography, corners).astype(np.float32)
    return bool((depth > 0).all() and cv2.isContourConvex(quad) and cv2.contourArea(quad, oriented=True) > 0)
