"""The Raspberry Pi camera through picamera2 (BSD-2-Clause); imported only in the camera's own process.

    python -m firmware.capture.picamera2_camera SOCKET MEMORY

The sensor runs all the time at full resolution with a small second stream for previews, so that a press changes no
mode and exposure has settled. For a burst, exposure and white balance are held as they are, the lens focuses once and
stays; between presses it follows. A ribbon that comes loose ends the frames ("Camera frontend has timed out"): no
frame within FRAME_SECONDS is a hang, which is cured by a new process.
"""

from __future__ import annotations

import io
import time
from typing import Any

import cv2
import numpy as np

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.camera_worker import SignOfLife, serve
from firmware.capture.picture import Color, frame_from_bytes
from firmware.capture.shots import BURST_FRAMES, judge
from firmware.records import Frame

FRAME_SECONDS = 2.0
"""Longest wait for one frame: sixteen of the slowest ones, and less than the silence that the kiosk allows."""
SLOWEST_FRAME_US = 125_000
"""Microseconds of a frame in the dark: previews stay at eight a second, and a hand's shake stays small."""
BUFFERS = 3
"""Of 12 megapixels, 36 MB each: one fills, one waits, one is being encoded."""
SETTLE_FRAMES = BUFFERS + 3
"""Controls take effect behind the frames that are queued and two of the sensor's own."""
FOCUS_SECONDS = 4.0
"""Phase detection takes under one; searching by contrast in the dark up to three."""
JPEG_QUALITY = 92
"""Pen strokes keep their edges; 12 megapixels stay below 6 MB."""
FACTS = (
    "ExposureTime",
    "AnalogueGain",
    "LensPosition",
    "AfState",
    "Lux",
    "ColourTemperature",
    "FocusFoM",
    "SensorTimestamp",
)
"""Metadata of a frame for the record; microseconds, gain, dioptres, 0-3, lux, kelvin, figure of merit, nanoseconds."""
FOLLOW: dict[str, Any] = {"AeEnable": True, "AwbEnable": True}
HOLD: dict[str, Any] = {"AeEnable": False, "AwbEnable": False}
"""Exposure and white balance go with the light, or stay what they are."""
TO_BGR = {"YUV420": cv2.COLOR_YUV2BGR_I420, "NV12": cv2.COLOR_YUV2BGR_NV12}

_GONE = (RuntimeError, IndexError, OSError)
"""What picamera2 raises when a camera is not there, or leaves."""


class Picamera2Camera:
    """The first camera that libcamera finds; opened at the first request and after it was gone."""

    photograph, preview_stream = "BGR888", "YUV420"
    """Formats of the two streams: what JPEG is made of, and what the Pi 4 can give as a second stream."""

    def __init__(self, alive: SignOfLife = lambda: None) -> None:
        self._alive = alive
        self._camera: Any = None
        self._closed = False
        self._previews = 0

    def preview(self) -> Preview | CameraFault:
        """The next frame of the small stream."""
        try:
            camera = self._running()
            array = _waited(camera.capture_array("lores", wait=False))
        except TimeoutError:
            return CameraFault.HUNG
        except _GONE:
            return self._lost()
        self._previews += 1
        return Preview(_bgr(array, camera.camera_configuration()["lores"]), self._previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """Holds exposure, focuses, takes a burst, and lets the camera follow again."""
        try:
            camera = self._running()
            self._hold(camera)
            frames = [self._shoot(camera, number) for number in range(BURST_FRAMES)]
            self._set(camera, {**FOLLOW, **_focus("Continuous")})
        except TimeoutError:
            return CameraFault.HUNG
        except _GONE:
            return self._lost()
        return judge(frames)

    def close(self) -> None:
        """Lets go of the sensor, for good."""
        self._closed = True
        self._lost()

    def _shoot(self, camera: Any, number: int) -> Frame:
        """One frame at full resolution, as JPEG."""
        request = _waited(camera.capture_request(wait=False))
        try:
            data = io.BytesIO()
            request.save("main", data, format="jpeg")
            metadata = request.get_metadata()
        finally:
            request.release()
        self._alive()
        facts = {key: metadata[key] for key in FACTS if isinstance(metadata.get(key), int | float)}
        return frame_from_bytes(data.getvalue(), "picamera2", {"driver": "picamera2", "shot": number, **facts})

    def _hold(self, camera: Any) -> None:
        """Waits until the camera holds exposure and focus; every frame that comes meanwhile is a sign of life."""
        from libcamera import controls

        self._set(camera, {**HOLD, **_focus("Auto"), "AfTrigger": controls.AfTriggerEnum.Start})
        until, frames = time.monotonic() + FOCUS_SECONDS, 0
        while frames < SETTLE_FRAMES or time.monotonic() < until:
            state = _waited(camera.capture_metadata(wait=False)).get("AfState")
            self._alive()
            frames += 1
            if frames >= SETTLE_FRAMES and state != int(controls.AfStateEnum.Scanning):
                break

    def _set(self, camera: Any, controls: dict[str, Any]) -> None:
        """Those that this camera has."""
        camera.set_controls({name: value for name, value in controls.items() if name in camera.camera_controls})

    def _running(self) -> Any:
        if self._closed:
            raise RuntimeError("closed")
        if self._camera is None:
            self._alive()
            self._camera = camera = self._open()
            self._alive()
            camera.options["quality"] = JPEG_QUALITY
            camera.configure(self._configuration(camera))
            camera.start()
            self._set(camera, {**FOLLOW, **_focus("Continuous")})
            self._alive()
        return self._camera

    def _open(self) -> Any:
        from picamera2 import Picamera2

        return Picamera2()

    def _configuration(self, camera: Any) -> Any:
        """Stills at the sensor's full size, with the small stream beside."""
        width, height = camera.sensor_resolution
        factor = PREVIEW_SIDE / max(width, height)
        small = tuple(int(side * factor) // 2 * 2 for side in (width, height))
        limits = {"FrameDurationLimits": (100, SLOWEST_FRAME_US)}
        return camera.create_still_configuration(
            main={"size": (width, height), "format": self.photograph},
            lores={"size": small, "format": self.preview_stream},
            controls={name: value for name, value in limits.items() if name in camera.camera_controls},
            buffer_count=BUFFERS,
        )

    def _lost(self) -> CameraFault:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
        return CameraFault.GONE


def _focus(mode: str) -> dict[str, Any]:
    from libcamera import controls

    return {"AfMode": getattr(controls.AfModeEnum, mode)}


def _waited(job: Any) -> Any:
    """Raises TimeoutError, and whatever the job raised."""
    return job.get_result(timeout=FRAME_SECONDS)


def _bgr(yuv: Any, stream: dict[str, Any]) -> Color:
    """From planes (3/2 height, stride), whose rows may be longer than the picture."""
    width, height = stream["size"]
    picture = cv2.cvtColor(np.asarray(yuv, np.uint8), TO_BGR[stream["format"]])
    return np.ascontiguousarray(picture[:height, :width], dtype=np.uint8)


if __name__ == "__main__":
    serve(Picamera2Camera)
