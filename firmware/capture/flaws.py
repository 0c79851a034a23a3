"""What is wrong with the paper in a small picture, worst first: no light, cut off, too far, blurred, hidden. Pure.

Light is judged in the picture's thumb (a hundred pixels long), everything else in the picture itself.
"""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from firmware.capture.glimpse import Glimpse
from firmware.capture.marks import square_centres
from firmware.capture.rulings import Floats, probe, project
from firmware.records import Gray

THUMB_SIDE = 96
"""Pixels of the longer side of a picture's thumb."""
LEAST_FILL = 0.55
"""Part of the picture's height or width that the sheet must fill: a digit box of a plano form then has 37 pixels
a side in a 12-megapixel picture, where the model looks at 48."""
EDGE_SHARE = 0.004
"""Part of the longer side that must stay free around what is printed."""
DARK_PAPER = 70
"""Grey level of paper below which pen strokes drown in the sensor's noise."""
SOFT_EDGE = 0.3
"""Steepest step from pixel to pixel, as part of the contrast, below which a small picture is blurred."""
LEAST_CONTRAST = 40
"""Grey levels between dark and light; with less there is nothing that could be blurred, and no print."""
GLARE_LEVEL = 248
"""Grey level from which paper is burnt out."""
GONE = 0.1
"""A line with less than this part of the contrast that the page's lines have is not seen."""
GONE_SHARE = 0.75
"""Part of the lines of one block that are not seen under glare or a hand. Rendered previews without either: none; at
two thirds of the size, where thin lines vanish here and there, 0.6 and less but for one of 85; a spot that burns print
out: 0.86 and more."""
BLOCKS = 10
"""Blocks along each side of the picture: the reflection of a lamp and a hand are as large."""
BLOCK_LINES = 4
"""Pieces of line that a block must have to be judged."""
PRINT_BLOCKS = 32
"""Blocks along the longer side in which print is looked for."""
PRINT_STEP = 25
"""Grey levels from pixel to pixel that print on paper has somewhere."""
PRINT_SHARE = 0.06
"""Part of the picture that must show print to be a sheet of something."""


class Instruction(StrEnum):
    """What to do now, in order of importance; sentences under `live.<value>`."""

    TOO_DARK = "too-dark"
    NO_PAPER = "no-paper"
    NO_FORM = "no-form"
    """Something printed, but no form that is known."""
    OTHER_FORM = "other-form"
    HELD = "held"
    """This page has been taken already."""
    BACK = "back"
    """It is cut at the picture's edge."""
    CLOSER = "closer"
    BLURRED = "blurred"
    GLARE = "glare"
    COVERED = "covered"
    """A hand, a pen or a fold hides print."""
    STILL = "still"
    """It moves."""
    UNCLEAR = "unclear"
    """The form is there; which of its pages this is, is not clear."""
    GOOD = "good"


def thumb_of(gray: Gray) -> Gray:
    """The thumb of a picture."""
    factor = THUMB_SIDE / max(gray.shape)
    return np.asarray(cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def flaw_without_page(gray: Gray, thumb: Gray) -> Instruction | None:
    """Why no page is found; None when something printed lies there, sharp and whole."""
    if float(np.percentile(thumb, 90)) < DARK_PAPER:
        return Instruction.TOO_DARK
    printed = _print(gray)
    if printed.mean() < PRINT_SHARE:
        return Instruction.BLURRED if _is_soft(gray) and _is_paper(thumb) else Instruction.NO_PAPER
    if _is_soft(gray):
        return Instruction.BLURRED
    rows, columns = (np.flatnonzero(printed.any(axis=axis)) for axis in (1, 0))
    whole = rows[0] > 0 and columns[0] > 0 and rows[-1] < len(printed) - 1 and columns[-1] < printed.shape[1] - 1
    if not whole:
        return Instruction.BACK
    fill = max(len(rows) / printed.shape[0], len(columns) / printed.shape[1])
    return Instruction.CLOSER if fill < LEAST_FILL else None


def _print(gray: Gray) -> NDArray[np.bool_]:
    """Where in the picture there is print: blocks of pixels with steep steps on bright ground."""
    block = max(gray.shape) // PRINT_BLOCKS
    size = (gray.shape[1] // block, gray.shape[0] // block)
    bright, dark = (
        cv2.resize(cv2.morphologyEx(gray, kind, np.ones((5, 5), np.uint8)), size, interpolation=cv2.INTER_AREA)
        for kind in (cv2.MORPH_DILATE, cv2.MORPH_ERODE)
    )
    return np.asarray((bright >= DARK_PAPER) & (cv2.subtract(bright, dark) >= PRINT_STEP))


def _is_paper(thumb: Gray) -> bool:
    """True when a part of the picture is much brighter than another."""
    dark, light = np.percentile(thumb, (5, 95))
    return bool(light - dark >= LEAST_CONTRAST)


def flaw_of_page(gray: Gray, thumb: Gray, glimpse: Glimpse) -> Instruction | None:
    """The most important thing that is wrong with the page."""
    lines, homography = glimpse.target.lines, glimpse.homography
    if _paper_level(thumb, gray, glimpse) < DARK_PAPER:
        return Instruction.TOO_DARK
    if not _is_whole(gray, glimpse):
        return Instruction.BACK
    if _fill(gray, glimpse) < LEAST_FILL:
        return Instruction.CLOSER
    contrast = probe(gray, homography, lines.pieces, 0.2 * lines.side).contrast
    if _is_soft(gray):
        return Instruction.BLURRED
    return _hides(gray, project(homography, lines.pieces.centre), contrast)


def _paper_level(thumb: Gray, gray: Gray, glimpse: Glimpse) -> float:
    """Grey level of the page's paper."""
    factor = max(thumb.shape) / max(gray.shape)
    quad = np.round(project(glimpse.homography, sheet_corners(glimpse)) * factor).astype(np.int32)
    mask = cv2.fillConvexPoly(np.zeros_like(thumb), quad, 1)
    return float(np.percentile(thumb[mask > 0], 75)) if mask.any() else 0.0


def _is_whole(gray: Gray, glimpse: Glimpse) -> bool:
    """True when all that is printed lies within the picture: lines, marks, the identity."""
    edge = EDGE_SHARE * max(gray.shape)
    page = glimpse.target.known.page
    box = page.identity.box
    points = [square_centres(mark) for mark in page.marks]
    points += [np.array([(box.x, box.y), (box.x + box.w, box.y + box.h)]), glimpse.target.lines.pieces.centre]
    x, y = project(glimpse.homography, np.concatenate(points)).T
    height, width = gray.shape
    return bool(x.min() >= edge and y.min() >= edge and x.max() < width - edge and y.max() < height - edge)


def _fill(gray: Gray, glimpse: Glimpse) -> float:
    corners = project(glimpse.homography, sheet_corners(glimpse))
    return float(max(np.ptp(corners, axis=0) / (gray.shape[1], gray.shape[0])))


def _hides(gray: Gray, places: Floats, contrast: Floats) -> Instruction | None:
    """What hides print somewhere: the paper around it is burnt out, or something lies on it."""
    inside = (places >= 0).all(axis=1) & (places < gray.shape[::-1]).all(axis=1)
    x, y = places[inside].astype(np.intp).T
    gone = contrast[inside] < GONE * float(np.median(contrast))
    burnt = cv2.dilate(gray, np.ones((7, 7), np.uint8))[y, x] >= GLARE_LEVEL
    block = y * BLOCKS // gray.shape[0] * BLOCKS + x * BLOCKS // gray.shape[1]
    least = np.maximum(GONE_SHARE * np.bincount(block, minlength=BLOCKS**2), GONE_SHARE * BLOCK_LINES)
    for why, hidden in ((Instruction.GLARE, gone & burnt), (Instruction.COVERED, gone & ~burnt)):
        if (np.bincount(block, weights=hidden, minlength=BLOCKS**2) > least).any():
            return why
    return None


def _is_soft(gray: Gray) -> bool:
    """True when there is contrast and yet no steep edge anywhere, or none in one direction: defocus, or movement."""
    dark, light = _percentiles(gray, 0.01, 0.995)
    steps = (cv2.absdiff(gray[1:], gray[:-1]), cv2.absdiff(gray[:, 1:], gray[:, :-1]))
    steepest = min(_percentiles(step, 0.999)[0] for step in steps)
    return light - dark >= LEAST_CONTRAST and steepest < SOFT_EDGE * (light - dark)


def _percentiles(picture: cv2.typing.MatLike, *parts: float) -> list[int]:
    """As np.percentile, by counting: a picture has 256 levels."""
    counts = np.cumsum(np.bincount(np.asarray(picture).ravel(), minlength=256))
    return [int(np.searchsorted(counts, part * counts[-1])) for part in parts]


def sheet_corners(glimpse: Glimpse) -> Floats:
    """The sheet's corners in mm."""
    form = glimpse.target.known.form
    return np.array([(0.0, 0.0), (form.width, 0.0), (form.width, form.height), (0.0, form.height)])
