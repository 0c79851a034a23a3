"""The technician's one page: 80 columns, at most a screen of lines when little is wrong. Pure.

What has passed stands in two columns with what was seen; what has not has lines of its own, with the next step.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from firmware.messages import sentence
from firmware.selftest.finding import Finding, Level, Verdict, verdict_of

COLUMNS = 80
_NAME, _COLUMN = 17, 39
MARKS: Mapping[Level, str] = {Level.PASSED: "v", Level.NOTE: "!", Level.FAILED: "x", Level.SKIPPED: "-"}


def page(head: str, findings: Sequence[Finding], language: str) -> str:
    """Everything that was found, and the verdict last: that is where the eye is."""
    lines = [
        sentence("selftest.title", language),
        head,
        "",
        *_passed([entry for entry in findings if entry.level is Level.PASSED], language),
        "",
        *(line for entry in findings if entry.level is Level.NOTE for line in _told(entry, language)),
        *(line for entry in findings if entry.level is Level.FAILED for line in _told(entry, language)),
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


def _told(entry: Finding, language: str) -> Iterator[str]:
    head = f"{MARKS[entry.level]} {label(entry.name, language):<{_NAME}} "
    text = f"{says(entry, language)} [{entry.code}]"
    return iter(textwrap.wrap(text, COLUMNS, initial_indent=head, subsequent_indent=" " * len(head)))


def _skipped(findings: Sequence[Finding], language: str) -> list[str]:
    names = ", ".join(label(entry.name, language) for entry in findings if entry.level is Level.SKIPPED)
    if not names:
        return []
    text = sentence("selftest.not-examined", language, names=names)
    return textwrap.wrap(text, COLUMNS, initial_indent=f"{MARKS[Level.SKIPPED]} ", subsequent_indent="  ")
