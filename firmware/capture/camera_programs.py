"""The programs that serve a camera: one for each driver that a configuration can name."""

from __future__ import annotations

import sys

from firmware.config import CameraConfig, CameraDriver


def camera_program(camera: CameraConfig) -> list[str]:
    """For ProcessCamera."""
    match camera.driver:
        case CameraDriver.PICAMERA2:
            return started("firmware.capture.picamera2_camera")
        case CameraDriver.V4L2:
            return started("firmware.capture.v4l2_camera", camera.device)


def started(module: str, *options: str) -> list[str]:
    """The program of a driver's module."""
    return [sys.executable, "-m", "firmware.capture.camera_start", module, *options]
