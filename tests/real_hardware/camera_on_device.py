"""The contract of every camera, and what only a real one can show. Run by `python -m tests.real_hardware`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from firmware.capture.camera import CameraFault
from firmware.capture.camera_process import ProcessCamera
from firmware.records import Frame
from tests.camera_contract import CameraContract, first_preview

PREVIEW_SECONDS = 5.0
"""How long previews are counted."""
LEAST_RATE = 5.0
"""Previews a second that the screen needs."""
PRESSES = 10
HELD = ("ExposureTime", "AnalogueGain", "LensPosition", "focus")
"""Facts that must not change within a burst, where the driver tells them."""


@pytest.fixture
def camera(program: list[str]) -> Iterator[ProcessCamera]:
    """A fresh process for every test; `program` comes from the command line."""
    opened = ProcessCamera(program)
    yield opened
    opened.close()


class TestDevice(CameraContract):
    """As every camera."""


def pressed(camera: ProcessCamera) -> tuple[Frame, ...]:
    shots = camera.capture()
    assert not isinstance(shots, CameraFault), shots
    return shots


def test_the_live_view_stutters(camera: ProcessCamera, record_property: Any) -> None:
    first = first_preview(camera).number
    until = time.monotonic() + PREVIEW_SECONDS
    while time.monotonic() < until:
        camera.preview()
    rate = (first_preview(camera).number - first) / PREVIEW_SECONDS
    record_property("previews_per_second", rate)
    assert rate >= LEAST_RATE


def test_a_page_after_another_is_taken(camera: ProcessCamera, record_property: Any) -> None:
    seconds = []
    for _ in range(PRESSES):
        began = time.monotonic()
        pressed(camera)
        seconds.append(time.monotonic() - began)
    record_property("seconds_to_the_first_picture", seconds[0])
    record_property("longest_seconds_of_a_later_press", max(seconds[1:]))


def test_exposure_and_focus_change_within_a_burst(camera: ProcessCamera, record_property: Any) -> None:
    first_preview(camera)
    shots = pressed(camera)
    for number, shot in enumerate(shots):
        record_property(f"facts_{number}", dict(shot.facts))
    for fact in HELD:
        assert len({shot.facts[fact] for shot in shots if fact in shot.facts}) <= 1, fact


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_the_driver_is_struck_and_the_next_process_gets_the_device(
    camera: ProcessCamera, blow: signal.Signals, record_property: Any
) -> None:
    pressed(camera)
    assert camera.pid is not None
    os.kill(camera.pid, blow)
    began = time.monotonic()
    camera.capture()
    pressed(camera)
    record_property("seconds_to_a_picture_again", time.monotonic() - began)
