"""What crosses between the kiosk and the process of its camera: messages over a socket, pictures in shared memory.

The socket keeps messages apart (SOCK_SEQPACKET), so that neither end can wait for the rest of one. The memory has no
name in any folder: it is gone with the last process that holds it, whatever became of them. It holds one preview and,
behind it, one burst; a new one is only asked for when the last one has been copied out.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from enum import StrEnum

import msgspec

from firmware.capture.camera import PREVIEW_SIDE, CameraFault

PREVIEW_BYTES = PREVIEW_SIDE * PREVIEW_SIDE * 3
"""Room of a preview, at the start of the memory."""
BURST_BYTES = 96 * 1024 * 1024
"""Room of a burst behind it: three JPEGs of 12 megapixels have 18 MB. Pages never written take no memory."""
MEMORY_BYTES = PREVIEW_BYTES + BURST_BYTES
MESSAGE_BYTES = 64 * 1024
"""Longest message: a burst's places and facts have some kilobytes."""

Facts = dict[str, str | int | float]


class Request(StrEnum):
    """What can be asked of the camera's process."""

    PREVIEW = "preview"
    CAPTURE = "capture"


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Base of the types below."""


class Ask(_Message, frozen=True):
    """The kiosk asks; the answer has the same number."""

    number: int
    request: Request


class Alive(_Message, frozen=True):
    """A sign of life: the driver has come one step further."""


class Ready(_Message, frozen=True):
    """Everything is loaded: from now on it answers. The camera is opened by the first request."""


class Failed(_Message, frozen=True):
    """There is no picture."""

    number: int
    fault: CameraFault


class Shown(_Message, frozen=True):
    """The preview lies at the start of the memory: BGR, row by row."""

    number: int
    height: int
    width: int


class Shot(_Message, frozen=True):
    """One frame's place in the memory, and what is known about it."""

    at: int
    length: int
    name: str
    facts: Facts


class Taken(_Message, frozen=True):
    """The frames of a burst."""

    number: int
    shots: tuple[Shot, ...]


Answer = Failed | Shown | Taken
Heard = Alive | Ready | Failed | Shown | Taken

encode = msgspec.json.Encoder().encode
decode_ask = msgspec.json.Decoder(Ask).decode
_heard: msgspec.json.Decoder[Heard] = msgspec.json.Decoder(Heard)


def decode_heard(data: bytes) -> Heard:
    """What the camera's process says. Raises msgspec.DecodeError for anything else."""
    return _heard.decode(data)


def create_memory() -> int:
    """A file descriptor of fresh shared memory. Its size is sealed: a process gone mad cannot cut it short under us."""
    memory = os.memfd_create("c1kiosk-camera", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, MEMORY_BYTES)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return memory


class Window:
    """One process's view of the memory; the descriptor may be closed once it is open."""

    def __init__(self, memory: int) -> None:
        self._map = mmap.mmap(memory, MEMORY_BYTES)

    def put(self, at: int, data: bytes | memoryview) -> None:
        """Writes `data` at `at`. Raises ValueError when it does not fit."""
        _within(at, len(data))
        self._map[at : at + len(data)] = data

    def get(self, at: int, length: int) -> bytes:
        """A copy of `length` bytes from `at`. Raises ValueError when that is not within the memory."""
        _within(at, length)
        return self._map[at : at + length]

    def close(self) -> None:
        """Lets go of the memory."""
        self._map.close()


def _within(at: int, length: int) -> None:
    if at < 0 or length < 0 or at + length > MEMORY_BYTES:
        raise ValueError(f"{length} bytes at {at} are not within {MEMORY_BYTES}")
