"""How often a signer signs: a station gone wild, or taken over, must not be able to make records wholesale.

Judged by the times in the records themselves, so a restart forgets nothing. Times after now are not counted: a clock
that was set back (it had been wrong) must not stop an election night.
"""

from __future__ import annotations

from collections.abc import Iterable

from firmware.errors import SignerRefused

MOST_A_MINUTE = 10
"""People confirm thirty numbers and more before each seal: two in a minute are quick, ten are no people."""
MOST_A_DAY = 100
"""Five contests, each corrected a few times, are twenty; the rest is room for courses and rehearsals."""

LIMITS = ((60, MOST_A_MINUTE), (86_400, MOST_A_DAY))
"""Seconds, and the most records in them."""


def check_rate(sealed_at: Iterable[int], now: int) -> None:
    """Returns when one more record may be sealed `now` (Unix time). Raises SignerRefused("signer-too-often")."""
    ages = [now - at for at in sealed_at]
    for seconds, most in LIMITS:
        if sum(0 <= age < seconds for age in ages) >= most:
            raise SignerRefused("signer-too-often", most=most, seconds=seconds)
