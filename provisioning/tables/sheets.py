"""Tables as officials export them: CSV in whatever encoding and separator, or XLSX; headers over several rows, merged.

A header is found, not assumed: it is the first place in the first HEADER_ROWS rows where one, two or three rows
together name every column that is asked for, each once. Over several rows a column's name is the parts from top to
bottom, joined by " / "; a merged cell stands for all columns under it ("Jumlah Pemilih / L+P"). Names are compared
without case and line breaks.

What is wrong is a Problem: file, sheet, row, column and reason. Reading goes on, so that a person gets all of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from provisioning.tables.cells import Cell, CellRefused, heading
from provisioning.tables.openpyxl_sheets import SheetRefused, sheet

HEADER_ROWS = 25
"""Titles and logos stand above a header."""
HEADER_DEPTH = 3
"""Rows of one header."""
MAX_PROBLEMS = 10_000
"""More are counted, not kept: one wrong column of the country gives 823,236."""
MAX_ROWS = 2_000_000
"""Of one table."""
MAX_EMPTY = 10_000
"""Empty rows one after the other: a cell far below makes a spreadsheet of a billion of them."""
MAX_LINE = 64 * 1024
"""Characters of one CSV field."""
_JOIN = " / "
_SEPARATORS = (";", ",", "\t", "|")
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person must mend in a table."""

    file: str
    sheet: str
    row: int
    """As a spreadsheet counts, from 1; 0: the table as a whole."""
    column: str
    reason: str

    @property
    def line(self) -> str:
        """For the list."""
        where = f"{self.file}{f' [{self.sheet}]' if self.sheet else ''}"
        return (
            f"{where}{f' row {self.row}' if self.row else ''}{f', {self.column}' if self.column else ''}: {self.reason}"
        )


@dataclass(slots=True)
class Problems:
    """Everything that is wrong, in the order in which it was met."""

    kept: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, problem: Problem) -> None:
        """One more."""
        if len(self.kept) < MAX_PROBLEMS:
            self.kept.append(problem)
        else:
            self.more += 1

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.kept) + self.more


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, by the names that the mapping gives its columns."""

    file: str
    sheet: str
    number: int
    cells: Mapping[str, Cell]
    columns: Mapping[str, str]
    problems: Problems

    def get(self, key: str, read: Callable[[Cell], T], missing: T) -> T:
        """The cell as `read` understands it; a problem and `missing` when it does not."""
        try:
            return read(self.cells.get(key))
        except CellRefused as refusal:
            self.wrong(key, str(refusal))
            return missing

    def wrong(self, key: str, reason: str) -> None:
        """Notes a problem of this row."""
        self.problems.add(Problem(self.file, self.sheet, self.number, self.columns.get(key, key), reason))


def rows(path: Path, wanted: str, columns: Mapping[str, str], skip: Sequence[str], problems: Problems) -> Iterator[Row]:
    """The rows of a table under its header. Empty rows are left out, and those with a cell that is one of `skip`."""
    title, skipped = "", {heading(word) for word in skip}
    try:
        title, lines = _lines(path, wanted)
        window: list[tuple[int, Sequence[Cell]]] = []
        places: dict[str, int] | None = None
        for number, line in lines:
            if places is None:
                window.append((number, line))
                places = _header([cells for _number, cells in window[-HEADER_DEPTH:]], columns)
                if places is None and len(window) >= HEADER_ROWS:
                    break
            elif any(cell is not None and cell != "" for cell in line) and not skipped & set(map(heading, line[:9])):
                cells = {key: line[place] for key, place in places.items() if place < len(line)}
                yield Row(path.name, title, number, cells, columns, problems)
        if places is None:
            problems.add(Problem(path.name, title, 0, "", _no_header(window, columns)))
    except (SheetRefused, OSError, UnicodeError, csv.Error) as error:
        problems.add(Problem(path.name, title, 0, "", str(error)))


def _lines(path: Path, wanted: str) -> tuple[str, Iterator[tuple[int, Sequence[Cell]]]]:
    if path.suffix.casefold() in (".xlsx", ".xlsm"):
        title, found = sheet(path, wanted)
        return title, _limited(enumerate(found, start=1))
    return "", _limited(_csv(path))


def _limited(lines: Iterator[tuple[int, Sequence[Cell]]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    empty = 0
    for number, line in lines:
        empty = 0 if any(line) else empty + 1
        if empty > MAX_EMPTY:
            raise SheetRefused(
                f"has {MAX_EMPTY} empty rows above row {number}; delete them, and look what stands below"
            )
        if number > MAX_ROWS:
            raise SheetRefused(f"has more than {MAX_ROWS} rows")
        yield number, line


def _csv(path: Path) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Records with their number, as a spreadsheet shows it: a record may take several lines."""
    encoding = _encoding(path)
    csv.field_size_limit(MAX_LINE)
    with path.open(encoding=encoding, newline="") as file:
        separator = _separator(file.readline() for _ in range(HEADER_ROWS))
        file.seek(0)
        yield from enumerate(csv.reader(file, delimiter=separator, strict=True), start=1)


def _encoding(path: Path) -> str:
    """By its mark; else UTF-8 when all of it is, else Windows-1252, which spreadsheets in Indonesia write."""
    with path.open("rb") as file:
        start = file.read(3)
        for mark, encoding in _MARKS.items():
            if start.startswith(mark):
                return encoding
        file.seek(0)
        try:
            for line in file:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _separator(lines: Iterator[str]) -> str:
    """What stands most often in the first rows."""
    everything = "".join(lines)
    return max(_SEPARATORS, key=everything.count)


def _header(window: Sequence[Sequence[Cell]], columns: Mapping[str, str]) -> dict[str, int] | None:
    """Where each column is, when the last rows of `window` together name all of them."""
    for depth in range(1, len(window) + 1):
        names = _joined(window[-depth:])
        places = {key: names.index(heading(title)) for key, title in columns.items() if heading(title) in names}
        if len(places) == len(columns):
            twice = [title for title in columns.values() if names.count(heading(title)) > 1]
            if twice:
                raise SheetRefused(f"has the column {twice[0]!r} twice")
            return places
    return None


def _joined(lines: Sequence[Sequence[Cell]]) -> list[str]:
    width = max(map(len, lines))
    spread = [_spread(line, width, last=line is lines[-1]) for line in lines]
    return [_JOIN.join(dict.fromkeys(part for part in parts if part)) for parts in zip(*spread, strict=True)]


def _spread(line: Sequence[Cell], width: int, *, last: bool) -> list[str]:
    """The names of a header row; above the last row an empty cell belongs to the merged one on its left."""
    names = [*map(heading, line), *[""] * (width - len(line))]
    if last:
        return names
    for index in range(1, width):
        names[index] = names[index] or names[index - 1]
    return names


def _no_header(window: Sequence[tuple[int, Sequence[Cell]]], columns: Mapping[str, str]) -> str:
    """Which columns were not found in the row that names most of them."""
    wanted = {heading(title): title for title in columns.values()}
    best: set[str] = set()
    for index in range(len(window)):
        for depth in range(1, min(HEADER_DEPTH, index + 1) + 1):
            names = set(_joined([cells for _number, cells in window[index + 1 - depth : index + 1]]))
            best = max(best, names & wanted.keys(), key=len)
    missing = ", ".join(repr(title) for name, title in wanted.items() if name not in best)
    return f"no header with {missing} in the first {HEADER_ROWS} rows"
