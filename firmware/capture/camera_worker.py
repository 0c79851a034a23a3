"""The camera's own process: it alone holds the device, does what it is asked, and is killed when it falls silent.

A driver module serves itself: `serve(lambda alive: Driver(..., alive))` under `if __name__ == "__main__"`. Its process
is begun by camera_start.py, and gets two descriptors by number as the last arguments (socket, memory) and the kiosk's
end of life on standard input.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable

import numpy as np

from firmware.capture.camera import Camera, CameraFault, Preview
from firmware.capture.camera_wire import (
    MEMORY_BYTES,
    MESSAGE_BYTES,
    PREVIEW_BYTES,
    Alive,
    Answer,
    Ask,
    Failed,
    Ready,
    Request,
    Shot,
    Shown,
    Taken,
    Window,
    decode_ask,
    encode,
)
from firmware.records import Frame

SignOfLife = Callable[[], None]
"""What a driver calls whenever it has come one step further; between two calls the kiosk waits 3 s, no longer."""


def serve(open_camera: Callable[[SignOfLife], Camera]) -> None:
    """Answers the kiosk until it goes away. Whatever the driver raises ends the process: a fresh one is the cure."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_the_kiosk()
    link, memory = socket.socket(fileno=int(sys.argv[-2])), int(sys.argv[-1])
    window = Window(memory)
    os.close(memory)

    def alive() -> None:
        link.send(encode(Alive()))

    camera = open_camera(alive)
    link.send(encode(Ready()))
    while asked := link.recv(MESSAGE_BYTES):
        link.send(encode(_answer(decode_ask(asked), camera, window)))


def _end_with_the_kiosk() -> None:
    """The kernel ends this process when standard input closes, also while a driver hangs in C.

    Not PR_SET_PDEATHSIG: that fires when the thread ends that started this process, and the kiosk goes on.
    """
    lifeline = sys.stdin.fileno()
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _answer(ask: Ask, camera: Camera, window: Window) -> Answer:
    match ask.request:
        case Request.PREVIEW:
            return _show(ask.number, camera.preview(), window)
        case Request.CAPTURE:
            return _hand_over(ask.number, camera.capture(), window)


def _show(number: int, preview: Preview | CameraFault, window: Window) -> Answer:
    if isinstance(preview, CameraFault):
        return Failed(number, preview)
    height, width = preview.bgr.shape[:2]
    window.put(0, np.ascontiguousarray(preview.bgr).tobytes())
    return Shown(number, height, width)


def _hand_over(number: int, frames: tuple[Frame, ...] | CameraFault, window: Window) -> Answer:
    """Frames that do not fit are left out: the first ones are as good."""
    if isinstance(frames, CameraFault):
        return Failed(number, frames)
    shots, at = [], PREVIEW_BYTES
    for frame in frames:
        if at + len(frame.data) <= MEMORY_BYTES:
            window.put(at, frame.data)
            shots.append(Shot(at, len(frame.data), frame.name, dict(frame.facts)))
            at += len(frame.data)
    return Taken(number, tuple(shots)) if shots else Failed(number, CameraFault.GARBAGE)
