"""The shape of everything that is signed, as types: the same as `record.cddl`, and checked against it in tests.

`check` turns decoded CBOR into these types or refuses it; what the CDDL cannot say (invariants between parts of a
record) is in `check_draft` and `check_record`. Both refuse with `SchemaRefused`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from firmware.errors import SignerRefused, VerificationRefused

MAX_VALUE = 999_999
"""Largest number of one field: six digit boxes, more than any polling-station form has."""
MAX_PAGES = 64
"""Pages of one form: a DPR form has one per party (18 in 2024) and a few more."""
MAX_FIELDS = 2_000
"""Fields of one form: 18 parties with a dozen numbers each and the data page, with room."""
MAX_REASON_BYTES = 280
"""Why a record was corrected: two sentences, printed on the receipt."""
MAX_FACTS = 32
"""Capture facts of one picture."""
NO_RECORD = bytes(32)
"""What `previous` holds in the first record of a chain."""

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}\Z")]
FieldId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
TpsCode = Annotated[str, Meta(pattern=r"^[0-9]{13}\Z")]
PageNumber = Annotated[int, Meta(ge=1, le=999)]
Value = Annotated[int, Meta(ge=0, le=MAX_VALUE)] | None
Sum = Annotated[int, Meta(ge=0, le=9_999_999_999)] | None
Millionths = Annotated[int, Meta(ge=0, le=1_000_000)]
UnixTime = Annotated[int, Meta(ge=0, le=9_999_999_999)]
FactName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}\Z")]
Printable = Annotated[str, Meta(pattern=r"^[ -~]{0,80}\Z")]
ModeName = Literal["real", "training", "development"]
ClockName = Literal["synchronised", "free-running"]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every key is known and there."""


class PageEntry(Strict, frozen=True):
    """One picture."""

    page: PageNumber
    sha256: Hash
    facts: Annotated[dict[FactName, Printable | int], Meta(max_length=MAX_FACTS)]
    marks: Annotated[list[Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]], Meta(max_length=8)]
    residual_um: Annotated[int, Meta(ge=0, le=100_000)]
    support_ppm: Millionths


class MachineReading(Strict, frozen=True):
    """What the machine made of a field."""

    value: Value
    text: Annotated[str, Meta(pattern=r"^[0-9X? -]{0,32}\Z")]
    confidence_ppm: Millionths


class FieldEntry(Strict, frozen=True):
    """One number, as confirmed, beside the machine's."""

    id: FieldId
    page: PageNumber
    value: Value
    settled: Literal["machine-and-confirmed", "corrected", "typed"]
    machine: MachineReading


class FailedRule(Strict, frozen=True):
    """A rule that does not hold on the final values."""

    rule: Annotated[str, Meta(pattern=r"^[A-Z][A-Za-z0-9.-]{0,15}\Z")]
    fields: Annotated[list[FieldId], Meta(max_length=MAX_FIELDS)]
    left: Sum
    right: Sum
    warning: bool


class DraftEntry(Strict, frozen=True):
    """What the station asks the signer to sign."""

    mode: ModeName
    election: Hash
    tps: TpsCode
    contest: Name
    form: Name
    layout: Hash
    pages: Annotated[list[PageEntry], Meta(min_length=1, max_length=MAX_PAGES)]
    fields: Annotated[list[FieldEntry], Meta(min_length=1, max_length=MAX_FIELDS)]
    failed: Annotated[list[FailedRule], Meta(max_length=500)]
    confirmed_by: Literal["ketua", "anggota"]
    software: Printable
    model: Hash
    journal: Hash
    """Head of the device's hash-chained audit journal at sealing."""
    supersedes: Hash | None
    reason: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{0,280}\Z")]


class LogEntry(Strict, frozen=True):
    """Size and root of the device's log before this record."""

    size: Annotated[int, Meta(ge=0, le=999_999)]
    root: Hash


class TimeEntry(Strict, frozen=True):
    """When, and how good the clock is."""

    unix: UnixTime
    clock: ClockName


class RecordEntry(DraftEntry, frozen=True):
    """The payload of a record: the draft and what the signer adds."""

    sequence: Annotated[int, Meta(ge=1, le=1_000_000)]
    previous: Hash
    log: LogEntry
    time: TimeEntry


class AcknowledgementEntry(Strict, frozen=True):
    """The payload of a collector's acknowledgement."""

    record: Hash
    collector: Name
    unix: UnixTime


for _kind in (DraftEntry, RecordEntry, AcknowledgementEntry):
    msgspec.json.Decoder(_kind)
    # msgspec resolves a type at its first use, and two threads that do so at the same moment crash the process.


class SchemaRefused(SignerRefused, VerificationRefused):
    """A payload does not have the shape, or breaks an invariant: neither signed nor believed."""


Entry = TypeVar("Entry", bound=msgspec.Struct)


def check(payload: Any, kind: type[Entry]) -> Entry:
    """`payload` (decoded CBOR) as `kind`; raises SchemaRefused("schema") naming the place."""
    try:
        return msgspec.convert(payload, kind, strict=True, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise SchemaRefused("schema", problem=str(error)) from error


def check_draft(payload: Mapping[str, Any]) -> DraftEntry:
    """A draft that may be signed; raises SchemaRefused."""
    draft = check(payload, DraftEntry)
    _check_invariants(draft)
    return draft


def check_record(payload: Mapping[str, Any]) -> RecordEntry:
    """A record payload that may be believed; raises SchemaRefused."""
    record = check(payload, RecordEntry)
    _check_invariants(record)
    _require(record.log.size == record.sequence - 1, "schema-log-size")
    _require((record.previous == NO_RECORD) == (record.sequence == 1), "schema-previous")
    return record


def _check_invariants(draft: DraftEntry) -> None:
    numbers = [page.page for page in draft.pages]
    _require(all(a < b for a, b in pairwise(numbers)), "schema-page-order")
    _require(len({page.sha256 for page in draft.pages}) == len(numbers), "schema-picture-twice")
    ids = {field.id for field in draft.fields}
    _require(len(ids) == len(draft.fields), "schema-field-twice")
    for field in draft.fields:
        _require(field.page in numbers, "schema-field-without-picture", field=field.id)
        _require(_settled_truly(field), "schema-settled", field=field.id)
    for failed in draft.failed:
        _require(set(failed.fields) <= ids, "schema-rule-fields", rule=failed.rule)
    _require((draft.supersedes is None) == (draft.reason == ""), "schema-reason")
    _require(len(draft.reason.encode()) <= MAX_REASON_BYTES, "schema-reason")


def _settled_truly(field: FieldEntry) -> bool:
    same = field.value == field.machine.value
    match field.settled:
        case "machine-and-confirmed":
            return same
        case "corrected":
            return not same and field.machine.value is not None
        case "typed":
            return field.machine.value is None


def _require(holds: bool, code: str, **details: Any) -> None:
    if not holds:
        raise SchemaRefused(code, **details)
