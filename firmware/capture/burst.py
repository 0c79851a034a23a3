"""The best picture of one press: the sharpest frame of a burst that shows a page.

Frames of one burst show the same paper in the same light, a tenth of a second apart; what differs between them is how
much the hand moved. So the frame with the most contrast between neighbouring pixels is the sharpest one. It alone is
read; the next best only when it is refused for something that another frame might not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from firmware.capture.picture import glance
from firmware.records import Frame, Page, PageRefusal, RefusedPage

JUDGED_SIDE = 1000
"""Pixels of the longer side of the picture in which sharpness is judged: strokes are still lines, a JPEG is decoded to
this size in a sixteenth of the work."""
MOST_TRIED = 2
"""Frames that are read for one press: a person waits."""
SHARPNESS_DIGITS = 5
"""Digits of the sharpness that is recorded."""
_PASSING = frozenset(
    {
        PageRefusal.BLURRED,
        PageRefusal.COVERED,
        PageRefusal.NO_FORM,
        PageRefusal.NOT_A_PICTURE,
        PageRefusal.NOT_REGISTERED,
        PageRefusal.TRUNCATED,
    }
)
"""Refusals that another frame of the same burst may be spared."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of a burst."""

    outcome: Page | RefusedPage
    """Of the chosen frame; its frame tells in its facts which of the burst it is, and how sharp."""
    tried: int
    """Frames that were read."""


def choose(frames: Sequence[Frame], recognise: Callable[[Frame], Page | RefusedPage]) -> Choice:
    """The page of the sharpest frame that has one; else the refusal of the sharpest frame. Raises ValueError for none.

    `recognise` is asked for at most MOST_TRIED frames, the sharpest first.
    """
    first: RefusedPage | None = None
    tried = 0
    for frame in _sharpest_first(frames)[:MOST_TRIED]:
        outcome, tried = recognise(frame), tried + 1
        if isinstance(outcome, Page):
            return Choice(outcome, tried)
        first = first or outcome
        if outcome.reason not in _PASSING:
            break
    if first is None:
        raise ValueError("a burst without frames")
    return Choice(first, tried)


def _sharpest_first(frames: Sequence[Frame]) -> list[Frame]:
    """The frames with what this room knows of them among their facts; bytes and hash stay as they are."""
    judged = sorted(((sharpness(frame), -index) for index, frame in enumerate(frames)), reverse=True)
    return [
        replace(
            frames[-index],
            facts={
                **frames[-index].facts,
                "burst_index": -index,
                "burst_frames": len(frames),
                "sharpness": round(sharp, SHARPNESS_DIGITS),
            },
        )
        for sharp, index in judged
    ]


def sharpness(frame: Frame) -> float:
    """Mean square step between neighbouring pixels, as part of the mean square grey level; 0 for what is no picture.

    Comparable only between pictures of the same thing.
    """
    small = glance(frame, JUDGED_SIDE)
    if isinstance(small, RefusedPage):
        return 0.0
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    steps = sum(float(np.square(np.diff(gray, axis=axis)).mean()) for axis in (0, 1))
    return steps / max(float(np.square(gray).mean()), 1.0)
