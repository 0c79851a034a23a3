"""A strip's one QR code (DESIGN.md 5.4): Base45 text (alphanumeric) or a note (bytes), ECC Q, quiet zone 4. Pure.

The only user of segno. The code is never split and never shrunk below MIN_MODULE_DOTS: what a thermal head blurs and
a pocket creases must still decode, so a text that is too long for the paper is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import segno

from firmware.errors import ReceiptRefused

MIN_MODULE_DOTS = 4
"""Printer dots a module: 0.5 mm at 203 dpi."""

QUIET_MODULES = 4
"""White modules on every side (ISO/IEC 18004)."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code with its quiet zone, ready for printing."""

    text: str
    version: int
    rows: tuple[tuple[bool, ...], ...]
    """Modules with the quiet zone, True is black."""
    module_dots: int
    """Printer dots a module: the largest even number that fits the paper. Even, because then a picture of it can be
    sent in half the resolution."""

    @property
    def dots(self) -> int:
        """Side of the printed square with its quiet zone, in dots."""
        return len(self.rows) * self.module_dots


def make(text: str, width_dots: int, *, alphanumeric: bool = True) -> QrCode:
    """The code of `text`, as large as `width_dots` allows; unless `alphanumeric`, of any text, as UTF-8.

    Raises ReceiptRefused: receipt-code-alphabet (not Base45), receipt-code-too-large (would need smaller modules).
    """
    try:
        if alphanumeric:
            code = segno.make(text, error="q", mode="alphanumeric", micro=False, boost_error=False)
        else:
            code = segno.make(text, error="q", mode="byte", encoding="utf-8", micro=False, boost_error=False)
    except segno.DataOverflowError as problem:
        raise ReceiptRefused("receipt-code-too-large", characters=len(text), dots=width_dots) from problem
    except ValueError as problem:
        raise ReceiptRefused("receipt-code-alphabet") from problem
    rows = tuple(tuple(bool(module) for module in row) for row in code.matrix_iter(border=QUIET_MODULES))
    module_dots = width_dots // len(rows) // 2 * 2
    if module_dots < MIN_MODULE_DOTS:
        raise ReceiptRefused("receipt-code-too-large", characters=len(text), dots=width_dots)
    return QrCode(text, int(code.version), rows, module_dots)
