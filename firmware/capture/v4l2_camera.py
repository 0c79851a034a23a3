"""A USB camera through Video4Linux and OpenCV. The bytes are the camera's own JPEG (MJPG), never encoded again.

    python -m firmware.capture.v4l2_camera DEVICE SOCKET MEMORY

serves it as the camera's process. OpenCV waits 10 s for a silent device; the kiosk does not (camera_process.py).
Focus is held during a burst. Exposure is left to the camera: many jump to a stored value when they are told to hold
theirs, and a burst of three frames lasts 0.1 s.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from firmware.capture.camera import CameraFault, Preview
from firmware.capture.camera_wire import Facts
from firmware.capture.camera_worker import SignOfLife, serve
from firmware.capture.picture import frame_from_bytes
from firmware.capture.shots import BURST_FRAMES, judge, preview_of
from firmware.records import Frame

WIDTH, HEIGHT = 3840, 2160
"""Asked for; the camera gives the nearest it has."""
BUFFERED_FRAMES = 4
"""OpenCV keeps four buffers: so many frames may show what lay there at an earlier time."""
WAITED_SECONDS = 0.004
"""A frame that had to be waited for is a fresh one; one from a buffer is there in less than a millisecond."""
FACTS = {
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "gain": cv2.CAP_PROP_GAIN,
    "focus": cv2.CAP_PROP_FOCUS,
    "white_balance": cv2.CAP_PROP_WB_TEMPERATURE,
}
"""The driver's own units; one that the camera does not tell is left out."""


class V4l2Camera:
    """The camera at `device`, for example /dev/video0. It stays open while it works."""

    def __init__(self, device: str, alive: SignOfLife = lambda: None) -> None:
        self._device = device
        self._alive = alive
        self._source: cv2.VideoCapture | None = None
        self._closed = False
        self._previews = 0

    def preview(self) -> Preview | CameraFault:
        """The frame that the camera sends next, small."""
        source = self._opened()
        data = _fresh(source) if source else None
        if data is None:
            return self._lost()
        self._previews += 1
        return preview_of(self._frame(data, {}), self._previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """A burst, each frame taken after the call."""
        source = self._opened()
        if source is None:
            return self._lost()
        source.set(cv2.CAP_PROP_AUTOFOCUS, 0)
        try:
            frames = self._burst(source)
        finally:
            source.set(cv2.CAP_PROP_AUTOFOCUS, 1)
        return judge(frames) if frames else self._lost()

    def close(self) -> None:
        """Lets go of the device, for good."""
        self._closed = True
        self._lost()

    def _burst(self, source: cv2.VideoCapture) -> list[Frame]:
        """Empty when the camera leaves."""
        frames = []
        for number in range(BURST_FRAMES):
            data = _next(source) if number else _fresh(source)
            if data is None:
                return []
            frames.append(self._frame(data, {"shot": number, **_facts(source)}))
            self._alive()
        return frames

    def _opened(self) -> cv2.VideoCapture | None:
        if self._source is None and not self._closed and Path(self._device).exists():
            source = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
            source.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            source.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
            source.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
            source.set(cv2.CAP_PROP_CONVERT_RGB, 0)
            self._source = source if source.isOpened() else None
            self._alive()
        return self._source

    def _lost(self) -> CameraFault:
        """Lets go of a device that does not answer, so that plugging it in is enough."""
        source, self._source = self._source, None
        if source is not None:
            source.release()
        return CameraFault.GONE

    def _frame(self, data: bytes, facts: Facts) -> Frame:
        return frame_from_bytes(data, self._device, {"driver": "v4l2", "device": self._device, **facts})


def _fresh(source: cv2.VideoCapture) -> bytes | None:
    """The first frame that no buffer held; None when the camera does not answer."""
    for _ in range(BUFFERED_FRAMES):
        began = time.monotonic()
        if not source.grab():
            return None
        if time.monotonic() - began > WAITED_SECONDS:
            return _retrieved(source)
    return _next(source)


def _next(source: cv2.VideoCapture) -> bytes | None:
    return _retrieved(source) if source.grab() else None


def _retrieved(source: cv2.VideoCapture) -> bytes | None:
    given, data = source.retrieve()
    return np.asarray(data, np.uint8).tobytes() if given else None


def _facts(source: cv2.VideoCapture) -> Facts:
    told = {name: source.get(what) for name, what in FACTS.items()}
    return {name: value for name, value in told.items() if value > 0}


if __name__ == "__main__":
    serve(lambda alive: V4l2Camera(sys.argv[1], alive))
