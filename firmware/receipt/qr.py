"""A strip's one QR code (DESIGN.md 5.4): Base45 text (alphanumeric) or a note (bytes), quiet zone 4. Pure.

The only user of segno. The code is never split and never shrunk below MIN_MODULE_DOTS: what a thermal head blurs and
a pocket creases must still decode, so a text that is too long for the paper is refused. Error correction is Q where
modules of GOOD_MODULE_DOTS fit, as on 80 mm paper; on 58 mm it is M, because there larger modules help more than
correction does (docs/CODES.md has the measurement).
"""

from __future__ import annotations

from dataclasses import dataclass

import segno

from firmware.errors import ReceiptRefused

MIN_MODULE_DOTS = 4
"""Printer dots a module: 0.5 mm at 203 dpi."""

GOOD_MODULE_DOTS = 6
"""Printer dots a module: larger ones do not decode more often, and the lines of a worn head grow visible in them."""

CORRECTIONS = ("q", "m")
"""Levels of error correction in the order in which they are tried."""

MARGIN_DOTS = 24
"""Blank paper beside what can be printed, each side: 3 mm of the 4 mm that 80 mm paper has and the 5 mm of 58 mm."""

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
    """Printer dots a module. Even, because then a picture of it can be sent in half the resolution."""
    correction: str
    """Level of error correction, one of CORRECTIONS."""
    byte_modules: int
    """Modules of a side without quiet zone where a printer takes the text for bytes: many that draw codes do."""

    @property
    def dots(self) -> int:
        """Side of the square with its quiet zone, in dots; left and right that zone may lie on unprintable paper."""
        return len(self.rows) * self.module_dots


def make(text: str, width_dots: int, *, alphanumeric: bool = True) -> QrCode:
    """The code of `text` for paper with `width_dots` printable dots; unless `alphanumeric`, of any text, as UTF-8.

    Raises ReceiptRefused: receipt-code-alphabet (not Base45), receipt-code-too-large (would need smaller modules).
    """
    fitting = (_made(text, width_dots, correction, alphanumeric) for correction in CORRECTIONS)
    best = max((code for code in fitting if code), key=lambda code: code.module_dots, default=None)
    if best is None or best.module_dots < MIN_MODULE_DOTS:
        raise ReceiptRefused("receipt-code-too-large", characters=len(text), dots=width_dots)
    return best


def _made(text: str, width_dots: int, correction: str, alphanumeric: bool) -> QrCode | None:
    """The code at this correction, as large as is good and fits; None for a text that no code holds."""
    try:
        as_bytes = segno.make(text, error=correction, mode="byte", encoding="utf-8", micro=False, boost_error=False)
        code = as_bytes
        if alphanumeric:
            code = segno.make(text, error=correction, mode="alphanumeric", micro=False, boost_error=False)
    except segno.DataOverflowError:
        return None
    except ValueError as problem:
        raise ReceiptRefused("receipt-code-alphabet") from problem
    rows = tuple(tuple(bool(module) for module in row) for row in code.matrix_iter(border=QUIET_MODULES))
    fits = min(width_dots // len(code.matrix), (width_dots + 2 * MARGIN_DOTS) // len(rows), GOOD_MODULE_DOTS)
    return QrCode(text, int(code.version), rows, fits // 2 * 2, correction, len(as_bytes.matrix))
