"""What a layout must be, beyond its shape, before a reader may trust it. Pure; every problem names what it is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from firmware.forms.layout import FormLayout, IdentityKind, PageLayout, Rect, Rule, Ruling

MARK_NAMES = ["BL", "BR", "TL", "TR"]
SAME_LINE_MM = 0.05
"""Two lines nearer than this, drawn by any printer, are one line."""
LEAST_OVERLAP_MM = 1.5
"""Lines may meet or cross within the width of a line; running along each other for longer is printing twice."""
LANGUAGES = {"id", "en"}
TAGS = 2320
"""Codes of the family 36h10."""


def problems(layout: FormLayout) -> Iterator[str]:
    """Everything wrong with the layout, as English sentences for its author."""
    if set(layout.title) != LANGUAGES:
        yield "title: needs id and en"
    ids = [field.id for page in layout.pages for field in page.fields]
    yield from (f"field {name}: stands twice" for name in _doubled(ids))
    values = [f"{page.identity.kind} {page.identity.value}" for page in layout.pages]
    yield from (f"identity {value}: stands twice" for value in _doubled(values))
    for page in layout.pages:
        yield from (f"page {page.number}: {problem}" for problem in _page_problems(page, layout))
    for rule in layout.rules:
        yield from (f"rule {rule.id}: {problem}" for problem in _rule_problems(rule, set(ids), layout))


def _page_problems(page: PageLayout, layout: FormLayout) -> Iterator[str]:
    identity = page.identity
    if identity.kind is IdentityKind.APRILTAG:
        if not (identity.value.isascii() and identity.value.isdigit() and int(identity.value) < TAGS):
            yield f"identity {identity.value!r}: is no tag of the family"
        if identity.box.w != identity.box.h:
            yield "identity: a tag is square"
    if sorted(mark.name for mark in page.marks) != MARK_NAMES:
        yield "marks: needs TL, TR, BL and BR once each"
    for name, rect in _rectangles(page):
        if not _inside(rect, layout):
            yield f"{name}: lies outside the page"
    boxes = [(f"field {field.id}", box) for field in page.fields for box in field.cells]
    for (one, first), (other, second) in combinations(boxes, 2):
        if _overlap(first, second):
            yield f"{one} and {other}: boxes overlap"
    for line in page.rulings:
        if (line.x0 != line.x1) == (line.y0 != line.y1) or line.x1 < line.x0 or line.y1 < line.y0:
            yield f"line {line.x0},{line.y0} to {line.x1},{line.y1}: must run right or down"
        if not _inside(Rect(line.x0, line.y0, line.x1 - line.x0, line.y1 - line.y0), layout):
            yield f"line {line.x0},{line.y0} to {line.x1},{line.y1}: lies outside the page"
    yield from _lines_twice(page.rulings)


def _rectangles(page: PageLayout) -> Iterator[tuple[str, Rect]]:
    yield "identity", page.identity.box
    for mark in page.marks:
        yield from ((f"mark {mark.name}", square) for square in mark.squares)
    yield from (("signature", box) for box in page.signatures)
    for field in page.fields:
        yield from ((f"field {field.id}", box) for box in field.cells)
        for column in field.bubbles.centres if field.bubbles else ():
            for x, y in column:
                yield f"bubbles of {field.id}", Rect(x, y, 0.0, 0.0)
        if field.words:
            yield f"words of {field.id}", field.words
        if field.tally:
            yield f"tally of {field.id}", field.tally.area
            yield f"tally sums of {field.id}", field.tally.sums


def _lines_twice(rulings: Iterable[Ruling]) -> Iterator[str]:
    """Lines that run along each other: neighbours by their fixed coordinate, in steps finer than SAME_LINE_MM."""
    lanes: dict[tuple[bool, int], list[tuple[float, float, float]]] = defaultdict(list)
    for line in rulings:
        level = line.y0 == line.y1
        at, start, end = (line.y0, line.x0, line.x1) if level else (line.x0, line.y0, line.y1)
        lanes[level, round(at / SAME_LINE_MM)].append((at, start, end))
    for (level, _), lines in lanes.items():
        for (at, start, end), (_, start2, end2) in combinations(lines, 2):
            if min(end, end2) - max(start, start2) > LEAST_OVERLAP_MM:
                yield f"line at {'y' if level else 'x'} = {at}: printed twice from {max(start, start2)}"


def _rule_problems(rule: Rule, ids: set[str], layout: FormLayout) -> Iterator[str]:
    yield from (f"no field {name!r}" for name in (*rule.left, *rule.right) if name not in ids)
    if rule.kind == "cap" and rule.limit not in layout.limits:
        yield f"no limit {rule.limit!r}"
    if (rule.kind == "cap") != bool(rule.limit):
        yield "only a cap has a limit"
    if (rule.kind in ("cap", "equal")) == bool(rule.right):
        yield f"{rule.kind}: `right` is missing or too much"
    if (rule.kind in ("share", "reserve", "range")) != (rule.factor > 0.0):
        yield f"{rule.kind}: `factor` is missing or too much"


def _doubled(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _inside(rect: Rect, layout: FormLayout) -> bool:
    fits_x = rect.x >= 0 and rect.x + rect.w <= layout.width
    return fits_x and rect.y >= 0 and rect.y + rect.h <= layout.height


def _overlap(one: Rect, other: Rect) -> bool:
    """True where they share more than a border (0.01 mm allows for rounding)."""
    apart_x = one.x + one.w <= other.x + 0.01 or other.x + other.w <= one.x + 0.01
    apart_y = one.y + one.h <= other.y + 0.01 or other.y + other.h <= one.y + 0.01
    return not (apart_x or apart_y)
