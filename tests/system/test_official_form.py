"""Our drawing of the 2024 form against the official blank: a reader must not tell them apart (0.5 mm).

Both are drawn by the same rasteriser at the same resolution. Three comparisons: where single lines, box borders and
bubbles lie; where the tag's corners lie; and whether either picture has a long line that the other has not.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from firmware.forms.layout import FormLayout, PageLayout
from firmware.forms.loader import shipped_layouts
from firmware.forms.pdfium_picture import picture
from firmware.forms.render import render_page
from firmware.records import Gray
from tests.evaluation.datasets import DATA

OFFICIAL = DATA / "forms" / "chasil_2024" / "C.HASIL-PPWP.pdf"
DPI = 120
PIXELS_PER_MM = DPI / 25.4
ALLOWED_MM = 0.5
REACH_MM = 1.4
"""How far from its place a line is looked for: no other line is nearer than this."""
LONG_LINE_MM = 10.0
NO_LINES_MM = ((75, 84, 105, 112), (492, 105, 528, 142))
"""Left, top, right, bottom of the emblem (ours is an invented one) and of the tag (compared by itself)."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not OFFICIAL.exists(), reason="the official blank is not there (../shared/data)"),
]


@pytest.fixture(scope="module")
def form() -> FormLayout:
    return shipped_layouts()["c.hasil-ppwp-2024"]


@pytest.fixture(scope="module", params=[1, 2, 3])
def pair(request: pytest.FixtureRequest, form: FormLayout) -> tuple[PageLayout, Gray, Gray]:
    number = request.param
    pictures = (picture(OFFICIAL.read_bytes(), number, DPI), render_page(form, number, DPI))
    official, ours = (np.asarray(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY), np.uint8) for page in pictures)
    assert official.shape == ours.shape
    return form.page(number), official, ours


def line_offset(gray: Gray, x: float, y: float, upright: bool) -> float | None:
    """How far (mm) the dark line near (x, y) mm lies from there, across its direction; None without a line."""
    side, reach = 3, round(REACH_MM * PIXELS_PER_MM)
    column, row = x * PIXELS_PER_MM, y * PIXELS_PER_MM
    centre = int(column if upright else row)
    along = int(row if upright else column)
    strip = gray.T if not upright else gray
    window = 255.0 - strip[along - side : along + side + 1, centre - reach : centre + reach + 1].mean(axis=0)
    window -= window.min()
    if window.size == 0 or window.max() < 25:
        return None
    window[window < window.max() / 2] = 0
    at = float((window * np.arange(window.size)).sum() / window.sum()) - reach + centre + 0.5
    return (at - (column if upright else row)) / PIXELS_PER_MM


def probes(page: PageLayout) -> Iterator[tuple[str, float, float, bool]]:
    """Points on printed lines: (name, x, y, upright)."""
    for line in page.rulings:
        if line.solid or line.y1 - line.y0 > 5 or line.x1 - line.x0 > 100:
            for part in (0.13, 0.38, 0.62, 0.87):
                x, y = line.x0 + part * (line.x1 - line.x0), line.y0 + part * (line.y1 - line.y0)
                yield "line", x, y, line.x0 == line.x1
    for field in page.fields:
        for box in field.cells:
            for x in (box.x, box.x + box.w):
                yield "box", x, box.y + box.h / 2, True
            for y in (box.y, box.y + box.h):
                yield "box", box.x + box.w / 2, y, False
        for column in field.bubbles.centres if field.bubbles else ():
            radius = field.bubbles.diameter / 2 if field.bubbles else 0.0
            for x, y in column:
                yield from (("bubble", x + way * radius, y, True) for way in (-1, 1))
                yield from (("bubble", x, y + way * radius, False) for way in (-1, 1))


def test_lines_boxes_and_bubbles_lie_where_the_official_ones_do(pair: tuple[PageLayout, Gray, Gray]) -> None:
    page, official, ours = pair
    worst: dict[str, float] = {}
    seen: dict[str, int] = {}
    for name, x, y, upright in probes(page):
        one, other = line_offset(official, x, y, upright), line_offset(ours, x, y, upright)
        # A probe may fall on a crossing in one direction only; then neither offset says anything about the line.
        if one is None and other is None:
            continue
        assert one is not None and other is not None, (name, x, y, one, other)
        worst[name] = max(worst.get(name, 0.0), abs(one - other))
        seen[name] = seen.get(name, 0) + 1
    print(page.number, {name: f"{value:.3f} mm of {seen[name]}" for name, value in worst.items()})
    assert seen["box"] == 4 * sum(len(field.cells) for field in page.fields)
    assert max(worst.values()) < ALLOWED_MM


def tag_corners(gray: Gray) -> tuple[int, np.ndarray]:
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h10))
    corners, ids, _ = detector.detectMarkers(gray)
    assert ids is not None and len(ids) == 1
    return int(ids.ravel()[0]), corners[0].reshape(4, 2) / PIXELS_PER_MM


def test_the_tag_lies_and_turns_as_the_official_one(pair: tuple[PageLayout, Gray, Gray]) -> None:
    page, official, ours = pair
    (number, corners), (our_number, our_corners) = tag_corners(official), tag_corners(ours)
    assert number == our_number == int(page.identity.value)
    distance = float(np.abs(corners - our_corners).max())
    print(page.number, f"tag {distance:.3f} mm")
    assert distance < ALLOWED_MM


def edges(gray: Gray, page: PageLayout) -> list[float]:
    """Left, right, top and bottom edge (mm) of every square of the corner marks."""
    found = []
    for square in (square for mark in page.marks for square in mark.squares):
        for start, size, middle, strip in (
            (square.x, square.w, square.y + square.h / 2, gray),
            (square.y, square.h, square.x + square.w / 2, gray.T),
        ):
            line = 255.0 - strip[round(middle * PIXELS_PER_MM)].astype(float)
            low, half = round((start - 3) * PIXELS_PER_MM), round((size / 2 + 3) * PIXELS_PER_MM)
            first, second = line[low : low + half], line[low + half : low + 2 * half]
            # The dark part of each half ends at the edge: its length is where the edge is, in parts of a pixel.
            found += [low + half - first.sum() / line.max(), low + half + second.sum() / line.max()]
    return [edge / PIXELS_PER_MM for edge in found]


def test_the_corner_marks_lie_where_the_official_ones_do(pair: tuple[PageLayout, Gray, Gray]) -> None:
    page, official, ours = pair
    distance = float(np.abs(np.array(edges(official, page)) - np.array(edges(ours, page))).max())
    print(page.number, f"marks {distance:.3f} mm")
    assert distance < ALLOWED_MM


def long_lines(gray: Gray) -> Gray:
    """255 where a straight dark or grey line of LONG_LINE_MM or more runs."""
    dark = np.where(gray < 230, 255, 0).astype(np.uint8)
    for area in NO_LINES_MM:
        left, top, right, bottom = (round(side * PIXELS_PER_MM) for side in area)
        dark[top:bottom, left:right] = 0
    length = round(LONG_LINE_MM * PIXELS_PER_MM)
    runs = (cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones(shape, np.uint8)) for shape in ((1, length), (length, 1)))
    return np.maximum(*runs)


def test_neither_has_a_line_that_the_other_has_not(pair: tuple[PageLayout, Gray, Gray]) -> None:
    page, official, ours = pair
    lines = [long_lines(official), long_lines(ours)]
    for name, here, there in (("only official", lines[0], lines[1]), ("only ours", lines[1], lines[0])):
        distance = cv2.distanceTransform(255 - there, cv2.DIST_L2, 5)
        distance[here == 0] = 0
        row, column = np.unravel_index(int(distance.argmax()), distance.shape)
        far = float(distance.max()) / PIXELS_PER_MM
        print(page.number, name, f"{far:.3f} mm at {column / PIXELS_PER_MM:.1f},{row / PIXELS_PER_MM:.1f}")
        assert far < ALLOWED_MM, (name, column / PIXELS_PER_MM, row / PIXELS_PER_MM)
