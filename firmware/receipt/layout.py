"""The receipt of a stored record: BUKTI PEMINDAIAN, a proof that this form was scanned. Pure.

It is an aid for a witness, never a copy of the form, and it says so. Top to bottom: what this strip is, where and
what was counted, every number, the rules that do not hold, a fingerprint for comparing by eye, what an auditor needs,
and one QR code that verifies offline. Prints that are not of a real election say so at arm's length, at both ends and
in the middle, so that no half of one can pass for a result.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware.errors import ReceiptRefused
from firmware.forms.layout import FormLayout
from firmware.messages import DEFAULT_LANGUAGE
from firmware.receipt import qr
from firmware.receipt.clock import Zone, zone_of
from firmware.receipt.fingerprint import hex_prefix, short_fingerprint
from firmware.receipt.numbers import number_lines, row_label
from firmware.receipt.strip import PAPER_COLUMNS, Code, Element, Line, ReceiptLayout, Rule, wrapped
from firmware.receipt.writing import TITLE_SIZE, Writer
from firmware.records import Mode, Reason, Receipt, StoredRecord
from firmware.signing import cose, receipt_code
from firmware.signing.keys import DeviceClaims
from firmware.signing.schema import FailedRule, RecordEntry, check_record

_RULE_INDENT = 5
"""Columns of a rule's id, the mark of a warning and the space behind it."""

_SHARED_RULES = (
    *("H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H9", "H10", "H11"),
    *("P1", "P2", "P3", "P4", "P5", "P6", "P7", "L1", "L2", "L3", "L4"),
)
"""Rules of FORMS.md section 5 that have a sentence; a rule that only one layout knows is printed by its id."""


def compose(
    stored: StoredRecord,
    form: FormLayout,
    place: str,
    copy: int,
    copies: int,
    reprint: bool,
    width_dots: int,
    *,
    device: DeviceClaims | None = None,
    zone: Zone | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> ReceiptLayout:
    """Strip `copy` of `copies` for paper with `width_dots` printable dots.

    `device` is what the device certificate says; without it the strip says that the key's protection is not known.
    `zone` defaults to that of the TPS.

    Raises ReceiptRefused: receipt-paper (no such paper), receipt-other-layout (the record was made with another form
    layout), receipt-code-too-large.
    """
    if width_dots not in PAPER_COLUMNS:
        raise ReceiptRefused("receipt-paper", dots=width_dots)
    record = check_record(stored.sealed.payload)
    if record.layout.hex() != form.sha256:
        raise ReceiptRefused("receipt-other-layout", form=form.id)
    code = receipt_code.encode(stored.sealed.receipt)
    receipt = Receipt(code, copy, copies, reprint)
    writer = Writer(Mode(record.mode), PAPER_COLUMNS[width_dots], language)
    kid = cose.parse(stored.sealed.cose).kid
    elements = (
        *writer.banner(),
        *writer.head("title", receipt),
        *_correction(writer, record),
        *writer.polling_station(record.tps, place),
        *writer.lines(form.title[language], bold=True),
        *number_lines(record.fields, form.fields, writer.columns, language),
        *writer.banner(),
        *_rules(writer, record, form),
        *_fingerprint(writer, stored.sealed.sha256),
        *_proof(writer, record, kid, device, zone or zone_of(record.tps)),
        Code(qr.make(code, width_dots)),
        *writer.paragraph("verify"),
        *writer.banner(),
    )
    return ReceiptLayout(receipt, width_dots, elements)


def _correction(writer: Writer, record: RecordEntry) -> Iterator[Element]:
    """Which record this one corrects, and why."""
    if record.supersedes is not None:
        yield Rule()
        yield writer.bar(writer.say("correction"), TITLE_SIZE, TITLE_SIZE)
        yield from writer.paragraph("supersedes", fingerprint=short_fingerprint(record.supersedes))
        known = record.reason in set(Reason)
        yield from writer.paragraph("reason", reason=writer.say(f"reason-{record.reason}") if known else record.reason)


def _rules(writer: Writer, record: RecordEntry, form: FormLayout) -> Iterator[Element]:
    """The rules that do not hold, one sentence each; or that all hold."""
    yield Rule()
    if record.failed:
        yield writer.bar(writer.say("rules-failed", count=len(record.failed)))
    else:
        whole = all(entry.value is not None for entry in record.fields)
        yield from writer.lines(writer.say("rules-hold" if whole else "rules-partly"))
    for rule in record.failed:
        first, *rest = wrapped(_rule(writer, rule, form), writer.columns - _RULE_INDENT)
        yield Line(f"{rule.rule + '?' * rule.warning:<{_RULE_INDENT - 1}} {first}")
        yield from (Line(" " * _RULE_INDENT + text) for text in rest)
    if any(rule.warning for rule in record.failed):
        yield from writer.lines(writer.say("warning"))


def _rule(writer: Writer, rule: FailedRule, form: FormLayout) -> str:
    key = f"rule-{rule.rule}" if rule.rule in _SHARED_RULES else "rule-other"
    fields = form.fields
    row = row_label(rule.fields, fields, writer.language) if rule.fields else ""
    first = fields[rule.fields[0]].label[writer.language] if rule.fields else ""
    left, right = ("-" if side is None else side for side in (rule.left, rule.right))
    return writer.say(key, row=row, first=first, left=left, right=right)


def _fingerprint(writer: Writer, sha256: bytes) -> Iterator[Element]:
    """The short fingerprint, large, and what to compare it with."""
    yield Rule(double=True)
    yield from writer.paragraph("compare")
    fingerprint = short_fingerprint(sha256)
    half = len(fingerprint) // 2
    fits = len(fingerprint) * TITLE_SIZE <= writer.columns
    for text in (fingerprint,) if fits else (fingerprint[:half], fingerprint[half + 1 :]):
        yield Line(text, bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True)
    yield Rule()


def _proof(
    writer: Writer, record: RecordEntry, kid: bytes, device: DeviceClaims | None, zone: Zone
) -> Iterator[Element]:
    """What an auditor needs: time, who, pictures, log, key, program."""
    yield from writer.time(record.time.unix, record.time.clock, zone)
    yield from writer.fact("confirmed", writer.say(f"role-{record.confirmed_by}"))
    for page in record.pages:
        yield from writer.fact("picture", hex_prefix(page.sha256), page=page.page)
    yield from writer.fact("record", writer.say("sequence", sequence=record.sequence))
    yield from writer.fact("log", writer.say("log-before", size=record.log.size))
    yield from writer.fact("root", hex_prefix(record.log.root))
    yield from writer.fact("device", hex_prefix(kid))
    yield from writer.key(device)
    yield from writer.fact("form", record.form)
    yield from writer.fact("software", record.software)
