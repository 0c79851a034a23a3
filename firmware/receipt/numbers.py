"""The numbers of a record as lines of a receipt. Pure.

Fields that stand as men, women and both (`..._l`, `..._p`, `..._j`) share a row; the votes are large and also in words.
A number that a person corrected or typed carries a mark, which the legend explains. Where the votes of single
candidates would make the strip longer than MOST_ROWS lines, the totals of their parties stand alone, in words too, and
a sentence says where the rest is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import takewhile

from firmware.forms.layout import Field
from firmware.messages import sentence
from firmware.receipt.strip import Element, Line, Rule, leader, plain, wrapped
from firmware.receipt.words import LARGEST, words
from firmware.signing.schema import FieldEntry

MARKS = {"machine-and-confirmed": " ", "corrected": "*", "typed": "+"}
"""Behind a number: how it came to be (records.Settled)."""

EMPTY = "-"
"""Instead of a number: a person says that nothing is written in the boxes."""

SECTIONS = ("pemilih", "pengguna", "disabilitas", "surat_suara", "partai", "suara")
"""First part of the field ids of FORMS.md, each with its heading `receipt.section-<name>`; other ids stand under
`receipt.section-other`."""

RESULT = "suara"
"""The section of the votes."""

PARTIES = "partai"
"""The section of the votes of parties and their candidates."""

_PARTY_TOTAL = re.compile(r"partai_[0-9]+_total")

MOST_ROWS = 60
"""Lines for parties and their candidates: 22 cm of paper. A DPR has up to 18 parties with 10 candidates each: 75 cm."""

_SEXES = ("l", "p", "j")
_CELL = 5
"""Columns of one number in a row of three: a space, three digits and the mark; four digits still fit."""


def number_lines(fields: list[FieldEntry], form: Mapping[str, Field], columns: int, language: str) -> Iterator[Element]:
    """All numbers, section by section in form order, then the legend of the marks in use."""
    section = ""
    rows = _rows(fields)
    hidden = _hidden(fields)
    for row in rows:
        if row[0].id in hidden:
            continue
        if _section(row[0]) != section:
            section = _section(row[0])
            yield Rule()
            yield from _heading(section, len(row) == len(_SEXES), columns, language)
        yield from _row_lines(row, form, columns, language, alone=bool(hidden))
    yield Rule()
    if hidden:
        text = sentence("receipt.rows-elsewhere", language, count=len(hidden))
        yield from (Line(line, bold=True) for line in wrapped(text, columns))
        yield Rule()
    yield from _legend(fields, columns, language)


def row_label(names: list[str], form: Mapping[str, Field], language: str) -> str:
    """The words that the labels of all these fields start with; where there are none, the label of the last."""
    labels = [form[name].label[language] for name in names]
    common = takewhile(lambda words: len(set(words)) == 1, zip(*(label.split() for label in labels), strict=False))
    return " ".join(words[0] for words in common).rstrip(",:-") or labels[-1]


def _hidden(fields: list[FieldEntry]) -> frozenset[str]:
    """The fields of single candidates, when there are too many of them for one strip."""
    parties = [entry.id for entry in fields if _section(entry) == PARTIES]
    if len(parties) <= MOST_ROWS:
        return frozenset()
    return frozenset(name for name in parties if not _PARTY_TOTAL.fullmatch(name))


def _section(entry: FieldEntry) -> str:
    return next((name for name in SECTIONS if entry.id.startswith(f"{name}_")), "other")


def _rows(fields: list[FieldEntry]) -> list[list[FieldEntry]]:
    by_id = {entry.id: entry for entry in fields}
    rows = []
    for entry in fields:
        stem, _, sex = entry.id.rpartition("_")
        triple = [f"{stem}_{name}" for name in _SEXES]
        if sex not in _SEXES or not all(name in by_id for name in triple):
            rows.append([entry])
        elif sex == _SEXES[-1]:
            rows.append([by_id[name] for name in triple])
    return rows


def _heading(section: str, sexes: bool, columns: int, language: str) -> Iterator[Line]:
    title = plain(sentence(f"receipt.section-{section}", language))
    if not sexes:
        yield from (Line(text, bold=True) for text in wrapped(title, columns))
        return
    heads = "".join(f"{plain(sentence(f'receipt.sex-{sex}', language)):>{_CELL - 1}} " for sex in _SEXES)
    *above, last = wrapped(title, columns - len(heads))
    yield from (Line(text, bold=True) for text in above)
    yield Line(f"{last:<{columns - len(heads)}}{heads}", bold=True)


def _row_lines(
    row: list[FieldEntry], form: Mapping[str, Field], columns: int, language: str, alone: bool
) -> Iterator[Line]:
    """`alone`: the totals of parties stand without their candidates, as results do."""
    label = row_label([entry.id for entry in row], form, language)
    if len(row) > 1:
        cells = "".join(f"{_digits(entry):>{_CELL - 1}}{MARKS[entry.settled]}" for entry in row)
        *above, last = wrapped(label, columns - len(cells) - 1)
        yield from map(Line, above)
        yield Line(f"{last:<{columns - len(cells)}}{cells}")
        return
    value = f"{_digits(row[0]):>3}{MARKS[row[0].settled]}"
    result, total = _section(row[0]) == RESULT, bool(_PARTY_TOTAL.fullmatch(row[0].id))
    height = 2 if result else 1
    yield from (Line(text, bold=result or total, height=height) for text in leader(label, value, columns))
    if not result and not (total and alone):
        return
    yield from (Line(f"{text:>{columns - 1}}") for text in wrapped(_in_words(row[0], language), columns - 1))


def _digits(entry: FieldEntry) -> str:
    return EMPTY if entry.value is None else str(entry.value)


def _in_words(entry: FieldEntry, language: str) -> str:
    if entry.value is None:
        return sentence("receipt.empty-words", language)
    return words(entry.value) if entry.value <= LARGEST else sentence("receipt.no-words", language)


def _legend(fields: list[FieldEntry], columns: int, language: str) -> Iterator[Line]:
    counts = {kind: sum(entry.settled == kind for entry in fields) for kind in MARKS}
    for kind, count in counts.items():
        if count:
            text = sentence(f"receipt.settled-{kind}", language, count=count)
            yield from _hanging(f"{MARKS[kind]} ", text, columns)
    if any(entry.value is None for entry in fields):
        yield from _hanging(f"{EMPTY} ", sentence("receipt.settled-empty", language), columns)


def _hanging(mark: str, text: str, columns: int) -> Iterator[Line]:
    for index, line in enumerate(wrapped(text, columns - len(mark))):
        yield Line((mark if index == 0 else " " * len(mark)) + line)
