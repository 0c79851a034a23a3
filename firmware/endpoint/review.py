"""The order of the review, and small questions about it. Pure: the session as it stands is all it knows.

Asked fields first, then the pages in form order, then what does not add up, then the last look.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import groupby

from firmware.panel.view import CheckView, FieldView, SessionView

_WAYS_BACK = re.compile(r"/(page/[0-9]{1,3}/[0-9]{1,3}|field/[a-z0-9_]{1,60}|sums|last|seal|pages|amend)")
_COLUMNS = re.compile(r"_(l|p|j)$")
"""Men, women, both: three fields that stand side by side on the form."""

SHOWN_DIGITS = 16
"""Hexadecimal digits of what was shown: two ways for numbers to stand do not share 64 bits of hash by chance."""

SCREENFUL, TALL, FLAT = 12, 4, 3
"""Room on a screen, height of a row of three fields and of a field alone: 3.5 rem are three, see screen.css."""


def next_step(view: SessionView) -> str:
    """The address of the next thing to ask."""
    unsettled = [entry for entry in view.fields if entry.settled is None]
    asked = [entry for entry in unsettled if entry.asked]
    if asked:
        return f"/field/{asked[0].id}"
    if unsettled:
        return f"/page/{unsettled[0].page}/{part_of(view, unsettled[0])}"
    return "/sums" if view.failed else "/last"


def settled(view: SessionView) -> bool:
    """No field is open."""
    return bool(view.fields) and all(entry.settled for entry in view.fields)


def field(view: SessionView | None, field_id: str) -> FieldView | None:
    """The field with this id."""
    return by_id(view).get(field_id) if view else None


def by_id(view: SessionView) -> dict[str, FieldView]:
    """All fields by id, in form order."""
    return {entry.id: entry for entry in view.fields}


def by_page(view: SessionView) -> dict[int, list[list[FieldView]]]:
    """All fields by page, in the rows of the form."""
    return {page: in_rows(entries) for page, entries in groupby(view.fields, key=lambda entry: entry.page)}


def shown(fields: Iterable[FieldView]) -> str:
    """The numbers as they stand, to be told again with the answer: nobody agrees with a number that was changed
    meanwhile, in another tab or on a page that was taken again."""
    told = ((entry.id, entry.value if entry.settled else entry.machine) for entry in fields)
    return hashlib.sha256(repr(list(told)).encode()).hexdigest()[:SHOWN_DIGITS]


def asked_progress(view: SessionView, entry: FieldView) -> tuple[int, int] | None:
    """Which of how many questions this is, None when the machine did not ask."""
    asked = [other.id for other in view.fields if other.asked]
    return (asked.index(entry.id) + 1, len(asked)) if entry.id in asked else None


def failed_first(view: SessionView) -> list[CheckView]:
    """The failed rules, alarms before warnings."""
    return sorted(view.failed, key=lambda check: check.warning)


def in_rows(fields: Iterable[FieldView]) -> list[list[FieldView]]:
    """Fields as they stand on the form: men, women and both in one row, every other field alone."""
    return [list(row) for _, row in groupby(fields, key=lambda entry: _COLUMNS.sub("", entry.id))]


def in_parts(view: SessionView, page: int) -> list[list[list[FieldView]]]:
    """The rows of a page, a screen's worth at a time: nobody agrees with what is out of sight."""
    parts: list[list[list[FieldView]]] = []
    room = 0
    for row in in_rows(entry for entry in view.fields if entry.page == page):
        need = TALL if len(row) > 1 else FLAT
        if need > room:
            parts.append([])
            room = SCREENFUL
        parts[-1].append(row)
        room -= need
    return parts


def part_of(view: SessionView, entry: FieldView) -> int:
    """Which part of its page holds the field, from 1."""
    parts = in_parts(view, entry.page)
    return next(number for number, rows in enumerate(parts, 1) if any(entry in row for row in rows))


def digits(typed: str, entry: FieldView) -> str:
    """The digits among what was typed, no more than the form has boxes."""
    return re.sub(r"[^0-9]", "", typed)[: entry.boxes]


def way_back(path: str) -> str:
    """Where a person returns to: a page that was open, else what is to be done next."""
    return path if _WAYS_BACK.fullmatch(path) else "/"
