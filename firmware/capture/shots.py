"""What every camera does with its pictures: a look at each frame of a burst, and a small picture out of a large one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.picture import Color, glance
from firmware.records import Frame, RefusedPage

BURST_FRAMES = 3
"""A hand's shake has its quiet moment within three frames; more only cost time to look at."""
LOOK_SIDE = 480
"""Pixels: enough to see whether anything is to be seen."""
BLACK_LEVEL = 24
"""Of 255. A picture whose brightest hundredth is below it shows nothing: a covered lens has noise below 10, paper in a
room lit by one candle is above 40."""
BRIGHTEST_PERCENT = 99


def judge(frames: Sequence[Frame]) -> tuple[Frame, ...] | CameraFault:
    """The frames that are whole and show something; where there is none, why."""
    looks = [(frame, glance(frame, LOOK_SIDE)) for frame in frames]
    whole = [(frame, look) for frame, look in looks if not isinstance(look, RefusedPage)]
    if not whole:
        return CameraFault.GARBAGE
    seen = tuple(frame for frame, look in whole if not is_black(look))
    return seen or CameraFault.BLACK


def is_black(picture: Color) -> bool:
    """Whether nothing can be seen in it."""
    return float(np.percentile(picture.max(axis=2), BRIGHTEST_PERCENT)) < BLACK_LEVEL


def preview_of(frame: Frame, number: int) -> Preview | CameraFault:
    """The small picture of a frame."""
    small = glance(frame, PREVIEW_SIDE)
    return CameraFault.GARBAGE if isinstance(small, RefusedPage) else Preview(small, number)
