"""What the public pages show, put together from the night: no HTML here and no HTTP.

A number stands beside the picture of its page. Where the picture is not here, the number is not shown either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from collector.night import Night, Report, Standing
from firmware.errors import VerificationRefused
from firmware.signing.schema import FieldEntry, RecordEntry
from firmware.signing.statement import RESULT_FIELD
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import VerifiedRecord, verify_record


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """One field of a form."""

    label: str
    value: int | None
    """None: nothing is written there."""
    corrected: bool
    """A person changed what the machine read."""
    result: bool
    """It is summed."""
    failed: tuple[str, ...]
    """Rules that do not hold and name it."""


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page of a form; `numbers` is empty when its picture is not here."""

    page: int
    picture: str
    """SHA-256, hexadecimal; empty when it is not here."""
    numbers: Sequence[ShownNumber]


@dataclass(frozen=True, slots=True)
class ShownReport:
    """One record that stands."""

    sha256: str
    device: str
    sequence: int
    sealed_at: int
    received_at: int
    confirmed_by: str
    supersedes: str
    reason: str
    failed: tuple[str, ...]
    pages: Sequence[ShownPage]


@dataclass(frozen=True, slots=True)
class ShownContest:
    """One contest of a TPS."""

    contest: str
    title: str
    standing: Standing
    reports: Sequence[ShownReport]
    older: Sequence[str]
    """Records that were corrected: SHA-256, hexadecimal, oldest first."""


def shown_contest(
    night: Night, contest: str, tps: str, trust: TrustRoots, read: Callable[[bytes], bytes | None], language: str
) -> ShownContest:
    """The contest of a TPS; `read` gives the COSE bytes of a record, which are verified again."""
    standing, reports = night.judged(contest, tps)
    standing_names = {report.sha256 for report in reports}
    older = [report.sha256.hex() for report in night.versions(contest, tps) if report.sha256 not in standing_names]
    return ShownContest(
        contest=contest,
        title=contest_title(trust, contest, language),
        standing=standing,
        reports=[_report(night, report, _verified(read(report.sha256), trust), trust, language) for report in reports],
        older=older,
    )


def contest_title(trust: TrustRoots, contest: str, language: str) -> str:
    """The name of the contest's form."""
    return trust.contest_layout(contest).title[language]


def field_labels(trust: TrustRoots, contest: str, language: str) -> Mapping[str, str]:
    """The words for a contest's fields by id, with the candidate's name where the definition has one."""
    layout = trust.contest_layout(contest)
    names = {str(entry.number): entry.name for entry in trust.election.contest(contest).candidates}
    labels = {name: entry.label[language] for name, entry in layout.fields.items()}
    for name, label in labels.items():
        candidate = names.get(candidate_number(name))
        if candidate:
            labels[name] = f"{label}: {candidate}"
    return labels


def candidate_number(field: str) -> str:
    """The number of the candidate or party whose result a field is; empty for other fields."""
    parts = field.split("_")
    return parts[1] if RESULT_FIELD.fullmatch(field) and parts[1].isdigit() else ""


def _verified(cose: bytes | None, trust: TrustRoots) -> VerifiedRecord:
    if cose is None:
        raise VerificationRefused("collector-unknown-record", record="?")
    return verify_record(cose, trust)


def _report(night: Night, report: Report, verified: VerifiedRecord, trust: TrustRoots, language: str) -> ShownReport:
    record = verified.record
    labels = field_labels(trust, record.contest, language)
    return ShownReport(
        sha256=report.sha256.hex(),
        device=report.device,
        sequence=record.sequence,
        sealed_at=record.time.unix,
        received_at=report.received_at,
        confirmed_by=record.confirmed_by,
        supersedes=record.supersedes.hex() if record.supersedes else "",
        reason=record.reason,
        failed=tuple(rule.rule for rule in record.failed if not rule.warning),
        pages=[_page(night, page.page, page.sha256, record, labels) for page in record.pages],
    )


def _page(night: Night, number: int, picture: bytes, record: RecordEntry, labels: Mapping[str, str]) -> ShownPage:
    if not night.has_picture(picture):
        return ShownPage(number, "", ())
    numbers = [_number(entry, record, labels) for entry in record.fields if entry.page == number]
    return ShownPage(number, picture.hex(), numbers)


def _number(entry: FieldEntry, record: RecordEntry, labels: Mapping[str, str]) -> ShownNumber:
    return ShownNumber(
        label=labels[entry.id],
        value=entry.value,
        corrected=entry.settled == "corrected",
        result=RESULT_FIELD.fullmatch(entry.id) is not None,
        failed=tuple(rule.rule for rule in record.failed if entry.id in rule.fields and not rule.warning),
    )
