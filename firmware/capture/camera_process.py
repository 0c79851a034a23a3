"""A camera in a process of its own: whatever happens there, the kiosk gets an answer in bounded time.

A driver may hang in the kernel, crash in C, or answer nonsense. Its process then is killed, at most 3 s after its last
sign of life, and a fresh one is started, which opens the camera at the next request. When the kiosk itself is killed,
the kernel ends the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import structlog

from firmware.capture.camera import PREVIEW_SIDE, CameraFault, Preview
from firmware.capture.camera_child import Child, Patience, Useless
from firmware.capture.camera_wire import Answer, Request, Shown, Taken
from firmware.capture.picture import frame_from_bytes
from firmware.records import Frame

STALE_SECONDS = 0.5
"""A preview that was asked for longer ago and lay there unread shows what was on the desk then."""

_CURED_BY_A_NEW_PROCESS = frozenset({CameraFault.HUNG, CameraFault.CRASHED, CameraFault.TIMEOUT})
"""After these a driver is not trusted again; the others say something about cable, lens or light."""

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class ProcessCamera:
    """The camera that the program `command` serves (see camera_worker), as a Camera. Threads may share it."""

    def __init__(self, command: Sequence[str], patience: Patience | None = None) -> None:
        self._command = tuple(command)
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._closed = False
        self._rests_until = 0.0
        self._awaited: int | None = None
        self._shown = 0
        self._latest: Preview | None = None
        self._child: Child | None = None
        with self._lock:
            self._start()

    @property
    def pid(self) -> int | None:
        """The camera's process now."""
        child = self._child
        return child.pid if child else None

    # --- what a Camera does -----------------------------------------------------------------------------------------

    def preview(self) -> Preview | CameraFault:
        """The latest small picture. During a capture, the last one before it; TIMEOUT while there is none yet."""
        if not self._lock.acquire(timeout=self._patience.preview):
            return self._latest or CameraFault.TIMEOUT
        try:
            resting = time.monotonic() < self._rests_until and not self._closed
            return CameraFault.TIMEOUT if resting else self._tried(self._preview)
        finally:
            self._lock.release()

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        """One burst: the driver's frames, their bytes hashed on this side."""
        with self._lock:
            return self._tried(self._capture)

    def close(self) -> None:
        """Ends the process for good, also in the middle of a capture."""
        self._closed = True
        child = self._child
        if child is not None:
            child.end()
        with self._lock:
            self._stop()

    # --- asking -----------------------------------------------------------------------------------------------------

    def _tried(self, work: Callable[[Child], _T | CameraFault]) -> _T | CameraFault:
        """What `work` brings; where the process turns out to be of no use, why, and a fresh process."""
        if self._closed:
            return CameraFault.GONE
        try:
            return work(self._usable())
        except Useless as end:
            return self._replace(end)

    def _preview(self, child: Child) -> Preview | CameraFault:
        self._drop_what_lay_there(child)
        if self._awaited is None:
            self._awaited = child.ask(Request.PREVIEW)
        answer = child.answer(self._awaited, self._patience.preview)
        if answer is None:
            return self._latest or CameraFault.TIMEOUT
        self._awaited = None
        if not isinstance(answer, Shown):
            return _refusal(answer)
        self._shown += 1
        self._latest = Preview(_picture(child, answer), self._shown)
        return self._latest

    def _drop_what_lay_there(self, child: Child) -> None:
        """Forgets the awaited preview when it was answered in the meantime, too long ago to show it now."""
        if self._awaited is None:
            return
        asked = child.awaited.get(self._awaited)
        if asked is None or (time.monotonic() - asked > STALE_SECONDS and child.answer(self._awaited, 0) is not None):
            self._awaited = None

    def _capture(self, child: Child) -> tuple[Frame, ...] | CameraFault:
        child.wait_until_ready()
        answer = child.answer(child.ask(Request.CAPTURE), self._patience.capture)
        if answer is None:
            raise Useless(CameraFault.TIMEOUT, "alive, but without a picture")
        return _frames(child, answer) if isinstance(answer, Taken) else _refusal(answer)

    # --- one process after another ----------------------------------------------------------------------------------

    def _usable(self) -> Child:
        """The process, or a fresh one where it ended while nobody waited for it. Raises Useless."""
        if self._child is not None and self._child.ended:
            self._replace(Useless(CameraFault.CRASHED, "ended meanwhile"))
        if self._child is None:
            self._start()
        if self._child is None:
            raise Useless(CameraFault.CRASHED, "cannot be started")
        return self._child

    def _replace(self, end: Useless) -> CameraFault:
        if self._closed:
            return CameraFault.GONE
        self._rests_until = time.monotonic() + self._patience.rest
        _log.warning("camera.replaced", fault=str(end.fault), why=end.why, process=self.pid)
        self._stop()
        self._start()
        return end.fault

    def _start(self) -> None:
        """A process that waits to be asked; it opens the camera with the first request."""
        try:
            self._child = Child(self._command, self._patience)
        except OSError as problem:  # no memory or no descriptors: the next request tries again
            _log.error("camera.not-started", problem=str(problem))

    def _stop(self) -> None:
        child, self._child = self._child, None
        self._awaited, self._latest = None, None
        if child is not None:
            child.kill()


def _refusal(answer: Answer) -> CameraFault:
    """The fault that was answered. Raises Useless when a fresh process is its cure."""
    if isinstance(answer, Shown | Taken):
        raise Useless(CameraFault.CRASHED, "answered what was not asked")
    if answer.fault in _CURED_BY_A_NEW_PROCESS:
        raise Useless(answer.fault, "so its driver says")
    return answer.fault


def _picture(child: Child, shown: Shown) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    height, width = shown.height, shown.width
    if not (0 < height <= PREVIEW_SIDE and 0 < width <= PREVIEW_SIDE):
        raise Useless(CameraFault.CRASHED, f"a preview of {width} x {height}")
    return np.frombuffer(child.window.get(0, height * width * 3), np.uint8).reshape(height, width, 3)


def _frames(child: Child, taken: Taken) -> tuple[Frame, ...]:
    try:
        frames = [
            frame_from_bytes(child.window.get(shot.at, shot.length), shot.name, shot.facts) for shot in taken.shots
        ]
    except ValueError as problem:
        raise Useless(CameraFault.CRASHED, str(problem)) from problem
    if not frames:
        raise Useless(CameraFault.CRASHED, "a burst without frames")
    return tuple(frames)
