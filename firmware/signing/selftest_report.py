"""The self-test's report: what was examined on a device and what came of it, signed by the device's own key.

Message type SELFTEST. It proves that the signer of this device was asked, at this time by its clock, to sign these
findings. It does not prove that they are true: who is root on the device can say what he likes. It stands on the strip
that goes with the device, and in a file. Nothing takes it for anything else: it has a type of its own, names no record
and no number of a form, and does not touch the chain of records.

The signer (signer.py) takes a draft only of the world of its key, adds the time, and refuses one whose verdict does not
follow from its findings: `ready` is said of a device on which everything was examined and nothing has failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from firmware.selftest.finding import Level, Verdict, verdict_of
from firmware.signing.schema import Hash, ModeName, Printable, SchemaRefused, Strict, TimeEntry, TpsCode, check

MAX_CHECKS = 64
"""Of a report; the self-test has half as many."""

CheckName = Annotated[str, Meta(pattern=r"^[a-z][a-z-]{0,23}\Z")]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,47}\Z")]
"""Of a sentence, as messages/ has it."""
Names = Annotated[list[CheckName], Meta(max_length=MAX_CHECKS)]
Codes = Annotated[dict[CheckName, Code], Meta(max_length=MAX_CHECKS)]


class ReportDraft(Strict, frozen=True):
    """What the signer is asked to sign."""

    mode: ModeName
    election: Hash
    tps: TpsCode
    software: Printable
    """Name and version of the program that examined."""
    release: Printable
    """Version that the installed manifest names; empty when there is none."""
    board: Printable
    """Serial of the board; empty when it does not tell."""
    verdict: Literal["ready", "partly", "not-ready"]
    passed: Names
    notes: Codes
    not_examined: Names
    failed: Codes


class ReportEntry(ReportDraft, frozen=True):
    """The payload: the draft and the signer's time."""

    time: TimeEntry


for _kind in (ReportDraft, ReportEntry):
    msgspec.json.Decoder(_kind)
    # Resolved now, by one thread (schema.py).


@dataclass(frozen=True, slots=True)
class Counts:
    """How many checks came to what."""

    passed: int
    notes: int
    not_examined: int
    failed: int


def check_draft(payload: Mapping[str, Any]) -> ReportDraft:
    """A draft that may be signed; raises SchemaRefused."""
    draft = check(payload, ReportDraft)
    _check_verdict(draft)
    return draft


def check_report(payload: Mapping[str, Any]) -> ReportEntry:
    """A payload that may be believed; raises SchemaRefused."""
    report = check(payload, ReportEntry)
    _check_verdict(report)
    return report


def counts(report: ReportDraft) -> Counts:
    """Of a report."""
    return Counts(len(report.passed), len(report.notes), len(report.not_examined), len(report.failed))


def _check_verdict(draft: ReportDraft) -> None:
    names = [*draft.passed, *draft.notes, *draft.not_examined, *draft.failed]
    if len(set(names)) < len(names):
        raise SchemaRefused("schema", problem="a check stands in it twice")
    by_level = {
        Level.PASSED: draft.passed,
        Level.NOTE: draft.notes,
        Level.SKIPPED: draft.not_examined,
        Level.FAILED: draft.failed,
    }
    levels = [level for level, found in by_level.items() for _ in found]
    if verdict_of(levels) is not Verdict(draft.verdict):
        raise SchemaRefused("schema", problem="verdict")
