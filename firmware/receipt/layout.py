"""The receipt of a stored record: BUKTI PEMINDAIAN, a proof that this form was scanned. Pure.

It is an aid for a witness, never a copy of the form, and it says so. Top to bottom: what this strip is, where and
what was counted, every number, the rules that do not hold, a fingerprint for comparing by eye, what an auditor needs,
and one QR code that verifies offline. Prints that are not of a real election say so at arm's length, at both ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware.errors import ReceiptRefused
from firmware.forms.layout import FormLayout
from firmware.messages import DEFAULT_LANGUAGE, sentence
from firmware.receipt import qr
from firmware.receipt.clock import Zone, local_time, zone_of
from firmware.receipt.fingerprint import hex_prefix, short_fingerprint
from firmware.receipt.numbers import number_lines, row_label
from firmware.receipt.strip import PAPER_COLUMNS, Code, Element, Line, ReceiptLayout, Rule, pair, plain, wrapped
from firmware.records import Mode, Receipt, StoredRecord
from firmware.signing import cose, receipt_code
from firmware.signing.keys import DeviceClaims
from firmware.signing.schema import FailedRule, RecordEntry, check_record

TITLE_SIZE = 2
BANNER_SIZE = 4
"""Letters 12 mm high: read at arm's length; they are narrower where the word does not fit the paper."""

_INDENT = 12
"""Column in which the values of the proof section start."""

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
    receipt = Receipt(stored.sealed.sha256, code, copy, copies, reprint)
    writer = _Writer(record, receipt, form, PAPER_COLUMNS[width_dots], language)
    elements = (
        *writer.banner(),
        *writer.title(),
        *writer.place(place),
        *number_lines(record.fields, form.fields, writer.columns, language),
        *writer.rules(),
        *writer.fingerprint(),
        *writer.proof(cose.parse(stored.sealed.cose).kid, device, zone or zone_of(record.tps)),
        Code(qr.make(code, width_dots)),
        *writer.paragraph("verify"),
        *writer.banner(),
    )
    return ReceiptLayout(receipt, width_dots, elements)


class _Writer:
    """The sections around the numbers, for one record, paper width and language."""

    def __init__(self, record: RecordEntry, receipt: Receipt, form: FormLayout, columns: int, language: str) -> None:
        self.record = record
        self.receipt = receipt
        self.form = form
        self.columns = columns
        self.language = language

    def say(self, key: str, **values: object) -> str:
        """The sentence `receipt.<key>`, printable."""
        return plain(sentence(f"receipt.{key}", self.language, **values))

    def paragraph(self, key: str, **values: object) -> Iterator[Line]:
        """A sentence over as many lines as it takes, centred."""
        for text in wrapped(self.say(key, **values), self.columns):
            yield Line(text, centred=True)

    def banner(self) -> Iterator[Line]:
        """White on black over the whole width, unless the election is real."""
        if Mode(self.record.mode) is Mode.REAL:
            return
        word = self.say(f"banner-{self.record.mode}")
        yield self._bar(word, min(BANNER_SIZE, self.columns // len(word)), BANNER_SIZE)
        yield self._bar(self.say("banner-not-a-result"), 1, 1)

    def title(self) -> Iterator[Element]:
        """What this strip is and is not, and which of how many."""
        yield Line(self.say("title"), bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True)
        yield Line(self.say("not-the-form"), bold=True, centred=True)
        yield Line(self.say("copy", copy=self.receipt.copy, copies=self.receipt.copies), centred=True)
        if self.receipt.reprint:
            yield self._bar(self.say("reprint"), TITLE_SIZE, TITLE_SIZE)
        if self.record.supersedes is not None:
            yield Rule()
            yield from self.paragraph("supersedes", fingerprint=short_fingerprint(self.record.supersedes))
            yield from self.paragraph("reason", reason=self.record.reason)

    def place(self, place: str) -> Iterator[Element]:
        """The polling station and the contest."""
        tps = self.record.tps
        yield Rule(double=True)
        yield Line(f"TPS {tps[10:]}", bold=True, width=TITLE_SIZE, height=TITLE_SIZE)
        yield from map(Line, wrapped(place, self.columns))
        code = f"{tps[:2]}.{tps[2:4]}.{tps[4:6]}.{tps[6:10]}.{tps[10:]}"
        yield from map(Line, wrapped(self.say("tps-code", code=code), self.columns))
        yield Rule()
        yield from (Line(text, bold=True) for text in wrapped(self.form.title[self.language], self.columns))

    def rules(self) -> Iterator[Element]:
        """The rules that do not hold, one sentence each; or that all hold."""
        failed = self.record.failed
        yield Rule()
        if failed:
            yield self._bar(self.say("rules-failed", count=len(failed)), 1, 1)
        else:
            whole = all(entry.value is not None for entry in self.record.fields)
            yield from map(Line, wrapped(self.say("rules-hold" if whole else "rules-partly"), self.columns))
        for rule in failed:
            first, *rest = wrapped(self._rule(rule), self.columns - 4)
            yield Line(f"{rule.rule:<3} {first}")
            yield from (Line(f"    {text}") for text in rest)

    def fingerprint(self) -> Iterator[Element]:
        """The short fingerprint, large, and what to compare it with."""
        yield Rule(double=True)
        yield from self.paragraph("compare")
        fingerprint = short_fingerprint(self.receipt.record)
        half = len(fingerprint) // 2
        fits = len(fingerprint) * TITLE_SIZE <= self.columns
        for text in (fingerprint,) if fits else (fingerprint[:half], fingerprint[half + 1 :]):
            yield Line(text, bold=True, width=TITLE_SIZE, height=TITLE_SIZE, centred=True)
        yield Rule()

    def proof(self, kid: bytes, device: DeviceClaims | None, zone: Zone) -> Iterator[Line]:
        """What an auditor needs: time, who, pictures, log, key, program."""
        record = self.record
        yield from self._fact("time", local_time(record.time.unix, zone))
        yield from self._fact("clock", self.say(f"clock-{record.time.clock}"))
        yield from self._fact("confirmed", self.say(f"role-{record.confirmed_by}"))
        for page in record.pages:
            yield from self._fact("picture", hex_prefix(page.sha256), page=page.page)
        yield from self._fact("record", self.say("sequence", sequence=record.sequence))
        yield from self._fact("log", self.say("log-entries", size=record.log.size))
        yield from self._fact("root", hex_prefix(record.log.root))
        yield from self._fact("device", hex_prefix(kid))
        if device is not None:
            yield from self._fact("serial", device.serial)
        yield from self._fact("key", self.say(f"key-{device.protection if device else 'unknown'}"))
        yield from self._fact("form", record.form)
        yield from self._fact("software", record.software)

    def _fact(self, key: str, value: str, **values: object) -> Iterator[Line]:
        return map(Line, pair(self.say(f"fact-{key}", **values), value, self.columns, _INDENT))

    def _rule(self, rule: FailedRule) -> str:
        known = rule.rule in _SHARED_RULES
        key = f"rule-{rule.rule}" if known else "rule-other"
        fields = self.form.fields
        row = row_label(rule.fields, fields, self.language) if rule.fields else ""
        first = fields[rule.fields[0]].label[self.language] if rule.fields else ""
        left, right = ("-" if side is None else side for side in (rule.left, rule.right))
        text = self.say(key, row=row, first=first, left=left, right=right)
        return f"{text} ({self.say('warning')})" if rule.warning else text

    def _bar(self, text: str, width: int, height: int) -> Line:
        """`text` white on black over the whole width of the paper, in letters of `width` x `height`."""
        return Line(f"{text:^{self.columns // width}}", bold=True, width=width, height=height, inverse=True)
