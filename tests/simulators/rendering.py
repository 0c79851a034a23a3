"""A strip as it must come out of the simulated printer, without line, time or mishap."""

from __future__ import annotations

import numpy as np

from firmware.receipt.escpos_printer import profile_of, receipt_commands
from firmware.receipt.strip import ReceiptLayout
from tests.simulators.paper_roll import Dots, PaperRoll
from tests.simulators.printer_engine import Engine

ENDLESS_MM = 1e6


class _AllTaken(Exception):
    """The last byte has been taken."""


def rendered(layout: ReceiptLayout, profile: str = "") -> Dots:
    """The paper of the strip, from the cut before it to its own; where nothing cuts, to its last row."""
    data = iter(b"".join(receipt_commands(layout, profile_of(profile, layout.width_dots))))
    roll = PaperRoll(layout.width_dots, ENDLESS_MM)
    strips: list[Dots] = []

    def take() -> int:
        byte = next(data, None)
        if byte is None:
            raise _AllTaken
        return byte

    engine = Engine(roll, take, roll.burn, lambda answer: None, lambda: 0, strips.append)
    try:
        while True:
            engine.step()
    except _AllTaken:
        return strips[0] if strips else roll.cut()


def content(strip: Dots) -> Dots:
    """Without the blank rows at both ends: those depend on what was printed before and on where it was torn."""
    rows = np.flatnonzero(strip.any(axis=1))
    return strip[rows[0] : rows[-1] + 1] if len(rows) else strip[:0]


def ends_with(strip: Dots, wanted: Dots) -> bool:
    """Whether the whole `wanted` content stands at the end of a piece of paper."""
    found, content_wanted = content(strip), content(wanted)
    return len(found) >= len(content_wanted) and bool(np.array_equal(found[-len(content_wanted) :], content_wanted))
