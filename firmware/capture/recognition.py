"""Which page a picture says it shows: AprilTags (36h10) and Code 128 barcodes.

Both are looked for in the whole picture, or, when the printed lines have already told where the page is, at the one
place where the identity must be printed (that is quick, and finds smaller print).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from firmware.capture.barcode import read_code128
from firmware.capture.rulings import Floats, project
from firmware.forms.layout import FormLayout, Identity, IdentityKind, PageLayout, Rect
from firmware.records import Gray, Matrix

SEARCH_SIDE = 1600
"""Longest side, in pixels, of the picture in which tags are looked for first: a tag of 2 % of it is still 32 px."""
GLANCE_SIDE = 1000
"""The same at a glance: a tag of 3.5 % of it is 32 px."""
LEAST_TAG_PERIMETER = 0.045
"""Perimeter of the smallest tag as part of the picture's longest side: 18 px a side."""
TAG_WINDOWS = (11, 35, 12)
"""Adaptive threshold windows in pixels: smallest, largest, step."""
GLANCE_WINDOWS = (23, 23, 10)
CROP_MARGIN = 0.35
"""Part of the identity's sides that is shown around it when it is read at its place: the quiet zone."""
CROP_MODULE_PIXELS = 5.0
"""Pixels a narrowest bar or tag module when the identity is read at its place."""
TAG_MODULES = 8
"""Modules along a side of a 36h10 tag, border included."""
MODULE_SAMPLES = 5
"""Samples along a tag module when it is read at its place; the outer ones are not used."""
MOST_BORDER_ERRORS = 3
"""Of the 28 border modules of a tag, which are black: more white ones are no tag."""
TAG_CORRECTION = 0.5
"""Part of the dictionary's 4 correctable modules that may be wrong."""
CODE128_MODULES = 145
"""Modules of ten characters in Code 128, with start, check and stop."""


@dataclass(frozen=True, slots=True)
class Known:
    """One page of one form."""

    form: FormLayout
    page: PageLayout


@dataclass(frozen=True, slots=True)
class Sighting:
    """An identity in a picture: its printed box's corners (top left, top right, bottom right, bottom left), pixels."""

    identity: str
    """Kind and value."""
    known: Known | None
    """None: no layout has this identity."""
    corners: Floats


def known_pages(layouts: Sequence[FormLayout]) -> tuple[Known, ...]:
    """All pages of all forms."""
    return tuple(Known(form, page) for form in layouts for page in form.pages)


def name(kind: IdentityKind, value: str) -> str:
    """Kind and value as one word."""
    return f"{kind.value}:{value}"


def sightings(gray: Gray, pages: Sequence[Known]) -> tuple[Sighting, ...]:
    """Every identity that can be read anywhere in the picture."""
    table = {name(known.page.identity.kind, known.page.identity.value): known for known in pages}
    kinds = {known.page.identity.kind for known in pages}
    found = _reduced_tags(gray, SEARCH_SIDE) if IdentityKind.APRILTAG in kinds else []
    if IdentityKind.CODE128 in kinds:
        found += [(name(IdentityKind.CODE128, code.text), code.corners) for code in read_code128(gray)]
    return tuple(_sighting(text, corners, table.get(text)) for text, corners in _distinct(found))


def glance_tags(gray: Gray, pages: Sequence[Known]) -> tuple[Sighting, ...]:
    """The tags of `pages` that are seen at a glance."""
    tags = {known.page.identity.value: known for known in pages if known.page.identity.kind is IdentityKind.APRILTAG}
    found = _reduced_tags(gray, GLANCE_SIDE, tuple(int(tag) for tag in tags)) if tags else []
    return tuple(_sighting(text, corners, tags[text.rpartition(":")[2]]) for text, corners in _distinct(found))


def _reduced_tags(gray: Gray, side: int, only: tuple[int, ...] = ()) -> list[tuple[str, Floats]]:
    """Names and corners of the tags that are seen in the picture reduced to `side`; corners in its own pixels."""
    factor = min(1.0, side / max(gray.shape))
    small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else gray
    tags = read_tags(np.asarray(small, dtype=np.uint8), only)
    return [(text, (corners + 0.5) / factor - 0.5) for text, corners in tags]


def identity_at(gray: Gray, homography: Matrix, identity: Identity) -> str | None:
    """The identity printed where `homography` puts `identity`'s box; None when nothing can be read there."""
    if identity.kind is IdentityKind.APRILTAG:
        tags = read_tags(_at(gray, homography, identity.box, TAG_MODULES))
        return _tag_at(gray, homography, identity) or next((text for text, _ in tags), None)
    codes = read_code128(_at(gray, homography, identity.box, CODE128_MODULES))
    return next((name(identity.kind, code.text) for code in codes), None)


def _tag_at(gray: Gray, homography: Matrix, identity: Identity) -> str | None:
    """The tag in `identity`'s box, turned as it must be printed: its modules are read off one by one."""
    box, side = identity.box, TAG_MODULES * MODULE_SAMPLES
    step_x, step_y = box.w / side, box.h / side
    to_page = np.array([[step_x, 0, box.x + step_x / 2], [0, step_y, box.y + step_y / 2], [0, 0, 1.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(gray, homography @ to_page, (side, side), flags=flags, borderValue=255)
    between, _ = cv2.threshold(seen, 0, 255, cv2.THRESH_OTSU)
    inner = slice(1, MODULE_SAMPLES - 1)
    modules = seen.reshape(TAG_MODULES, MODULE_SAMPLES, TAG_MODULES, MODULE_SAMPLES)[:, inner, :, inner]
    white = modules.mean(axis=(1, 3)) > between
    if white.sum() > white[1:-1, 1:-1].sum() + MOST_BORDER_ERRORS:
        return None
    known, tag, turns = _dictionary().identify(np.ascontiguousarray(white[1:-1, 1:-1], np.uint8), TAG_CORRECTION)
    return name(IdentityKind.APRILTAG, str(tag)) if known and turns == identity.quarter_turns else None


def _at(gray: Gray, homography: Matrix, box: Rect, modules: int) -> Gray:
    """The identity's box with the quiet zone around it, CROP_MODULE_PIXELS a module."""
    scale = CROP_MODULE_PIXELS * modules / box.w
    margin = CROP_MARGIN * min(box.w, 2 * box.h)
    area = Rect(box.x - margin, box.y - margin, box.w + 2 * margin, box.h + 2 * margin)
    to_page = np.array([[1 / scale, 0, area.x], [0, 1 / scale, area.y], [0, 0, 1.0]])
    size = (round(area.w * scale), round(area.h * scale))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(gray, homography @ to_page, size, flags=flags, borderValue=255), np.uint8)


def read_tags(gray: Gray, only: tuple[int, ...] = ()) -> Iterable[tuple[str, Floats]]:
    """Names and corners (OpenCV's order) of all 36h10 tags, or at a glance of those in `only`; no mirrored tag."""
    settings = _settings(GLANCE_WINDOWS if only else TAG_WINDOWS)
    corners, ids, _ = cv2.aruco.ArucoDetector(_dictionary(only), settings).detectMarkers(gray)
    for quad, index in zip(corners, [] if ids is None else ids.ravel(), strict=True):
        tag = only[int(index)] if only else int(index)
        yield name(IdentityKind.APRILTAG, str(tag)), np.asarray(quad, dtype=np.float64).reshape(4, 2)


def _settings(windows: tuple[int, int, int]) -> cv2.aruco.DetectorParameters:
    settings = cv2.aruco.DetectorParameters()
    settings.adaptiveThreshWinSizeMin, settings.adaptiveThreshWinSizeMax, settings.adaptiveThreshWinSizeStep = windows
    settings.minMarkerPerimeterRate = LEAST_TAG_PERIMETER
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    return settings


def _dictionary(only: tuple[int, ...] = ()) -> cv2.aruco.Dictionary:
    """All tags of 36h10, or those in `only`, renumbered: a quadrangle is held against each of them."""
    whole = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h10)
    if not only:
        return whole
    return cv2.aruco.Dictionary(whole.bytesList[list(only)], whole.markerSize, whole.maxCorrectionBits)


def _distinct(found: Sequence[tuple[str, Floats]]) -> list[tuple[str, Floats]]:
    """Drops doubles of the same thing: the same name with centres closer than half its size."""
    kept: list[tuple[str, Floats]] = []
    for text, corners in found:
        size = float(np.ptp(corners, axis=0).max())
        if not any(
            text == other and np.linalg.norm(corners.mean(axis=0) - there.mean(axis=0)) < size / 2
            for other, there in kept
        ):
            kept.append((text, corners))
    return kept


def _sighting(text: str, corners: Floats, known: Known | None) -> Sighting:
    turns = known.page.identity.quarter_turns if known else 0
    return Sighting(text, known, np.roll(corners, turns, axis=0))


def box_corners(box: Rect) -> Floats:
    """Corners in page mm, in the order of Sighting.corners."""
    return np.array([(box.x, box.y), (box.x + box.w, box.y), (box.x + box.w, box.y + box.h), (box.x, box.y + box.h)])


def seen_at(homography: Matrix, identity: Identity) -> Floats:
    """Where the identity's box should be in the picture, (4, 2)."""
    return project(homography, box_corners(identity.box))
