"""The two drivers of real cameras, over a library that does what it does when a part comes loose."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from firmware.capture import v4l2_camera
from firmware.capture.camera import CameraFault, Preview
from firmware.capture.picamera2_camera import FACTS, Picamera2Camera
from firmware.capture.shots import BURST_FRAMES
from firmware.capture.v4l2_camera import BUFFERED_FRAMES, V4l2Camera
from firmware.records import Frame


def picture(brightness: int) -> bytes:
    """A photograph of one grey, told apart by its brightness."""
    return cv2.imencode(".jpg", np.full((720, 1280, 3), brightness, np.uint8))[1].tobytes()


def brightness(preview: Preview | CameraFault) -> int:
    assert isinstance(preview, Preview)
    return round(float(preview.bgr.mean()))


def burst(shots: tuple[Frame, ...] | CameraFault) -> tuple[Frame, ...]:
    assert not isinstance(shots, CameraFault), shots
    assert len(shots) == BURST_FRAMES
    return shots


# --- Video4Linux


class Socket:
    """A USB socket with a camera in it, as OpenCV shows it. Full buffers are handed out at once, a fresh one is waited
    for."""

    def __init__(self, device: Path) -> None:
        self.device = device
        self.now = 0.0
        self.scene = 40
        self.buffered: list[bytes] = []
        self.given = b""
        self.opened = 0
        self.held = 0
        self.autofocus: list[float] = []
        self.grabs_left = sys.maxsize
        self.plug()

    def plug(self) -> None:
        self.device.touch()
        self.grabs_left = sys.maxsize

    def unplug(self) -> None:
        self.device.unlink()
        self.grabs_left = 0

    def wait(self) -> None:
        """Nobody asks for a while: the buffers fill with what lies there."""
        self.buffered = [picture(self.scene)] * BUFFERED_FRAMES

    # --- cv2.VideoCapture

    def open(self, device: str, _api: int) -> Socket:
        assert device == str(self.device)
        self.opened += 1
        self.held += 1
        return self

    def isOpened(self) -> bool:
        return self.device.exists()

    def set(self, what: int, value: float) -> bool:
        if what == cv2.CAP_PROP_AUTOFOCUS:
            self.autofocus.append(value)
        return True

    def get(self, what: int) -> float:
        return 156.0 if what == cv2.CAP_PROP_EXPOSURE else -1.0

    def grab(self) -> bool:
        self.grabs_left -= 1
        if self.grabs_left < 0:
            return False
        if self.buffered:
            self.given = self.buffered.pop()
        else:
            self.now += 1 / 30
            self.given = picture(self.scene)
        return True

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.frombuffer(self.given, np.uint8)[None]

    def release(self) -> None:
        self.held -= 1


@pytest.fixture
def usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Socket:
    socket = Socket(tmp_path / "video0")
    monkeypatch.setattr(cv2, "VideoCapture", socket.open)
    monkeypatch.setattr(v4l2_camera, "time", SimpleNamespace(monotonic=lambda: socket.now))
    return socket


def test_the_page_was_laid_down_while_nobody_looked(usb: Socket) -> None:
    camera = V4l2Camera(str(usb.device))
    usb.wait()
    usb.scene = 200
    assert brightness(camera.preview()) == 200
    usb.wait()
    usb.scene = 90
    shots = burst(camera.capture())
    assert {shot.data for shot in shots} == {picture(90)}
    assert usb.opened == 1


def test_a_usb_camera_refocuses_during_a_burst(usb: Socket) -> None:
    shots = burst(V4l2Camera(str(usb.device)).capture())
    assert usb.autofocus == [0, 1]
    assert [shot.facts["shot"] for shot in shots] == [0, 1, 2]
    assert all(shot.facts["exposure"] == 156.0 and "gain" not in shot.facts for shot in shots)


def test_the_usb_cable_is_pulled_out_during_a_burst(usb: Socket) -> None:
    camera = V4l2Camera(str(usb.device))
    assert brightness(camera.preview()) == 40
    usb.grabs_left = 2
    assert camera.capture() is CameraFault.GONE
    assert usb.held == 0
    usb.unplug()
    assert camera.preview() is CameraFault.GONE
    assert usb.opened == 1
    usb.plug()
    assert burst(camera.capture())
    assert usb.opened == 2
    camera.close()
    assert usb.held == 0


def test_every_frame_of_a_usb_burst_is_a_sign_of_life(usb: Socket) -> None:
    signs: list[None] = []
    burst(V4l2Camera(str(usb.device), lambda: signs.append(None)).capture())
    assert len(signs) > BURST_FRAMES


# --- the Raspberry Pi's


class AfState(IntEnum):
    """As libcamera numbers them."""

    Idle = 0
    Scanning = 1
    Focused = 2


class Ribbon:
    """A Pi's camera as picamera2 shows it: what is set takes effect some frames later, a frame comes or does not."""

    LAG = 5
    """Frames."""
    SCAN = 8
    """Frames that focusing takes."""

    def __init__(self, controls: tuple[str, ...]) -> None:
        self.camera_controls = dict.fromkeys(controls)
        self.sensor_resolution = (1280, 720)
        self.options: dict[str, int] = {}
        self.set_later: list[tuple[int, dict[str, Any]]] = []
        self.state: dict[str, Any] = {"AeEnable": True, "AfMode": "Continuous"}
        self.frames = 0
        self.focused_at = 0
        self.frames_left = sys.maxsize
        self.closed = False
        self.released = 0

    def create_still_configuration(self, **wanted: Any) -> dict[str, Any]:
        self.streams = wanted
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        assert configuration is self.streams

    def start(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def camera_configuration(self) -> dict[str, Any]:
        return self.streams

    def set_controls(self, controls: dict[str, Any]) -> None:
        assert set(controls) <= set(self.camera_controls)
        self.set_later.append((self.frames + self.LAG, controls))

    def _metadata(self) -> dict[str, Any]:
        self.frames += 1
        for at, controls in [entry for entry in self.set_later if entry[0] <= self.frames]:
            self.state |= controls
            self.set_later.remove((at, controls))
            if "AfTrigger" in controls:
                self.focused_at = self.frames + self.SCAN
        scanning = self.frames < self.focused_at
        exposure = 9000 + (self.frames if self.state["AeEnable"] else 0)
        lens = 5.0 + (self.frames if scanning or self.state["AfMode"] == "Continuous" else 0)
        state = AfState.Scanning if scanning else AfState.Focused
        return {"ExposureTime": exposure, "LensPosition": lens, "AfState": int(state), "FrameId": object()}

    def _job(self, result: Callable[[], Any]) -> Any:
        def get_result(timeout: float) -> Any:
            assert 0 < timeout < 3
            self.frames_left -= 1
            if self.frames_left < 0:
                raise TimeoutError
            return result()

        return SimpleNamespace(get_result=get_result)

    def capture_metadata(self, wait: bool) -> Any:
        assert wait is False
        return self._job(self._metadata)

    def capture_array(self, name: str, wait: bool) -> Any:
        assert (name, wait) == ("lores", False)
        width, height = self.streams["lores"]["size"]
        planes = np.full((height * 3 // 2, width + 64), 128, np.uint8)
        return self._job(lambda: planes)

    def capture_request(self, wait: bool) -> Any:
        assert wait is False
        return self._job(lambda: Request(self, self._metadata()))


class Request:
    """One frame of the large stream."""

    def __init__(self, camera: Ribbon, metadata: dict[str, Any]) -> None:
        self._camera = camera
        self._metadata = metadata

    def save(self, name: str, file: io.BytesIO, format: str) -> None:
        assert (name, format) == ("main", "jpeg")
        file.write(picture(100))

    def get_metadata(self) -> dict[str, Any]:
        return self._metadata

    def release(self) -> None:
        self._camera.released += 1


ALL = ("AeEnable", "AwbEnable", "AfMode", "AfTrigger", "FrameDurationLimits")


class Bench:
    """Picamera2Camera over one ribbon after another."""

    def __init__(self) -> None:
        self.ribbons = [Ribbon(ALL)]
        self.signs = 0
        self.missing = False
        bench = self

        class Driver(Picamera2Camera):
            def _open(self) -> Any:
                if bench.missing:
                    raise IndexError("list index out of range")
                return bench.ribbons[-1]

        self.camera = Driver(self._alive)

    def _alive(self) -> None:
        self.signs += 1


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch) -> Bench:
    modes = SimpleNamespace(Auto="Auto", Continuous="Continuous")
    controls = SimpleNamespace(AfModeEnum=modes, AfStateEnum=AfState, AfTriggerEnum=SimpleNamespace(Start="Start"))
    monkeypatch.setitem(sys.modules, "libcamera", SimpleNamespace(controls=controls))
    return Bench()


def test_the_lens_hunts_and_the_light_flickers_during_a_burst(pi: Bench) -> None:
    shots = burst(pi.camera.capture())
    assert len({(shot.facts["ExposureTime"], shot.facts["LensPosition"]) for shot in shots}) == 1
    assert all(shot.facts["AfState"] == AfState.Focused for shot in shots)
    assert set(shots[0].facts) <= {"driver", "shot", *FACTS}
    assert pi.ribbons[0].released == BURST_FRAMES
    pi.ribbons[0]._metadata()
    for _ in range(Ribbon.LAG):
        pi.ribbons[0]._metadata()
    assert pi.ribbons[0].state["AeEnable"] is True
    assert pi.ribbons[0].state["AfMode"] == "Continuous"


def test_a_camera_without_a_focus_motor(pi: Bench) -> None:
    pi.ribbons = [Ribbon(("AeEnable", "AwbEnable", "FrameDurationLimits"))]
    shots = burst(pi.camera.capture())
    assert len({shot.facts["ExposureTime"] for shot in shots}) == 1


def test_the_preview_has_longer_rows_than_it_shows(pi: Bench) -> None:
    shown = pi.camera.preview()
    assert isinstance(shown, Preview)
    assert shown.bgr.shape == (540, 960, 3)


@pytest.mark.parametrize("frames", [0, 1, 7, 14])
def test_the_camera_frontend_times_out(pi: Bench, frames: int) -> None:
    """Libcamera logs it and gives no frame any more."""
    pi.camera.preview()
    pi.ribbons[0].frames_left = frames
    assert pi.camera.capture() is CameraFault.HUNG


def test_the_ribbon_is_loose_when_the_kiosk_starts(pi: Bench) -> None:
    pi.missing = True
    assert pi.camera.preview() is CameraFault.GONE
    assert pi.camera.capture() is CameraFault.GONE
    pi.missing = False
    assert burst(pi.camera.capture())
    pi.camera.close()
    assert pi.ribbons[0].closed
    assert pi.camera.capture() is CameraFault.GONE


def test_every_frame_while_the_lens_moves_is_a_sign_of_life(pi: Bench) -> None:
    burst(pi.camera.capture())
    assert pi.signs > Ribbon.SCAN + BURST_FRAMES
