"""Where every cell of a page is in a picture, proven by the printed lines, or a refusal.

A first homography comes from the page's identity and corner marks (`from_identity`) or from its lines alone
(structure.py). `register` draws it to the printed lines, from coarse to fine, proves it, and then lets every group of
cells move a little on its own, because paper is never flat. All tolerances count in sides of a digit box: lines
repeat at the distance of a box, so nothing may ever move by half of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from firmware.capture.curl import Curl
from firmware.capture.fit import FREE, LEAST_SPREAD, Anchors, Stiffness, corrected, posed
from firmware.capture.marks import find_mark, is_there, square_centres
from firmware.capture.recognition import box_corners
from firmware.capture.rulings import Floats, LinePieces, Probe, cell_side, cut, printed_lines, probe, project
from firmware.forms.layout import IdentityKind, PageLayout, Rect
from firmware.records import Geometry, Gray, Matrix

SEARCH_CELLS = ((0.36, 130), (0.36, 130), (0.36, 130), (0.18, 200), (0.1, 800))
"""How far from its predicted place a line is looked for, in cell sides, and in how many pieces, step by step."""
FOUND_CELLS = 0.06
"""A line this far (cell sides) from its predicted place counts as found there: 0.5 mm on A4, 1.1 mm on the plano."""
LEAST_SUPPORT = 0.6
"""Least share of all printed lines of the page that must be found, where every group of cells and LEAST_MARKS corner
marks are. Real scans, whose signatures are masked: 0.73 and more; a hard photograph: 0.67."""
LEAST_SUPPORT_WITHOUT_MARKS = 0.9
"""The same, of the horizontal and of the vertical lines each, where fewer than LEAST_MARKS corner marks are seen: then
the lines alone must say it. A page that was laid one column aside: 0.99 and 0.71."""
LEAST_MARKS = 2
STRAYED_CELLS = 3.5
"""How far away a mark that is missing is looked for: more than the three boxes of a number."""
LEAST_SEEN = 0.4
"""Share of lines that must be anywhere near in every step, or the guess is given up."""
LEAST_INSIDE = 0.98
"""Share of the page's lines that must lie within the picture: scanners cut margins, never what is printed."""
LEAST_GROUP_SUPPORT = 0.85
"""The same for the lines around every group of cells: what is not seen is not proven. Real scans: 0.94 and more; a
group laid over the next row: 0.76 and less."""
MOST_RESIDUAL_CELLS = 0.03
"""Most median distance of the page's lines from their predicted place. Real scans: 0.007; curled paper: 0.01."""
MOST_GROUP_RESIDUAL_CELLS = 0.03
"""The same for the lines around every group of cells, after it has moved on its own. Curled paper: 0.01."""
FLAT_CELLS = 0.01
"""Up to this median distance the sheet counts as flat. Scans: 0.007."""
CURL_SEARCH_CELLS = ((0.3, 300), (0.15, 300), (0.1, 800))
"""The same for how the sheet bends."""
LOCAL = Stiffness(0.04, 0.03, 0.0, 1.0)
"""How far a group of cells may leave the page's homography, in units of the group's half size."""
LOCAL_SEARCH_CELLS = 0.1
LOCAL_ROUNDS = 2
UNEVEN_PART, UNEVEN_CELLS = 0.9, 0.015
"""When a tenth of a group's lines is farther from its place than this (cell sides), its fields move on their own."""
GROW_STEPS = (0.15, 0.25, 0.4, 0.65, 1.0)
"""How far from what is known lines are used, as part of the page's height, when growing from an identity."""
GROW_SEARCH_CELLS = 0.4
POSE_AFFINE, POSE_PERSPECTIVE = 0.3, 0.15
"""How far from a similarity a photograph may be: foreshortening, and change of scale over half of the page."""
WELL_SPREAD = 0.5
"""Part of the page's height over which points must be spread to tell how the page recedes: a tag's corners do not."""
ANCHOR_CELLS = 0.03
"""How exactly corners of tags, ends of barcodes and marks are known, in cell sides."""
MARK_RADIUS = 0.2
"""Where a mark is looked for, as part of its distance from the nearest known point, ..."""
MARK_RADIUS_CELLS = 1.0
"""... and in cell sides."""
GUESS_AWAY = 0.5
"""Distance that a guess by lines counts as, as part of the page's height."""
MARK_CHOICES = 3
MOST_CHOICES = 4
"""Places tried for one mark, and choices of all marks that are followed up."""
LEAST_ANCHORS = 2
"""Points from which it can be grown."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A page that is proven to be where `geometry` says, with a homography for the boxes of every field."""

    geometry: Geometry
    fields: Mapping[str, Matrix]
    """By field id, for its boxes."""
    tallies: Mapping[str, Matrix]
    """For each field with a tally grid: the homography drawn to the grid's frame. It proves nothing."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The pieces of line of one page, and which of them frame each group of cells."""

    page: PageLayout
    side: float
    pieces: LinePieces
    groups: Mapping[str, LinePieces]
    """Printed lines near a group, for the local fit."""
    fields: Mapping[str, LinePieces]
    """Those near the boxes of one field."""
    tallies: Mapping[str, LinePieces]
    """Printed lines near the tally grid of a field."""

    @property
    def height(self) -> float:
        """mm from the top of the sheet to the lowest line."""
        return float(self.pieces.centre[:, 1].max())

    @property
    def pose(self) -> Stiffness:
        """How far a photograph of this page may be from a similarity."""
        return Stiffness(1.0, POSE_AFFINE, POSE_PERSPECTIVE, self.height / 2)

    @staticmethod
    def of(page: PageLayout) -> Lines:
        """Cuts the page's lines; do it once for a page."""
        side = cell_side(page)
        pieces = cut(printed_lines(page), side)
        cells: dict[str, list[Rect]] = {}
        for entry in page.fields:
            cells.setdefault(entry.group, []).extend(entry.cells)
        groups = {name: pieces.take(pieces.near(boxes, side)) for name, boxes in cells.items()}
        grids = {entry.id: entry.tally.area for entry in page.fields if entry.tally}
        tallies = {name: pieces.take(pieces.near([area], side / 4)) for name, area in grids.items()}
        fields = {entry.id: pieces.take(pieces.near(entry.cells, side)) for entry in page.fields}
        return Lines(page, side, pieces, groups, fields, tallies)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Why a homography is not proven: figures for the refusal's details."""

    support: float
    weakest_group: float
    residual_mm: float


def register(gray: Gray, lines: Lines, guess: Matrix) -> Placement | Doubtful:
    """Draws `guess` (page mm to pixels of `gray`) to the printed lines and proves it."""
    homography = guess
    for reach, count in SEARCH_CELLS:
        pieces = lines.pieces.every(max(1, len(lines.pieces) // count))
        seen = probe(gray, homography, pieces, reach * lines.side)
        if float(seen.seen.mean()) < LEAST_SEEN:
            return Doubtful(0.0, 0.0, 0.0)
        homography = corrected(homography, pieces, seen, Anchors.none(), FREE)
    curl, support, residual = _curl(gray, lines, homography)
    groups, tallies = (
        {name: _local(gray, lines, curl.local(homography, near.centre), near) for name, near in frames.items()}
        for frames in (lines.groups, lines.tallies)
    )
    around = {name: _around(gray, lines, groups[name], pieces) for name, pieces in lines.groups.items()}
    proofs = [_judged(lines, seen) for seen in around.values()]
    weakest = min(share for share, _ in proofs)
    marks = _visible_marks(gray, lines, homography, curl)
    enough = support >= LEAST_SUPPORT and (len(marks) >= LEAST_MARKS or _both_ways(gray, lines, homography, curl))
    proven = (
        enough
        and residual <= MOST_RESIDUAL_CELLS * lines.side
        and weakest >= LEAST_GROUP_SUPPORT
        and max(distance for _, distance in proofs) <= MOST_GROUP_RESIDUAL_CELLS * lines.side
        and _inside(gray, homography, lines)
    )
    if not proven:
        return Doubtful(support, weakest, residual)
    fields = _fields(gray, lines, groups, around)
    return Placement(Geometry(homography, marks, residual, support), fields, tallies)


def _fields(gray: Gray, lines: Lines, groups: Mapping[str, Matrix], around: Mapping[str, Probe]) -> dict[str, Matrix]:
    """Each field's homography: that of its group, or one of its own where a fold or a wave runs through the group."""
    placed: dict[str, Matrix] = {}
    for entry in lines.page.fields:
        group, seen = groups[entry.group], around[entry.group]
        uneven = np.quantile(np.abs(seen.offset[seen.seen]), UNEVEN_PART) > UNEVEN_CELLS * lines.side
        placed[entry.id] = _local(gray, lines, group, lines.fields[entry.id]) if uneven else group
    return placed


def _both_ways(gray: Gray, lines: Lines, homography: Matrix, curl: Curl) -> bool:
    """True when enough horizontal lines are found for a page whose marks are not seen, and enough vertical ones.

    A page that was laid over the next row or column still finds nearly all lines of one direction.
    """
    pieces = curl.bend(lines.pieces)
    shares = (support_of(gray, lines, homography, pieces.take(pieces.across == axis))[0] for axis in (0, 1))
    return min(shares) >= LEAST_SUPPORT_WITHOUT_MARKS


def another_place(gray: Gray, lines: Lines, placement: Placement) -> Placement | None:
    """Where the page lies instead, when corner marks that are missing at their place are seen cells away from it.

    Lines repeat at the distance of a cell; marks do not.
    """
    seen, here = placement.geometry.marks, placement.geometry.homography
    missing = [mark for mark in lines.page.marks if mark.name not in seen]
    if not any(find_mark(gray, here, mark, STRAYED_CELLS * lines.side, 1) for mark in missing):
        return None
    led = from_marks(gray, lines, here)
    there = register(gray, lines, led) if led is not None else None
    return there if isinstance(there, Placement) and len(there.geometry.marks) > len(seen) else None


def _visible_marks(gray: Gray, lines: Lines, homography: Matrix, curl: Curl) -> tuple[str, ...]:
    """Names of the marks that are where the sheet, taken as flat or as curled, has them: both are guesses out there."""
    around = lines.side * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return tuple(
        mark.name
        for mark in lines.page.marks
        if is_there(gray, homography, mark)
        or is_there(gray, curl.local(homography, square_centres(mark).mean(axis=0) + around), mark)
    )


def _inside(gray: Gray, homography: Matrix, lines: Lines) -> bool:
    """True when the page is not cut off by the picture's edge."""
    x, y = project(homography, lines.pieces.centre).T
    within = (x >= 0) & (y >= 0) & (x < gray.shape[1]) & (y < gray.shape[0])
    return float(within.mean()) >= LEAST_INSIDE


def _curl(gray: Gray, lines: Lines, homography: Matrix) -> tuple[Curl, float, float]:
    """How the sheet differs from a flat one, and `support_of` it; flat where the homography fits well enough."""
    curl = Curl.flat(lines.height / 2)
    support, residual = support_of(gray, lines, homography, lines.pieces)
    if residual <= FLAT_CELLS * lines.side:
        return curl, support, residual
    for reach, count in CURL_SEARCH_CELLS:
        pieces = lines.pieces.every(max(1, len(lines.pieces) // count))
        curl = curl.towards(pieces, probe(gray, homography, curl.bend(pieces), reach * lines.side))
    return curl, *support_of(gray, lines, homography, curl.bend(lines.pieces))


def support_of(gray: Gray, lines: Lines, homography: Matrix, pieces: LinePieces) -> tuple[float, float]:
    """Share of the pieces found where predicted, and the median distance in mm of those seen nearby."""
    return _judged(lines, _around(gray, lines, homography, pieces))


def _around(gray: Gray, lines: Lines, homography: Matrix, pieces: LinePieces) -> Probe:
    return probe(gray, homography, pieces, 2.5 * FOUND_CELLS * lines.side)


def _judged(lines: Lines, seen: Probe) -> tuple[float, float]:
    if not seen.seen.any():
        return 0.0, float("inf")
    found = seen.seen & (np.abs(seen.offset) <= FOUND_CELLS * lines.side)
    return float(found.mean()), float(np.median(np.abs(seen.offset[seen.seen])))


def _local(gray: Gray, lines: Lines, homography: Matrix, pieces: LinePieces) -> Matrix:
    for _ in range(LOCAL_ROUNDS):
        seen = probe(gray, homography, pieces, LOCAL_SEARCH_CELLS * lines.side)
        homography = corrected(homography, pieces, seen, Anchors.none(), LOCAL)
    return homography


def from_identity(gray: Gray, lines: Lines, corners: Floats) -> Matrix | None:
    """A first homography from the identity's corners (pixels), the corner marks near to where they lead, and lines."""
    known = _identity_anchors(lines, corners)
    return _best(gray, lines, known, _pose(lines, known, _similarity(known)))


def near_identity(gray: Gray, lines: Lines, corners: Floats) -> Matrix:
    """A quick first homography: the identity's corners with the likeliest place of each mark, unless proven wrong."""
    known = _identity_anchors(lines, corners)
    start = _pose(lines, known, _similarity(known))
    return _pose(lines, _with_marks(gray, lines, known, start, 1)[0], start)


def from_marks(gray: Gray, lines: Lines, guess: Matrix) -> Matrix | None:
    """A better homography than a rough `guess` from the corner marks around where it puts them, and lines."""
    return _best(gray, lines, Anchors.none(), guess)


def _best(gray: Gray, lines: Lines, known: Anchors, start: Matrix) -> Matrix | None:
    """Of all choices of places that could be the marks, the one that most printed lines agree with."""
    best, best_support = None, 0.0
    for anchors in _with_marks(gray, lines, known, start, MOST_CHOICES):
        homography = _grow(gray, lines, anchors, _pose(lines, anchors, start))
        support, _ = support_of(gray, lines, homography, lines.pieces)
        if support > best_support:
            best, best_support = homography, support
    return best


def _identity_anchors(lines: Lines, corners: Floats) -> Anchors:
    """A tag gives its four corners; a barcode only the middles of its ends, since its height is not known."""
    identity = lines.page.identity
    box, weight = box_corners(identity.box), _anchor_weight(lines)
    if identity.kind is IdentityKind.APRILTAG:
        return Anchors(box, corners, weight)
    ends = [(0, 3), (1, 2)]
    return Anchors(
        np.array([(box[a] + box[b]) / 2 for a, b in ends]),
        np.array([(corners[a] + corners[b]) / 2 for a, b in ends]),
        weight,
    )


def _similarity(anchors: Anchors) -> Matrix:
    """Scale, turn and move from page to picture (least squares); no mirror image."""
    page = anchors.page[:, 0] + 1j * anchors.page[:, 1]
    picture = anchors.picture[:, 0] + 1j * anchors.picture[:, 1]
    flat, there = page - page.mean(), picture - picture.mean()
    turn = np.vdot(flat, there) / np.vdot(flat, flat)
    move = picture.mean() - turn * page.mean()
    return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag], [0.0, 0.0, 1.0]])


def _pose(lines: Lines, anchors: Anchors, start: Matrix) -> Matrix:
    """The homography nearest to `start` that fits the points; bent as little as they allow."""
    homography = start
    for _ in range(4):
        homography = posed(homography, anchors, lines.pose)
    return homography


def _with_marks(gray: Gray, lines: Lines, known: Anchors, start: Matrix, most: int) -> list[Anchors]:
    """The `most` likeliest choices of marks, from what is known outwards; one that is nowhere is left out."""
    choices = [(0.0, known)]
    at = known.page.mean(axis=0) if len(known.page) else np.zeros(2)
    for mark in sorted(lines.page.marks, key=lambda m: float(np.linalg.norm(square_centres(m)[0] - at))):
        page = square_centres(mark)
        longer = []
        for likeness, anchors in choices:
            away = np.linalg.norm(anchors.page - page[0], axis=1).min(initial=GUESS_AWAY * lines.height)
            radius = MARK_RADIUS * float(away) + MARK_RADIUS_CELLS * lines.side
            near = len(known.page) and np.ptp(anchors.page[:, 1]) < WELL_SPREAD * lines.height
            predicted = _similarity(anchors) if near else _pose(lines, anchors, start)
            found = find_mark(gray, predicted, mark, radius, MARK_CHOICES)
            longer += [(likeness + f.likeness, _and(anchors, page, f.picture, lines)) for f in found]
            longer += [] if found else [(likeness, anchors)]
        choices = sorted(longer, key=lambda choice: -choice[0])[:most]
    return [anchors for _, anchors in choices]


def _and(anchors: Anchors, page: Floats, picture: Floats, lines: Lines) -> Anchors:
    joined = np.concatenate([anchors.page, page]), np.concatenate([anchors.picture, picture])
    return Anchors(*joined, _anchor_weight(lines))


def _anchor_weight(lines: Lines) -> float:
    return (LEAST_SPREAD / (ANCHOR_CELLS * lines.side)) ** 2


def _grow(gray: Gray, lines: Lines, anchors: Anchors, homography: Matrix) -> Matrix:
    """Draws the homography to the lines near what is known, then to ever more of the page."""
    if len(anchors.page) < LEAST_ANCHORS:
        return homography
    low, high = anchors.page.min(axis=0), anchors.page.max(axis=0)
    known = Rect(low[0], low[1], high[0] - low[0], high[1] - low[1])
    for step in GROW_STEPS:
        pieces = lines.pieces.take(lines.pieces.near([known], step * lines.height))
        for _ in range(2):
            seen = probe(gray, homography, pieces, GROW_SEARCH_CELLS * lines.side)
            homography = corrected(homography, pieces, seen, anchors, lines.pose)
    return homography
