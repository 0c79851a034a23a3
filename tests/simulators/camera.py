"""A simulated camera over a desk with sheets of paper: pictures in a folder, one of them under the lens.

It takes time like a camera, gives the untouched bytes of a JPEG, and can be unplugged. Desk and camera speak
through the folder, so that they may live in two processes: `NAME.jpg` are the sheets, `under-camera` names one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.picture import frame_from_bytes, glance
from firmware.records import Frame, RefusedPage

EXTRA = "extra-"
"""Names of sheets that are not part of the stack, to be put under the camera by hand only."""


class Desk:
    """The sheets, in the order of their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lens = folder / "under-camera"

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
        beside = self._lens.with_suffix(".new")
        beside.write_text(name, encoding="utf-8")
        beside.replace(self._lens)

    def put_next(self) -> None:
        """Puts the next sheet of the stack under the camera, as a person does after each picture."""
        stack = [name for name in self.sheets() if not name.startswith(EXTRA)]
        now = self.under_camera()
        self.put(stack[(stack.index(now) + 1) % len(stack)] if now in stack else stack[0])


class SimulatedCamera:
    """A camera over `desk`; `helping_hand` puts the next sheet under it after each picture."""

    def __init__(self, desk: Desk, seconds: float = 0.4, helping_hand: bool = False) -> None:
        self.unplugged = False
        self._desk = desk
        self._seconds = seconds
        self._helping_hand = helping_hand
        self._previews = 0

    def preview(self) -> Preview | CameraFault:
        """The sheet under the camera, small."""
        if self.unplugged:
            return CameraFault.GONE
        name = self._desk.under_camera()
        small = glance(frame_from_bytes((self._desk.folder / name).read_bytes(), name), PREVIEW_SIDE)
        if isinstance(small, RefusedPage):
            return CameraFault.GARBAGE
        self._previews += 1
        return Preview(small, self._previews)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """The sheet under the camera."""
        time.sleep(self._seconds)
        if self.unplugged:
            return CameraFault.GONE
        name = self._desk.under_camera()
        data = (self._desk.folder / name).read_bytes()
        if self._helping_hand:
            self._desk.put_next()
        return (frame_from_bytes(data, name, {"driver": "simulator"}),)

    def close(self) -> None:
        """Nothing to let go of."""
