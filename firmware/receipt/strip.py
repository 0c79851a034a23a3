"""What stands on one strip of thermal paper: the types between composing a receipt and printing it. Pure.

Lengths are in characters of the printer's font A (12 x 24 dots at 203 dpi) or in printer dots (8 a millimetre).
"""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass

from firmware.receipt.qr import QrCode
from firmware.records import Receipt

PAPER_COLUMNS = {576: 48, 384: 32}
"""Printable dots of 80 mm and 58 mm paper, and the columns of font A on them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in one style; `width` and `height` multiply the character."""

    text: str
    bold: bool = False
    width: int = 1
    height: int = 1
    inverse: bool = False
    centred: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper, single or double."""

    double: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """The QR code, centred."""

    qr: QrCode


Element = Line | Rule | Code


@dataclass(frozen=True, slots=True)
class ReceiptLayout:
    """One strip, ready for any printer: what stands on it, from top to bottom."""

    receipt: Receipt
    width_dots: int
    elements: tuple[Element, ...]

    def __post_init__(self) -> None:
        """No line may be wider than the paper or hold what a printer would take for a command."""
        for element in self.elements:
            if isinstance(element, Line) and (
                len(element.text) * element.width > self.columns or element.text != plain(element.text)
            ):
                raise ValueError(f"not printable: {element.text!r}")

    @property
    def columns(self) -> int:
        """Characters of normal width in a line."""
        return PAPER_COLUMNS[self.width_dots]

    @property
    def text(self) -> str:
        """All lines of text, for the log and for tests."""
        return "\n".join(element.text for element in self.elements if isinstance(element, Line))


def plain(text: str) -> str:
    """`text` in the characters that every code page shares: ASCII without controls. Accents go, the rest becomes ?."""
    folded = unicodedata.normalize("NFKD", text)
    kept = (character for character in folded if not unicodedata.combining(character))
    return "".join(character if character.isascii() and character.isprintable() else "?" for character in kept)


def wrapped(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns` characters, broken between words where possible."""
    return textwrap.wrap(plain(text), columns) or [""]


def leader(label: str, value: str, columns: int) -> list[str]:
    """`label ....... value` on one line; a long label takes lines of its own above."""
    *above, last = wrapped(label, columns - len(value) - 3)
    dots = "." * (columns - len(last) - len(value) - 2)
    return [*above, f"{last} {dots} {value}"]


def pair(label: str, value: str, columns: int, indent: int) -> list[str]:
    """`label   value`, the values starting in column `indent`; a long value goes on below itself."""
    first, *rest = wrapped(value, columns - indent)
    name = plain(label).ljust(indent - 1)
    head = [f"{name} {first}"] if len(name) < indent else [*wrapped(label, columns), " " * indent + first]
    return [*head, *(" " * indent + line for line in rest)]
