"""One process of a camera, as the kiosk sees it: asked over a socket, heard with a deadline, killed.

It holds nothing that outlives it. Its socket, its standard input (whose closing ends it) and the shared memory are
descriptors of ours alone and are closed with `kill`.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from firmware.capture.camera import CameraFault
from firmware.capture.camera_wire import (
    MESSAGE_BYTES,
    Alive,
    Answer,
    Ask,
    Heard,
    Ready,
    Request,
    Window,
    create_memory,
    decode_heard,
    encode,
)

STDERR = 2
"""A driver's chatter goes to the journal, never between what a command answers."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the kiosk waits, in seconds."""

    silence: float = 3.0
    """Between two signs of life: so long a person who pressed a button waits before pressing again."""
    loading: float = 3.0
    """The same while a new process loads one library after another; no camera is asked yet. One that took longer for
    one of them is stopped, and the next process finds it in memory."""
    capture: float = 12.0
    """For a whole capture with all its signs of life: opening 3 s, focusing up to 5 s, a burst 2 s."""
    preview: float = 0.2
    """For a preview: five a second are wanted. A later one is picked up by the next call."""
    rest: float = 2.0
    """After a failure, until a preview asks again: a driver that cannot work is not started over and over."""
    dying: float = 0.5
    """After SIGKILL. Only a process that waits inside the kernel takes longer; it is left to die by itself."""


class Useless(Exception):
    """The process is of no more use: it fell silent, ended, or talks nonsense."""

    def __init__(self, fault: CameraFault, why: str) -> None:
        super().__init__(f"{fault}: {why}")
        self.fault = fault
        self.why = why


class Child:
    """Started when it is made; raises OSError when it cannot be started."""

    def __init__(self, command: Sequence[str], patience: Patience) -> None:
        self._patience = patience
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            memory = create_memory()
            theirs.callback(os.close, memory)
            self._link, link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            theirs.callback(link.close)
            ours.callback(self._link.close)
            self.window = Window(memory)
            ours.callback(self.window.close)
            shared = (link.fileno(), memory)
            self._process = subprocess.Popen(  # noqa: S603 (the kiosk's own program, named by the kiosk)
                [*command, *map(str, shared)], stdin=subprocess.PIPE, stdout=STDERR, pass_fds=shared
            )
            ours.pop_all()
        self._link.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._link, select.POLLIN)
        self._ready = False
        self._since = time.monotonic()
        self._asked = 0
        self.awaited: dict[int, float] = {}
        """What was asked and is not answered: by number, when (time.monotonic)."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    def ask(self, request: Request) -> int:
        """Asks; returns the number that the answer will have. Raises Useless."""
        now = time.monotonic()
        if self._ready and not self.awaited:
            self._since = now
        self._asked += 1
        try:
            self._link.send(encode(Ask(self._asked, request)))
        except OSError as problem:
            raise Useless(CameraFault.CRASHED, str(problem)) from problem
        self.awaited[self._asked] = now
        return self._asked

    def answer(self, number: int, seconds: float) -> Answer | None:
        """The answer to `number` as soon as it is there; None when it is not there in time. Raises Useless."""
        until = time.monotonic() + seconds
        while (heard := self._hear(until)) is not None:
            if not isinstance(heard, Alive | Ready) and heard.number == number:
                return heard
        return None

    def wait_until_ready(self) -> None:
        """Until it has loaded what it needs. Raises Useless."""
        while not self._ready:
            self._hear(math.inf)

    def kill(self) -> None:
        """Ends it, whatever it does, and gives everything back."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._patience.dying)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._link.close()
        self.window.close()

    def end(self) -> None:
        """Only ends it: whoever waits for it then hears so."""
        self._process.kill()

    def _hear(self, until: float) -> Heard | None:
        """What it says next; None when it has said nothing by `until`. Raises Useless."""
        silent = self._silent_at()
        wait = max(0.0, min(until, silent) - time.monotonic())
        if not self._poll.poll(math.ceil(wait * 1000)):
            if time.monotonic() >= silent:
                raise Useless(CameraFault.HUNG, "silent")
            return None
        heard = self._receive()
        self._ready, self._since = self._ready or not isinstance(heard, Alive), time.monotonic()
        if not isinstance(heard, Alive | Ready):
            self.awaited.pop(heard.number, None)
        return heard

    def _silent_at(self) -> float:
        """When its silence has lasted too long."""
        if not self._ready:
            return self._since + self._patience.loading
        return self._since + self._patience.silence if self.awaited else math.inf

    def _receive(self) -> Heard:
        try:
            data = self._link.recv(MESSAGE_BYTES)
            if data:
                return decode_heard(data)
        except (OSError, msgspec.DecodeError) as problem:
            raise Useless(CameraFault.CRASHED, str(problem)) from problem
        raise Useless(CameraFault.CRASHED, "ended")
