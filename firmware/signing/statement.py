"""The receipt statement: what the QR code on a receipt says, signed on its own.

Integer keys keep it small; `record.cddl` names them. Values are the contest's result fields in form order, without
their names: the names come from the form layout of the contest in the election definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from firmware.records import Mode
from firmware.signing.schema import Hash, LogEntry, Name, RecordEntry, SchemaRefused, UnixTime, Value, check

RESULT_FIELD = re.compile(r"suara_[a-z0-9_]+|partai_[0-9]+_total")
"""Ids of the fields that are a contest's result: votes, and totals of parties (surat_suara_... are ballot papers).
Votes of single party candidates are in the record only: with them the code would not fit on paper."""
MAX_RESULTS = 200
"""Result fields of one contest; a code with more does not fit on paper."""

_MODES = (Mode.REAL, Mode.TRAINING, Mode.DEVELOPMENT)
_TPS_DIGITS = 13


class _Raw(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The statement's values in the order of its keys 1 to 8."""

    record: Hash
    mode: Annotated[int, Meta(ge=0, le=2)]
    tps: Annotated[int, Meta(ge=0, lt=10**_TPS_DIGITS)]
    contest: Name
    values: Annotated[list[Value], Meta(min_length=1, max_length=MAX_RESULTS)]
    log_size: Annotated[int, Meta(ge=0, le=999_999)]
    log_root: Hash
    unix: UnixTime


msgspec.json.Decoder(_Raw)
# Resolved now, by one thread (schema.py).


@dataclass(frozen=True, slots=True)
class Statement:
    """What a receipt code says."""

    record: bytes
    """SHA-256 of the record's COSE bytes."""
    mode: Mode
    tps: str
    contest: str
    values: tuple[int | None, ...]
    log: LogEntry
    unix: int

    def payload(self) -> dict[int, Any]:
        """The CBOR map that is signed."""
        parts = (
            self.record,
            _MODES.index(self.mode),
            int(self.tps),
            self.contest,
            list(self.values),
            self.log.size,
            self.log.root,
            self.unix,
        )
        return dict(enumerate(parts, 1))


def result_fields(ids: Iterable[str]) -> tuple[str, ...]:
    """Those of `ids` that are results, in their order."""
    return tuple(name for name in ids if RESULT_FIELD.fullmatch(name))


def statement_of(sha256: bytes, record: RecordEntry) -> Statement:
    """The statement of a record; raises SchemaRefused when the record holds no result or too many."""
    values = {field.id: field.value for field in record.fields}
    results = tuple(values[name] for name in result_fields(values))
    if not 1 <= len(results) <= MAX_RESULTS:
        raise SchemaRefused("schema-results", found=len(results), most=MAX_RESULTS)
    return Statement(sha256, Mode(record.mode), record.tps, record.contest, results, record.log, record.time.unix)


def read_statement(payload: Any) -> Statement:
    """The statement in a decoded payload; raises SchemaRefused("schema")."""
    keys = list(range(1, len(_Raw.__struct_fields__) + 1))
    if not isinstance(payload, dict) or list(payload) != keys:
        raise SchemaRefused("schema", problem="keys")
    raw = check(list(payload.values()), _Raw)
    return Statement(
        record=raw.record,
        mode=_MODES[raw.mode],
        tps=f"{raw.tps:0{_TPS_DIGITS}d}",
        contest=raw.contest,
        values=tuple(raw.values),
        log=LogEntry(raw.log_size, raw.log_root),
        unix=raw.unix,
    )
