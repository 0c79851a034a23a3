"""libcamera's `virtual` camera through our driver: real libcamera and picamera2, and a photograph as the sensor.

Run by libcamera_virtual.sh inside its Debian. The camera gives NV12 alone and knows neither exposure nor focus, and
picamera2 expects raw modes of it. What differs from a Pi is in this file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.simulators.camera import patchwork

SIZE = (1600, 1200)
SMALL = (960, 720)
FOLDER = Path("/virtual")
PIPELINE = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
CAMERAS = f"""%YAML 1.1
---
"Virtual0":
  supported_formats:
  - {{width: {SIZE[0]}, height: {SIZE[1]}, frame_rates: [30, 30]}}
  - {{width: {SMALL[0]}, height: {SMALL[1]}, frame_rates: [30, 30]}}
  frames: {{path: "{FOLDER}/sheet.jpg"}}
  location: "CameraLocationFront"
  model: "Virtual camera of the tests"
...
"""
NO_DISPLAY = '''"""picamera2 imports this for its windows, of which the tests open none."""


class _Formats(type):
    def __getattr__(cls, name):
        return name


class PixelFormat(metaclass=_Formats):
    pass
'''


def prepare() -> None:
    """Writes what the camera shows and is."""
    (FOLDER / "sheet.jpg").write_bytes(patchwork(1, *SIZE))
    PIPELINE.write_text(CAMERAS, encoding="utf-8")
    site = next(Path(folder) for folder in sys.path if folder.startswith("/venv") and folder.endswith("site-packages"))
    (site / "pykms.py").write_text(NO_DISPLAY, encoding="utf-8")


def open_virtual() -> Any:
    """The camera, with the sizes of its pictures in the place of raw modes."""
    import libcamera
    from picamera2 import Picamera2
    from picamera2.allocators import LibcameraAllocator

    class VirtualPicamera2(Picamera2):  # type: ignore[misc]
        def _get_raw_modes(self) -> list[dict[str, Any]]:
            found = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
            sizes = [(str(pixel), size) for pixel in found.pixel_formats for size in found.sizes(pixel)]
            return [{"format": name, "size": (size.width, size.height)} for name, size in sizes]

    camera = VirtualPicamera2()
    camera.allocator = LibcameraAllocator(camera.camera)
    return camera


def main() -> None:
    """Serves the camera to a kiosk."""
    from firmware.capture.camera_worker import serve
    from firmware.capture.picamera2_camera import Picamera2Camera

    class VirtualCamera(Picamera2Camera):
        photograph, preview_stream = "NV12", "NV12"

        def _open(self) -> Any:
            return open_virtual()

    serve(VirtualCamera)


if __name__ == "__main__":
    prepare() if sys.argv[1:] == ["--prepare"] else main()
