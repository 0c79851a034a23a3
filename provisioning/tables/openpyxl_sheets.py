"""XLSX through openpyxl, from a stranger: looked at as an archive before it is opened, and then read row by row.

Refused, as a whole: what is no XLSX (or is encrypted), archives that unpack to more than MAX_UNPACKED bytes or
MAX_RATIO times their size, macros, links to other files, document types in its XML (entities). Formulas are not
computed and not believed: they come back as text that begins with "=", which cells.py refuses where it is used.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from openpyxl import load_workbook

from provisioning.tables.cells import Cell

MAX_PACKED = 256 * 1024**2
"""Bytes of a file: a table of all 823,236 TPS has about 50 MB."""
MAX_UNPACKED = 2 * 1024**3
"""Bytes of all its parts: the same table has about 400 MB."""
MAX_RATIO = 200
"""Unpacked to packed: tables have 5 to 60."""
MAX_STRINGS = 256 * 1024**2
"""Bytes of its texts, which are held in memory: those of the country have 5 MB."""
MAX_PARTS = 2_000
MAX_COLUMNS = 200
"""Further to the right nothing is looked for."""
_LOOKED_AT = 4096
"""Bytes at the beginning of a part in which a document type stands."""
_ACTIVE = ("vbaproject", "externallinks/", "activex/", "embeddings/", "connections.xml", "macrosheets/")


class SheetRefused(ValueError):
    """The file as a whole; the reason is for the list of problems."""


def sheet(path: Path, wanted: str) -> tuple[str, Iterator[Sequence[Cell]]]:
    """Name and rows of a sheet, of the first one when none is named. Raises SheetRefused, also while reading."""
    check_archive(path)
    try:
        book = load_workbook(path, read_only=True, data_only=False, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its parsers raise
        raise SheetRefused(f"cannot be opened as XLSX ({type(error).__name__})") from error
    title = wanted or "".join(book.sheetnames[:1])
    if title not in book.sheetnames:
        book.close()
        raise SheetRefused(f"has no sheet {title!r}; it has {', '.join(book.sheetnames[:9])}")
    return title, _rows(book, title)


def _rows(book: object, title: str) -> Iterator[Sequence[Cell]]:
    from openpyxl.workbook.workbook import Workbook

    assert isinstance(book, Workbook)
    with closing(book):
        page = book[title]
        page.reset_dimensions()
        try:
            yield from cast("Iterator[Sequence[Cell]]", page.iter_rows(max_col=MAX_COLUMNS, values_only=True))
        except Exception as error:
            raise SheetRefused(f"is damaged ({type(error).__name__})") from error


def check_archive(path: Path) -> None:
    """Returns when the archive is one that may be opened; raises SheetRefused."""
    if path.stat().st_size > MAX_PACKED:
        raise SheetRefused(f"is larger than {MAX_PACKED >> 20} MiB")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_parts(path, archive.infolist())
            for part in archive.infolist():
                if part.filename.casefold().endswith((".xml", ".rels")):
                    _check_beginning(archive, part)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise SheetRefused("is no XLSX, or is encrypted; save it as XLSX without a password") from error


def _check_parts(path: Path, parts: Sequence[zipfile.ZipInfo]) -> None:
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * max(path.stat().st_size, 1):
        raise SheetRefused(f"unpacks to {unpacked >> 20} MiB in {len(parts)} parts; it is no table")
    for part in parts:
        if part.filename.casefold().endswith("sharedstrings.xml") and part.file_size > MAX_STRINGS:
            raise SheetRefused(f"has {part.file_size >> 20} MiB of texts; it is no table")
        if any(mark in part.filename.casefold() for mark in _ACTIVE):
            raise SheetRefused(
                f"holds macros or links to other files ({part.filename}); paste its values into a new file"
            )


def _check_beginning(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    with archive.open(part) as file:
        if b"<!doctype" in file.read(_LOOKED_AT).replace(b"\0", b"").lower():
            raise SheetRefused(f"has a document type in {part.filename}; it was not written by a spreadsheet")
