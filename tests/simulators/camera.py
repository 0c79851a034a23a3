"""A simulated camera over a desk with sheets of paper: pictures in a folder, one of them under the lens.

It takes time like a camera, gives the untouched bytes of a JPEG, and fails as cameras do when it is told to. Desk and
camera speak through the folder, so that they may live in two processes: `NAME.jpg` are the sheets, `under-camera`
names one, `trouble` says what goes wrong next.

    python -m tests.simulators.camera FOLDER SECONDS HELPING-HAND BURST STEADY SOCKET MEMORY

serves it as a camera's own process.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from firmware.capture.camera import CameraFault, Preview
from firmware.capture.camera_programs import started
from firmware.capture.camera_worker import SignOfLife, serve
from firmware.capture.picture import frame_from_bytes
from firmware.capture.shots import BURST_FRAMES, judge, preview_of
from firmware.records import Frame

EXTRA = "extra-"
"""Names of sheets that are not part of the stack, to be put under the camera by hand only."""
FOREVER_SECONDS = 24 * 3600
SLOW_STEPS = 10
"""Times as long as usual, with a sign of life after each."""


class Trouble(StrEnum):
    """What can go wrong with the camera."""

    HANG = "hang"
    """A capture never comes back, and nothing else in its process runs either."""
    HANG_IN_PREVIEW = "hang-in-preview"
    EXIT = "exit"
    """The process ends in the middle of a capture."""
    SEGFAULT = "segfault"
    GARBAGE = "garbage"
    """Half a JPEG."""
    BLACK = "black"
    """Somebody covers the lens."""
    UNPLUGGED = "unplugged"
    SLOW = "slow"
    """A capture takes ten times as long, with signs of life."""


class Desk:
    """The sheets, in the order of their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lens = folder / "under-camera"
        self._trouble = folder / "trouble"

    @classmethod
    def lay_out(cls, folder: Path, stack: Sequence[tuple[str, bytes]], extra: Sequence[tuple[str, bytes]] = ()) -> Desk:
        """A desk with a stack of sheets, the first of them under the camera, and some more sheets beside it."""
        folder.mkdir(parents=True)
        for number, (name, data) in enumerate(stack, 1):
            (folder / f"{number:02d}-{name}").write_bytes(data)
        for name, data in extra:
            (folder / f"{EXTRA}{name}").write_bytes(data)
        desk = cls(folder)
        desk.put(desk.sheets()[0])
        return desk

    def sheets(self) -> list[str]:
        """All names; those beside the stack last."""
        return sorted(path.name for path in self.folder.glob("*.jpg"))

    def under_camera(self) -> str:
        """The name of the sheet that the camera sees."""
        return self._lens.read_text(encoding="utf-8")

    def put(self, name: str) -> None:
        """Puts a sheet under the camera."""
        if name not in self.sheets():
            raise KeyError(name)
        self._write(self._lens, name)

    def put_next(self) -> None:
        """Puts the next sheet of the stack under the camera, as a person does after each picture."""
        stack = [name for name in self.sheets() if not name.startswith(EXTRA)]
        now = self.under_camera()
        self.put(stack[(stack.index(now) + 1) % len(stack)] if now in stack else stack[0])

    def trouble(self, what: Trouble, times: int = 1) -> None:
        """The next `times` captures (or previews, where it is theirs) go wrong."""
        self._write(self._trouble, f"{what} {times}")

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self._trouble.unlink(missing_ok=True)

    def troubled(self, *among: Trouble, once: bool = True) -> Trouble | None:
        """What goes wrong now, when it is one of `among`; `once` counts it."""
        try:
            name, left = self._trouble.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return None
        if name not in among:
            return None
        if once and int(left) <= 1:
            self.mend()
        elif once:
            self.trouble(Trouble(name), int(left) - 1)
        return Trouble(name)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        beside = path.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


class SimulatedCamera:
    """A camera over `desk`; `helping_hand` puts the next sheet under it after each capture.

    A burst has `burst` frames. Each has the sheet's own bytes; an unsteady hand leaves them to the middle frame alone
    and blurs the others.
    """

    def __init__(
        self,
        desk: Desk,
        seconds: float = 0.4,
        helping_hand: bool = False,
        burst: int = BURST_FRAMES,
        steady: bool = True,
        alive: SignOfLife = lambda: None,
    ) -> None:
        self._desk = desk
        self._seconds = seconds
        self._helping_hand = helping_hand
        self._burst = burst
        self._steady = steady
        self._alive = alive
        self._closed = False
        self._previews = 0

    def preview(self) -> Preview | CameraFault:
        """The sheet under the camera, small."""
        if self._gone():
            return CameraFault.GONE
        if self._desk.troubled(Trouble.HANG_IN_PREVIEW):
            _hang()
        self._previews += 1
        name, data = self._sheet()
        return preview_of(frame_from_bytes(data, name), self._previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """A burst of the sheet under the camera."""
        if self._gone():
            return CameraFault.GONE
        trouble = self._desk.troubled(*CAPTURE_TROUBLES)
        for _ in range(SLOW_STEPS if trouble is Trouble.SLOW else 1):
            time.sleep(self._seconds)
            self._alive()
        _break_down(trouble)
        name, data = self._sheet()
        if trouble is Trouble.GARBAGE:
            data = data[: len(data) // 2]
        shots = [data if self._steady or n == self._burst // 2 else _shaken(data) for n in range(self._burst)]
        if self._helping_hand and trouble not in (Trouble.GARBAGE, Trouble.BLACK):
            self._desk.put_next()
        return judge([frame_from_bytes(shot, name, {"driver": "simulator", "shot": n}) for n, shot in enumerate(shots)])

    def close(self) -> None:
        """It is gone from then on."""
        self._closed = True

    def _gone(self) -> bool:
        return self._closed or self._desk.troubled(Trouble.UNPLUGGED, once=False) is not None

    def _sheet(self) -> tuple[str, bytes]:
        name = self._desk.under_camera()
        covered = self._desk.troubled(Trouble.BLACK, once=False) is not None
        return name, _black() if covered else (self._desk.folder / name).read_bytes()


CAPTURE_TROUBLES = (Trouble.HANG, Trouble.EXIT, Trouble.SEGFAULT, Trouble.GARBAGE, Trouble.SLOW)


def _break_down(trouble: Trouble | None) -> None:
    match trouble:
        case Trouble.HANG:
            _hang()
        case Trouble.EXIT:
            os._exit(3)
        case Trouble.SEGFAULT:
            ctypes.string_at(0)


def _hang() -> None:
    """As a driver does: in C, without letting any other Python code of the process run."""
    ctypes.PyDLL(None).sleep(FOREVER_SECONDS)


def patchwork(seed: int, width: int = 1600, height: int = 1200) -> bytes:
    """A photograph (JPEG) of something that is no form: coloured patches, soft at their edges."""
    patches = np.random.default_rng(seed).integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.resize(patches, (width, height)))[1].tobytes()


def _black() -> bytes:
    """A covered lens: nothing but a little noise."""
    noise = np.random.default_rng(0).integers(0, 8, (900, 1200, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def _shaken(data: bytes) -> bytes:
    """The picture as a moving hand gives it."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return cv2.imencode(".jpg", cv2.blur(picture, (9, 3)))[1].tobytes()


def command(
    desk: Desk, seconds: float = 0.4, helping_hand: bool = False, burst: int = BURST_FRAMES, steady: bool = True
) -> list[str]:
    """The program of a process with this camera, for ProcessCamera."""
    options = (desk.folder.absolute(), seconds, int(helping_hand), burst, int(steady))
    return started("tests.simulators.camera", *map(str, options))


def main() -> None:
    """Serves the camera that `command` names."""
    folder, seconds, helping_hand, burst, steady = sys.argv[1:6]
    desk = Desk(Path(folder))
    serve(
        lambda alive: SimulatedCamera(
            desk, float(seconds), bool(int(helping_hand)), int(burst), bool(int(steady)), alive
        )
    )


if __name__ == "__main__":
    main()
