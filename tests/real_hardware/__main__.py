"""`python -m tests.real_hardware`: the camera of this device, by the same tests as the simulator.

Exit code and JUnit XML are pytest's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from firmware.capture.camera_programs import camera_program
from firmware.config import CameraConfig, CameraDriver


class _Chosen:
    """Gives the tests the camera that the command line names."""

    def __init__(self, program: list[str]) -> None:
        self._program = program

    @pytest.fixture
    def program(self) -> list[str]:
        """What serves the camera."""
        return self._program


@click.command()
@click.option("--camera", type=click.Choice([str(driver) for driver in CameraDriver]), default="picamera2")
@click.option("--device", default="/dev/video0", show_default=True, help="With v4l2.")
@click.option("--program", help="Another program that serves a camera, with its options, instead.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Results as JUnit XML.")
def main(camera: str, device: str, program: str | None, junit: Path | None) -> None:
    """Try the camera of this device."""
    served = program.split() if program else camera_program(CameraConfig(CameraDriver(camera), device))
    tests = [str(Path(__file__).with_name("camera_on_device.py"))]
    options = ["-v", "-o", "addopts=", "-o", "junit_family=xunit1", *([f"--junit-xml={junit}"] if junit else [])]
    sys.exit(pytest.main([*tests, *options], plugins=[_Chosen(served)]))


if __name__ == "__main__":
    main()
