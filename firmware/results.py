"""The machine output of `c1kiosk read` and `c1kiosk digits`: its shape (DESIGN 5.1), and how it reaches the disk.

The shape is a contract; the field names of the structs below are the JSON keys.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from firmware.errors import Refused
from firmware.forms.layout import FormLayout
from firmware.records import CellReading, FieldTally, Page, RefusedPage, Tally
from firmware.tally.wording import describe

NOT_READ = "not-read"
"""Reason of a page that was not reached, because something else failed before."""
DECIMALS = 6
"""Of confidences: the record keeps millionths too."""


class PageResult(msgspec.Struct, frozen=True):
    """One picture that was given."""

    file: str
    page: int | None
    status: str
    """"read" or "rejected"."""
    reason: str | None
    """A PageRefusal, or the code of what failed before the picture was looked at."""


class CellResult(msgspec.Struct, frozen=True):
    """One box, or one loose picture of a box without its file name."""

    label: str
    confidence: float


class FieldResult(msgspec.Struct, frozen=True):
    """One number of the form."""

    value: int | None
    text: str
    confidence: float
    status: str
    cells: tuple[CellResult, ...]


class CheckResult(msgspec.Struct, frozen=True):
    """One rule."""

    rule: str
    ok: bool | None
    fields: tuple[str, ...]
    message: str


class ReadResult(msgspec.Struct, frozen=True):
    """What `read` writes."""

    form: str | None
    pages: tuple[PageResult, ...]
    fields: Mapping[str, FieldResult]
    checks: tuple[CheckResult, ...]


class DigitResult(msgspec.Struct, frozen=True):
    """One entry of what `digits` writes."""

    file: str
    label: str
    confidence: float


def nothing_read(files: Sequence[str], reason: str = NOT_READ) -> ReadResult:
    """The result when the pictures were not even looked at."""
    return ReadResult(None, tuple(PageResult(file, None, "rejected", reason) for file in files), {}, ())


def page_result(file: str, outcome: Page | RefusedPage) -> PageResult:
    """What became of one picture."""
    if isinstance(outcome, Page):
        return PageResult(file, outcome.number, "read", None)
    number = outcome.details.get("page")
    return PageResult(file, number if isinstance(number, int) else None, "rejected", outcome.reason.value)


def read_result(pages: Sequence[PageResult], tally: Tally | None, layout: FormLayout | None) -> ReadResult:
    """The whole result; without a tally no page was read, and there are no fields."""
    if tally is None or layout is None:
        return ReadResult(None, tuple(pages), {}, ())
    values = {name: entry.value for name, entry in tally.fields.items()}
    fields = {name: _field(entry) for name, entry in tally.fields.items()}
    checks = tuple(CheckResult(c.rule, c.ok, c.fields, describe(c, layout, values)) for c in tally.checks)
    return ReadResult(tally.form, tuple(pages), fields, checks)


def _field(entry: FieldTally) -> FieldResult:
    cells = tuple(cell_result(cell) for cell in entry.cells)
    return FieldResult(entry.value, _text(entry.text), round(entry.confidence, DECIMALS), entry.status.value, cells)


def _text(text: str) -> str:
    """The cells joined, "128" or "X28"; a row with a dash is spaced, "- - 5", or its dashes would run together."""
    return " ".join(text) if "-" in text else text


def cell_result(cell: CellReading) -> CellResult:
    """The most probable label of a box."""
    return CellResult(cell.label, round(cell.confidence, DECIMALS))


def write(path: Path, result: Any) -> None:
    """Writes the JSON whole or not at all; a device or pipe is written to directly. Refused when it cannot be."""
    data = msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as problem:
        raise Refused("read-output", file=str(path), problem=problem.strerror) from problem


def _replace(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
    try:
        Path(file.name).chmod(0o666 & ~_umask())
        Path(file.name).replace(path)
    except OSError:
        Path(file.name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's mask; there is no way to ask for it without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
