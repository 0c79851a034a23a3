"""What the kiosk found about itself before a day, as a sentence: the same on the screen and on the opening strip."""

from __future__ import annotations

from firmware.day import custody
from firmware.day.day import Checked
from firmware.messages import DEFAULT_LANGUAGE, sentence
from firmware.receipt.clock import local_time, zone_of


def found(check: Checked, tps: str, language: str = DEFAULT_LANGUAGE) -> str:
    """The sentence of one finding. The printer says itself what it needs; a clock is read."""
    if check.name == "printer" and not check.ok:
        return sentence(f"printer.{check.seen}", language)
    if check.name == custody.NAME:
        return custody.told(check, language)
    told = sentence(f"opening.{check.name}-{'ok' if check.ok else 'bad'}", language, seen=check.seen)
    return f"{told} ({local_time(int(check.seen), zone_of(tps))})" if check.name == "clock" else told
