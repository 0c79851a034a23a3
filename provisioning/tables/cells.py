"""What stands in a cell, as a person meant it: numbers stored as text, thousands with dots, codes that lost their form.

Nothing is guessed: what can be read in two ways is refused, with the reason that a person at the table can act on.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 120
"""Characters of a name in a table; the longest place names have 60."""

Cell = str | int | float | bool | None
"""As a table gives it."""

_GROUPED = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+|[0-9]{1,3}(,[0-9]{3})+")
_PLAIN = re.compile(r"[0-9]{1,18}")
_NOTHING = {"", "-", "–", "—"}
_SPACES = re.compile(r"\s+")
_FORMULA = "="


class CellRefused(ValueError):
    """The reason, for the list of problems."""


def text(cell: Cell) -> str:
    """The text of a cell, one space between words; empty for an empty cell. Raises CellRefused."""
    if isinstance(cell, bool):
        raise CellRefused("TRUE or FALSE where a text is expected")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    found = _SPACES.sub(" ", unicodedata.normalize("NFC", "" if cell is None else str(cell))).strip()
    if found.startswith(_FORMULA):
        raise CellRefused("a formula; paste it as a value")
    if not found.isprintable() or "\N{REPLACEMENT CHARACTER}" in found:
        raise CellRefused("characters that cannot be read; export the table again as UTF-8")
    if len(found) > MAX_TEXT:
        raise CellRefused(f"{len(found)} characters; at most {MAX_TEXT}")
    return "" if found in _NOTHING else found


def name(cell: Cell) -> str:
    """A text that must be there. Raises CellRefused."""
    found = text(cell)
    if not found:
        raise CellRefused("is empty")
    return found


def number(cell: Cell, least: int = 0, most: int = 10**12) -> int:
    """A whole number: 1234, "1234", "1.234", "1,234". Raises CellRefused."""
    if isinstance(cell, float) and not cell.is_integer():
        raise CellRefused(f"{cell} is no whole number; a dot of thousands may have become a decimal point")
    found = name(cell).replace(" ", "")
    if _GROUPED.fullmatch(found):
        found = found.replace(".", "").replace(",", "")
    if not _PLAIN.fullmatch(found):
        raise CellRefused(f"{found!r} is no whole number")
    value = int(found)
    if not least <= value <= most:
        raise CellRefused(f"{value} is not between {least} and {most}")
    return value


def code(cell: Cell, *lengths: int) -> str:
    """A Kemendagri code of one of these lengths; dots between its parts are left out. Raises CellRefused."""
    found = name(cell)
    digits = found.replace(".", "").replace(" ", "")
    if not digits.isascii() or not digits.isdigit():
        raise CellRefused(f"{found!r} is no code; a spreadsheet may have made a number of it")
    if len(digits) not in lengths:
        raise CellRefused(f"{found!r} has {len(digits)} digits, not {' or '.join(map(str, lengths))}")
    return digits


def heading(cell: Cell) -> str:
    """A column's name, however it is broken over lines, spaced and capitalised."""
    return "" if cell is None else _SPACES.sub(" ", str(cell)).strip().casefold()
