"""Indonesian number words, as they are written beside the digits on the form. Pure."""

from __future__ import annotations

LARGEST = 999
"""The forms have three boxes for a number; a larger one cannot come from a form."""

_ONES = ("nol", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan", "sepuluh", "sebelas")


def words(number: int) -> str:
    """`number` in words, 0 to LARGEST: 117 is "seratus tujuh belas". Raises ValueError outside that range."""
    if not 0 <= number <= LARGEST:
        raise ValueError(f"no words for {number}")
    if number < len(_ONES):
        return _ONES[number]
    if number < 20:
        return f"{_ONES[number - 10]} belas"
    if number < 100:
        return _joined(f"{_ONES[number // 10]} puluh", number % 10)
    hundreds = "seratus" if number < 200 else f"{_ONES[number // 100]} ratus"
    return _joined(hundreds, number % 100)


def _joined(head: str, rest: int) -> str:
    return f"{head} {words(rest)}" if rest else head
