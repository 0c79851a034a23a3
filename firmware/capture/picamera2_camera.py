"""The Raspberry Pi camera through picamera2 (BSD-2-Clause); imported only when this driver is opened.

The sensor runs between pictures, so that exposure and white balance have settled when the button is pressed. A
picture is waited for with a deadline; a driver that hangs below its own event loop is not survived here.
"""

from __future__ import annotations

import io
from typing import Any

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.picture import frame_from_bytes, glance
from firmware.records import Frame, RefusedPage

TIMEOUT_SECONDS = 5.0
"""Longest wait for one picture: ten times what a 12-megapixel still takes."""
JPEG_QUALITY = 92
"""Pen strokes keep their edges; 12 megapixels stay below 6 MB."""
FACTS = ("ExposureTime", "AnalogueGain", "LensPosition", "Lux", "ColourTemperature", "FocusFoM", "SensorTimestamp")
"""Metadata of the frame that goes into the record; microseconds, gain, dioptres, lux, kelvin, nanoseconds."""


class Picamera2Camera:
    """The first camera that libcamera finds; opened at the first picture and after every fault."""

    def __init__(self) -> None:
        self._camera: Any = None
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
        data = io.BytesIO()
        try:
            camera = self._running()
            job = camera.capture_file(data, format="jpeg", wait=False)
            metadata = job.get_result(timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            self.close()
            return CameraFault.TIMEOUT
        except (RuntimeError, IndexError, OSError):  # what picamera2 raises when a camera is not there, or leaves
            self.close()
            return CameraFault.GONE
        facts = {key: metadata[key] for key in FACTS if isinstance(metadata.get(key), int | float)}
        return (frame_from_bytes(data.getvalue(), "picamera2", {"driver": "picamera2", **facts}),)

    def _running(self) -> Any:
        from picamera2 import Picamera2

        if self._camera is None:
            camera = Picamera2()
            camera.options["quality"] = JPEG_QUALITY
            camera.configure(camera.create_still_configuration())
            camera.start()
            self._camera = camera
        return self._camera

    def close(self) -> None:
        """Lets go of the sensor; the next picture opens it again."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
