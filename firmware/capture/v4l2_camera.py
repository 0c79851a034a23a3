"""A USB camera through Video4Linux and OpenCV. The bytes are the camera's own JPEG (MJPG), never encoded again.

OpenCV gives up on a device that is silent after its own read timeout (10 s); a driver that hangs below it is not
survived here: that takes a process of its own.
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.picture import frame_from_bytes, glance
from firmware.records import Frame, RefusedPage

WIDTH, HEIGHT = 3840, 2160
"""Asked for; the camera gives the nearest it has."""
STALE_FRAMES = 4
"""Frames the driver may have buffered before the press: they show what lay there then."""


class V4l2Camera:
    """The camera at `device`, for example /dev/video0; opened for each picture, so that plugging it in is enough."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._previews = 0

    def preview(self) -> Preview | CameraFault:
        """One picture, small."""
        shots = self.capture()
        if isinstance(shots, CameraFault):
            return shots
        small = glance(shots[0], PREVIEW_SIDE)
        if isinstance(small, RefusedPage):
            return CameraFault.GARBAGE
        self._previews += 1
        return Preview(small, self._previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """One picture, taken now."""
        source = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        try:
            return self._capture(source) if source.isOpened() else CameraFault.GONE
        finally:
            source.release()

    def _capture(self, source: cv2.VideoCapture) -> tuple[Frame, ...] | CameraFault:
        source.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        source.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        source.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        source.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        for _ in range(STALE_FRAMES):
            source.grab()
        given, data = source.read()
        if not given:
            return CameraFault.TIMEOUT
        facts: dict[str, str | int | float] = {"driver": "v4l2", "device": self._device}
        return (frame_from_bytes(np.asarray(data, np.uint8).tobytes(), self._device, facts),)

    def close(self) -> None:
        """Nothing is held between two pictures."""
