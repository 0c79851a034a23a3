"""What a camera is to the rest of the program. Its answers come from a closed set.

`sentence` names the sentence for people, which stands under `camera.` in messages/.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware.records import Frame

PREVIEW_SIDE = 960
"""Pixels of a preview's longer side, at most: marks and blur can be judged, and ten a second cost little."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What the camera sees now, small."""

    bgr: NDArray[np.uint8] = field(repr=False)
    """(height, width, 3), the longer side at most PREVIEW_SIDE."""
    number: int
    """Counts up: a new picture has a new number."""


class CameraFault(StrEnum):
    """Why there is no picture."""

    GONE = "gone"
    """No camera answers: unplugged, or a ribbon that came loose."""
    TIMEOUT = "timeout"
    """It was reached and gave no picture in time."""
    HUNG = "hung"
    """Its driver fell silent. It was stopped, and starts anew with the next request."""
    CRASHED = "crashed"
    """Its driver ended by itself. It starts anew with the next request."""
    GARBAGE = "garbage"
    """It gave bytes that are no whole picture."""
    BLACK = "black"
    """It gave a picture in which nothing can be seen."""


class Camera(Protocol):
    """One camera. Every call returns within a bounded time, whatever the camera does."""

    def preview(self) -> Preview | CameraFault:
        """The latest small picture; never waits longer than a preview takes."""

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """One press: a short burst at full resolution in the order taken, at least one frame.

        Exposure and focus are held through the burst; the bytes are the camera's own JPEG, untouched.
        """

    def close(self) -> None:
        """Lets go of the device."""


def sentence(fault: CameraFault, failures: int) -> str:
    """Key of the sentence for the `failures`-th failed capture in a row: from the second on it speaks of the cable."""
    return f"camera.{fault}" if failures < 2 else f"camera.{'black' if fault is CameraFault.BLACK else 'fault'}-again"
