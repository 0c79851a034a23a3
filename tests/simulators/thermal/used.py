"""One print from the head to the file: the strip of a layout, worn, photographed. Deterministic by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zxingcpp

from firmware.receipt.strip import ReceiptLayout
from tests.simulators.paper.level import Bgr
from tests.simulators.paper_roll import PAPER_DOTS, Dots
from tests.simulators.rendering import rendered
from tests.simulators.thermal import head, paper, phone
from tests.simulators.thermal.wear import drawn

AROUND = 600
"""Rows above and below the code that a picture of it may show."""
WHITE = 40
"""Dots added on every side for the look at the clean print."""


@dataclass(frozen=True)
class Print:
    """What the head burns: the strip about its code."""

    dots: Dots
    code: paper.Box
    text: str

    @property
    def middle(self) -> tuple[float, float]:
        """Of the code, in dots of the paper."""
        left, top, right, bottom = self.code
        return (left + right) / 2, (top + bottom) / 2


def printed(layout: ReceiptLayout, profile: str) -> Print:
    """The layout as a printer of this profile prints it. ValueError when the clean print has no such code."""
    strip = rendered(layout, profile)
    padded = np.pad(np.where(strip == 1, 0, 255).astype(np.uint8), WHITE, constant_values=255)
    (found,) = (code for code in zxingcpp.read_barcodes(padded) if code.text == layout.receipt.code)
    corners = [(point.x, point.y) for point in (found.position.top_left, found.position.bottom_right)]
    (left, top), (right, bottom) = corners
    first = max(0, top - WHITE - AROUND)
    margin = (PAPER_DOTS[strip.shape[1]] - strip.shape[1]) // 2 - WHITE
    box = (left + margin, top - WHITE - first, right + margin, bottom - WHITE - first)
    return Print(strip[first : bottom - WHITE + AROUND], box, str(found.text))


@dataclass(frozen=True, slots=True)
class Fate:
    """What a print goes through: of every cause or of `only` one, at least at this strength (wear.py)."""

    level: str
    only: str | None = None
    least: float = 0.0


def used(print_: Print, fate: Fate, seed: int) -> Bgr:
    """The strip after what it went through."""
    rng = np.random.default_rng([seed, 1])
    wear = drawn(fate.level, rng, fate.only, fate.least)
    return paper.worn(head.printed(print_.dots, wear, rng), print_.code, wear, rng)


def seen(print_: Print, strip: Bgr, fate: Fate, seed: int, attempt: int = 0) -> bytes:
    """A picture of the used strip; another `attempt` is another picture of the same strip."""
    rng = np.random.default_rng([seed, 2, attempt])
    return phone.photograph(strip, print_.middle, drawn(fate.level, rng, fate.only, fate.least), rng)
