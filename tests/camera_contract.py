"""What every camera does: simulators in the test suite, real ones by tests/real_hardware."""

from __future__ import annotations

import hashlib
import time

from firmware.capture.camera import PREVIEW_SIDE, Camera, CameraFault, Preview
from firmware.capture.picture import decode
from firmware.records import RefusedPage

FIRST_PREVIEW_SECONDS = 30.0
"""A camera's process starts and opens its device meanwhile."""


def first_preview(camera: Camera) -> Preview:
    """The first one; TIMEOUT says that there is none yet."""
    until = time.monotonic() + FIRST_PREVIEW_SECONDS
    while (preview := camera.preview()) is CameraFault.TIMEOUT and time.monotonic() < until:
        time.sleep(0.01)
    assert isinstance(preview, Preview), preview
    return preview


class CameraContract:
    """Subclasses give the fixture `camera`: one that works, over something that can be seen."""

    def test_the_screen_asks_for_previews(self, camera: Camera) -> None:
        numbers = [first_preview(camera).number for _ in range(5)]
        assert numbers == sorted(numbers)
        assert numbers[-1] > numbers[0]
        picture = first_preview(camera).bgr
        assert picture.dtype == "uint8"
        assert picture.shape[2] == 3
        assert PREVIEW_SIDE // 4 <= max(picture.shape) <= PREVIEW_SIDE

    def test_the_button_is_pressed(self, camera: Camera) -> None:
        shots = camera.capture()
        assert not isinstance(shots, CameraFault), shots
        assert shots
        for shot in shots:
            assert not isinstance(decode(shot), RefusedPage)
            assert shot.sha256 == hashlib.sha256(shot.data).hexdigest()
            assert shot.facts["driver"]

    def test_the_button_is_pressed_between_previews(self, camera: Camera) -> None:
        before = first_preview(camera)
        assert not isinstance(camera.capture(), CameraFault)
        after = first_preview(camera)
        assert after.number > before.number
        assert after.bgr.shape == before.bgr.shape

    def test_a_photograph_is_larger_than_its_preview(self, camera: Camera) -> None:
        small, shots = first_preview(camera).bgr, camera.capture()
        assert not isinstance(shots, CameraFault), shots
        large = decode(shots[0])
        assert not isinstance(large, RefusedPage)
        assert max(large.shape) > max(small.shape)

    def test_a_closed_camera_is_asked(self, camera: Camera) -> None:
        camera.close()
        camera.close()
        assert camera.preview() is CameraFault.GONE
        assert camera.capture() is CameraFault.GONE
