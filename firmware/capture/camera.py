"""What a camera is to the rest of the program. Its answers come from a closed set.

The sentences for people stand under `camera.<fault>` in messages/.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from firmware.records import Frame


class CameraFault(StrEnum):
    """Why there is no picture."""

    GONE = "gone"
    """No camera answers: unplugged, or a ribbon that came loose."""
    TIMEOUT = "timeout"
    """It was reached and gave no picture in time."""
    BLACK = "black"
    """It gave a picture in which nothing can be seen."""


class Camera(Protocol):
    """One camera. Both calls return within a bounded time, whatever the camera does."""

    def capture(self) -> Frame | CameraFault:
        """One picture, taken now."""

    def close(self) -> None:
        """Lets go of the device."""
