"""The strips of the self-test: a test print whose code the camera reads back, and the signed report. Pure.

Both are composed where the printer is, from a `Slip` that crosses the station's socket as JSON; neither can pass for a
receipt: the title says what it is, and there is no number of any form on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from firmware.errors import ReceiptRefused
from firmware.messages import DEFAULT_LANGUAGE
from firmware.receipt import qr
from firmware.receipt.clock import zone_of
from firmware.receipt.strip import PAPER_COLUMNS, Code, Element, Line, ReceiptLayout, Rule, wrapped
from firmware.receipt.writing import TITLE_SIZE, Writer
from firmware.records import Mode, Receipt

TRIAL_PREFIX = "C1K-UJI:"
"""How the text of a test print's code begins; no receipt's does."""
TRIAL_CHARACTERS = 290
"""Of a test print's code: as many as that of a presidential receipt has, so that it has its size and its modules."""
_MARK_COLUMNS = 2
_GREY = "# " * 24
"""Every second character cell black: a worn head shows in it as stripes."""


Short = Annotated[str, Meta(max_length=160)]
Sentence = Annotated[str, Meta(max_length=400)]
"""Bounded, so that nobody empties the roll through the station's socket."""


class Slip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands on one strip of the self-test."""

    mode: Mode
    tps: str
    place: str
    unix: int
    clock: str
    facts: Annotated[tuple[tuple[str, Short], ...], Meta(max_length=8)] = ()
    """Name and value: device, release."""
    verdict: Short = ""
    """Up to its first colon in large letters; empty on a test print."""
    lines: Annotated[tuple[tuple[str, Sentence], ...], Meta(max_length=64)] = ()
    """Mark and sentence of each finding that a person should see."""
    examined: Sentence = ""
    """One sentence about those that have passed."""
    code: str = ""
    """Text of the code; empty when there is none."""


def trial_text(token: str) -> str:
    """The text of a test print's code: `token`, and what fills it up to the size of a receipt's."""
    return f"{TRIAL_PREFIX}{token}:".ljust(TRIAL_CHARACTERS, "0123456789ABCDEF"[int(token, 16) % 16])


def compose(slip: Slip, width_dots: int, language: str = DEFAULT_LANGUAGE) -> ReceiptLayout:
    """The strip. Raises ReceiptRefused (receipt-paper); a code that does not fit the paper is left out, and named."""
    if width_dots not in PAPER_COLUMNS:
        raise ReceiptRefused("receipt-paper", dots=width_dots)
    writer = Writer(slip.mode, PAPER_COLUMNS[width_dots], language)
    body = _report(writer, slip) if slip.verdict else _trial(writer)
    elements = (
        *writer.banner(),
        *_title(writer, "title-report" if slip.verdict else "title-trial"),
        *writer.polling_station(slip.tps, slip.place),
        *writer.time(slip.unix, slip.clock, zone_of(slip.tps)),
        *(line for name, value in slip.facts for line in writer.fact(name, value)),
        Rule(),
        *body,
        *_code(writer, slip.code, width_dots),
    )
    return ReceiptLayout(Receipt(slip.code or None, 1, 1, False), width_dots, elements)


def _title(writer: Writer, key: str) -> Iterator[Line]:
    words = wrapped(writer.say(key), writer.columns // TITLE_SIZE)
    yield from (Line(text, bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True) for text in words)
    yield from writer.lines(writer.say("not-a-receipt"), centred=True)


def _trial(writer: Writer) -> Iterator[Element]:
    """What shows a worn head, a wrong code page or a narrow paper at a glance."""
    yield Line("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"[: writer.columns])
    yield Line("abcdefghijklmnopqrstuvwxyz ()/:,.-#?"[: writer.columns])
    yield Line("0123456789", bold=True, width=TITLE_SIZE, height=TITLE_SIZE)
    yield writer.bar("")
    yield Line(_GREY[: writer.columns], inverse=True)
    yield Line("<" + "-" * (writer.columns - 2) + ">")
    yield from writer.paragraph("trial-next")


def _report(writer: Writer, slip: Slip) -> Iterator[Element]:
    word, _, more = slip.verdict.partition(": ")
    words = wrapped(word, writer.columns // TITLE_SIZE)
    yield from (Line(text, bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True) for text in words)
    yield from writer.lines(more, centred=True) if more else ()
    yield Rule()
    for mark, text in slip.lines:
        first, *rest = wrapped(text, writer.columns - _MARK_COLUMNS)
        yield Line(f"{mark:<{_MARK_COLUMNS}}{first}", bold=mark == "x")
        yield from (Line(" " * _MARK_COLUMNS + line) for line in rest)
    yield from writer.lines(slip.examined)
    yield Rule()
    yield from writer.paragraph("keep-report")


def _code(writer: Writer, text: str, width_dots: int) -> Iterator[Element]:
    if not text:
        return
    try:
        yield Code(qr.make(text, width_dots))
    except ReceiptRefused as refusal:
        if refusal.code != "receipt-code-too-large":
            raise
        yield from writer.paragraph("code-too-large")
