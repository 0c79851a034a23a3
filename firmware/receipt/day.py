"""The strips that frame a day: the opening receipt and the closing receipt. Pure.

The opening strip says in which state the kiosk began: which election and contests, the log as it stands, every check
that was made. The closing strip lists every sealed record in order, says which one was corrected and which contest was
left open, and ends with the log's root and, where there is one, its signed checkpoint as a QR code: the text of a C2SP
signed note. Whoever keeps it can prove later that no record was taken out or put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from firmware.errors import ReceiptRefused
from firmware.messages import DEFAULT_LANGUAGE
from firmware.receipt import qr
from firmware.receipt.clock import zone_of
from firmware.receipt.fingerprint import hex_prefix, short_fingerprint
from firmware.receipt.strip import PAPER_COLUMNS, Code, Element, Line, ReceiptLayout, Rule, wrapped
from firmware.receipt.writing import Writer, unix_time
from firmware.records import Mode, Receipt
from firmware.signing.keys import DeviceClaims

_LIST_INDENT = 4
"""Columns of a list's number or mark and the spaces behind it."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check of the opening, as a sentence for people."""

    text: str
    ok: bool


@dataclass(frozen=True, slots=True)
class OpeningFacts:
    """What is true when the day begins."""

    mode: Mode
    tps: str
    """13 digits."""
    place: str
    election: str
    """Name of the election."""
    election_sha256: bytes
    """Of the election definition: 32 bytes."""
    contests: tuple[str, ...]
    """Titles of the day's contests."""
    at: datetime
    clock: str
    """How good the clock is: "synchronised" or "free-running"."""
    device: DeviceClaims | None
    checks: tuple[CheckLine, ...]
    log_size: int
    log_root: bytes


@dataclass(frozen=True, slots=True)
class ClosingRecord:
    """One sealed record of the day."""

    sequence: int
    title: str
    sha256: bytes
    superseded: bool
    """A later record of this list corrects it."""


@dataclass(frozen=True, slots=True)
class ClosingFacts:
    """What is true when the day ends."""

    mode: Mode
    tps: str
    place: str
    at: datetime
    clock: str
    device: DeviceClaims | None
    records: tuple[ClosingRecord, ...]
    contests_open: tuple[str, ...]
    """Titles of the contests without a sealed record."""
    log_size: int
    log_root: bytes
    checkpoint: str | None
    """Text of the signed note of the log's last state."""


def compose_opening(
    facts: OpeningFacts, copy: int, copies: int, reprint: bool, width_dots: int, *, language: str = DEFAULT_LANGUAGE
) -> ReceiptLayout:
    """The opening strip. Raises ReceiptRefused (receipt-paper)."""
    writer = _writer(facts.mode, width_dots, language)
    receipt = Receipt(None, copy, copies, reprint)
    elements = (
        *writer.banner(),
        *writer.head("title-opening", receipt),
        *writer.polling_station(facts.tps, facts.place),
        *writer.lines(facts.election, bold=True),
        *_listed(writer, ((str(number), title) for number, title in enumerate(facts.contests, 1))),
        *writer.banner(),
        *_checks(writer, facts.checks),
        Rule(),
        *_state(writer, facts),
        *writer.fact("election", hex_prefix(facts.election_sha256)),
        Rule(),
        *writer.paragraph("keep-opening"),
        *writer.banner(),
    )
    return ReceiptLayout(receipt, width_dots, elements)


def compose_closing(
    facts: ClosingFacts, copy: int, copies: int, reprint: bool, width_dots: int, *, language: str = DEFAULT_LANGUAGE
) -> ReceiptLayout:
    """The closing strip. Raises ReceiptRefused (receipt-paper, receipt-code-too-large)."""
    writer = _writer(facts.mode, width_dots, language)
    receipt = Receipt(facts.checkpoint, copy, copies, reprint)
    elements = (
        *writer.banner(),
        *writer.head("title-closing", receipt),
        *writer.polling_station(facts.tps, facts.place),
        *_records(writer, facts.records),
        *_open_contests(writer, facts.contests_open),
        *writer.banner(),
        Rule(),
        *_state(writer, facts),
        *_checkpoint(writer, facts.checkpoint, width_dots),
        *writer.banner(),
    )
    return ReceiptLayout(receipt, width_dots, elements)


def _writer(mode: Mode, width_dots: int, language: str) -> Writer:
    if width_dots not in PAPER_COLUMNS:
        raise ReceiptRefused("receipt-paper", dots=width_dots)
    return Writer(mode, PAPER_COLUMNS[width_dots], language)


def _state(writer: Writer, facts: OpeningFacts | ClosingFacts) -> Iterator[Line]:
    """Time, log and device, as on the receipts of the records."""
    yield from writer.time(unix_time(facts.at), facts.clock, zone_of(facts.tps))
    yield from writer.fact("log", writer.say("log-entries", size=facts.log_size))
    yield from writer.fact("root", hex_prefix(facts.log_root))
    yield from writer.key(facts.device)


def _checks(writer: Writer, checks: tuple[CheckLine, ...]) -> Iterator[Element]:
    failed = sum(not check.ok for check in checks)
    yield Rule()
    if failed:
        yield writer.bar(writer.say("checks-failed", count=failed))
    else:
        yield from writer.lines(writer.say("checks-hold"), bold=True)
    for ok in (False, True):
        mark = writer.say("check-good" if ok else "check-bad")
        yield from _listed(writer, ((mark, check.text) for check in checks if check.ok is ok))


def _records(writer: Writer, records: tuple[ClosingRecord, ...]) -> Iterator[Element]:
    """Every record with its fingerprint, which stands on its receipts too."""
    yield from writer.lines(writer.say("records", count=len(records)), bold=True)
    for record in records:
        yield from _listed(writer, ((str(record.sequence), record.title),))
        yield Line(" " * _LIST_INDENT + short_fingerprint(record.sha256), bold=True)
        if record.superseded:
            yield from _listed(writer, (("", writer.say("superseded")),))


def _open_contests(writer: Writer, titles: tuple[str, ...]) -> Iterator[Element]:
    if titles:
        yield Rule()
        yield writer.bar(writer.say("contests-open", count=len(titles)))
        yield from _listed(writer, (("-", title) for title in titles))


def _checkpoint(writer: Writer, note: str | None, width_dots: int) -> Iterator[Element]:
    yield Rule()
    if note is None:
        yield from writer.paragraph("no-checkpoint")
        return
    yield Code(qr.make(note, width_dots, alphanumeric=False))
    yield from writer.paragraph("keep-closing")


def _listed(writer: Writer, entries: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> Iterator[Line]:
    """Each text behind its number or mark, its further lines indented."""
    for mark, text in entries:
        first, *rest = wrapped(text, writer.columns - _LIST_INDENT)
        yield Line(f"{mark:>{_LIST_INDENT - 1}} {first}")
        yield from (Line(" " * _LIST_INDENT + line) for line in rest)
