"""The technician's one page: 80 columns, at most a screen of lines when little is wrong. Pure.

What has passed stands in two columns with what was seen; what has not has lines of its own, with the next step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from firmware.messages import sentence
from firmware.selftest.finding import Finding, Level, Verdict, verdict_of

COLUMNS = 80
_NAME, _COLUMN = 17, 39
NAMED = 6
"""Checks that were left out and are named: as many as `--quick` leaves out."""
MARKS: Mapping[Level, str] = {Level.PASSED: "v", Level.NOTE: "!", Level.FAILED: "x", Level.SKIPPED: "-"}


def page(head: str, findings: Sequence[Finding], language: str) -> str:
    """Everything that was found, and the verdict last: that is where the eye is."""
    lines = [
        sentence("selftest.title", language),
        head,
        "",
        *_passed([entry for entry in findings if entry.level is Level.PASSED], language),
        "",
        *(line for same in _alike(findings, Level.NOTE) for line in _told(same, language)),
        *(line for same in _alike(findings, Level.FAILED) for line in _told(same, language)),
        *_skipped(findings, language),
        "",
        *textwrap.wrap(verdict_sentence(findings, language), COLUMNS),
    ]
    squeezed = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(squeezed)


def label(name: str, language: str) -> str:
    """What people call a check."""
    return sentence(f"selftest.check-{name}", language)


def says(entry: Finding, language: str) -> str:
    """The sentence of a finding that has not passed."""
    return sentence(entry.key, language, **{"seen": entry.seen, **entry.values})


def verdict_sentence(findings: Sequence[Finding], language: str) -> str:
    """READY, or what else may be said."""
    verdict = verdict_of([entry.level for entry in findings])
    failed = sum(entry.level is Level.FAILED for entry in findings)
    if verdict is Verdict.NOT_READY and not failed:
        return sentence("selftest.nothing-examined", language)
    return sentence(f"selftest.{verdict}", language, count=failed)


def _passed(findings: Sequence[Finding], language: str) -> Iterator[str]:
    """In two columns, downwards; one whose text is too long has a line of its own."""
    cells = [f"{MARKS[entry.level]} {label(entry.name, language):<{_NAME}} {entry.seen}".rstrip() for entry in findings]
    short = [cell for cell in cells if len(cell) <= _COLUMN]
    half = -(-len(short) // 2)
    for left, right in zip_longest(short[:half], short[half:], fillvalue=""):
        yield f"{left:<{_COLUMN + 1}} {right}".rstrip()
    yield from (cell for cell in cells if len(cell) > _COLUMN)


def _alike(findings: Sequence[Finding], level: Level) -> Iterable[Sequence[Finding]]:
    """Those of a level, together where the same sentence is said of them: one cause makes several checks fail."""
    together: dict[tuple[str, str], list[Finding]] = {}
    for entry in findings:
        if entry.level is level:
            together.setdefault((entry.key, str(entry.values)), []).append(entry)
    return together.values()


def _told(same: Sequence[Finding], language: str) -> Iterator[str]:
    names = ", ".join(label(entry.name, language) for entry in same)
    head, indent = f"{MARKS[same[0].level]} {names:<{_NAME}} ", " " * (_NAME + 3)
    text = f"{says(same[0], language)} [{same[0].code}]"
    if len(names) > _NAME:
        yield from textwrap.wrap(names, COLUMNS, initial_indent=head[:2], subsequent_indent="  ")
        head = indent
    # Codes and commands are not broken at their hyphens.
    yield from textwrap.wrap(text, COLUMNS, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)


def _skipped(findings: Sequence[Finding], language: str) -> list[str]:
    left_out = [label(entry.name, language) for entry in findings if entry.level is Level.SKIPPED]
    if not left_out:
        return []
    names = ", ".join(left_out[:NAMED])
    if len(left_out) > NAMED:
        names = sentence("selftest.and-others", language, names=names, count=len(left_out) - NAMED)
    text = sentence("selftest.not-examined", language, names=names)
    return textwrap.wrap(text, COLUMNS, initial_indent=f"{MARKS[Level.SKIPPED]} ", subsequent_indent="  ")
