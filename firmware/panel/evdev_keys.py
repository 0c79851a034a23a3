"""A foot pedal or a keypad on USB: a Linux input device that gives key events, read from /dev/input.

Everything needed is in <linux/input.h>: a fixed struct and three ioctls. The device is grabbed, so that its keys
reach neither the screen nor a console. A pedal that is unplugged is told as GONE, once, and looked for until it is
back; a key that is down when the device is opened counts as stuck, like the button at start.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import structlog

from firmware.panel.panel import Hear, Heard
from firmware.panel.watch import Watch, tell

SOURCE = "pedal"
"""Source of a press that came from the pedal or keypad."""

REOPEN_S = (0.5, 1.0, 2.0, 5.0)
"""Waits before the device is looked for again; the last one for ever. A cable put back works before one looks up."""

_EVENT = struct.Struct("@llHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
_EVENTS_AT_ONCE = 64
"""The kernel's own buffer of a keyboard."""

_EV_SYN, _SYN_DROPPED = 0x00, 3
_EV_KEY = 0x01
KEY_MAX = 0x2FF
_KEY_BYTES = KEY_MAX // 8 + 1

_IOC_WRITE, _IOC_READ = 1, 2


def _ioc(direction: int, number: int, size: int) -> int:
    """_IOC of <asm-generic/ioctl.h> for the input layer, as on x86 and ARM."""
    return direction << 30 | size << 16 | ord("E") << 8 | number


EVIOCGKEY = _ioc(_IOC_READ, 0x18, _KEY_BYTES)
EVIOCGRAB = _ioc(_IOC_WRITE, 0x90, 4)
EVIOCSCLOCKID = _ioc(_IOC_WRITE, 0xA0, 4)

_log = structlog.get_logger(__name__)


Ioctl = Callable[[int, int, Any], Any]
"""fcntl.ioctl: bytes in, bytes as the kernel filled them in out. Raises OSError."""


class KeyDevice:
    """One open input device, grabbed, telling monotonic times. Raises OSError wherever it is not there (any more)."""

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._ioctl = ioctl
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            ioctl(self.fd, EVIOCSCLOCKID, struct.pack("@i", time.CLOCK_MONOTONIC))
            ioctl(self.fd, EVIOCGRAB, 1)
        except OSError:
            os.close(self.fd)
            raise

    def held(self) -> frozenset[int]:
        """The codes of all keys that are down now."""
        bits: bytes = self._ioctl(self.fd, EVIOCGKEY, bytes(_KEY_BYTES))
        return frozenset(code for code in range(KEY_MAX + 1) if bits[code // 8] >> code % 8 & 1)

    def read(self) -> Iterator[tuple[float, int, int, int]]:
        """What has come: time in seconds, type, code, value. Raises OSError(ENODEV) when it was unplugged."""
        data = os.read(self.fd, _EVENTS_AT_ONCE * _EVENT.size)
        if not data:
            raise OSError("end of device")
        for seconds, microseconds, kind, code, value in _EVENT.iter_unpack(data):
            yield seconds + microseconds / 1e6, kind, code, value

    def close(self) -> None:
        """Lets go of the device; the kernel takes the grab back."""
        os.close(self.fd)


class EvdevKeys:
    """The device at `path`; any of the key codes `keys` is a press. Told as `pedal`. Ends with `close`."""

    def __init__(
        self,
        path: str,
        keys: Iterable[int],
        hear: Hear,
        open_device: Callable[[str], KeyDevice] = KeyDevice,
        waits: tuple[float, ...] = REOPEN_S,
    ) -> None:
        self._path = path
        self._keys = frozenset(keys)
        self._hear = hear
        self._open_device = open_device
        self._waits = waits
        self._missed = 0
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="pedal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Lets go of the device; nothing is heard any more when this returns."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)

    def _run(self) -> None:
        while not self._stopped(self._waits[min(self._missed, len(self._waits)) - 1] if self._missed else 0.0):
            try:
                with closing(self._open_device(self._path)) as device:
                    self._listen(device)
            except OSError as problem:
                self._lost(problem)

    def _stopped(self, wait_s: float) -> bool:
        return bool(select.select([self._stop], [], [], wait_s)[0])

    def _lost(self, problem: OSError) -> None:
        self._missed += 1
        if self._missed == 1:
            _log.warning("pedal.gone", device=self._path, problem=str(problem))
            tell(self._hear, Heard.GONE, SOURCE)

    def _found(self) -> None:
        if self._missed:
            tell(self._hear, Heard.BACK, SOURCE)
        self._missed = 0

    def _listen(self, device: KeyDevice) -> None:
        """Until it is closed; raises OSError when the device goes. Every device begins a watch of its own."""
        down = device.held() & self._keys
        self._found()
        with closing(Watch(SOURCE, bool(down), self._hear)) as watch:
            while self._readable(device):
                for at, kind, code, value in device.read():
                    if kind == _EV_SYN and code == _SYN_DROPPED:
                        down = device.held() & self._keys
                    elif kind == _EV_KEY and code in self._keys:
                        down = down | {code} if value else down - {code}
                    watch.edge(bool(down), at)

    def _readable(self, device: KeyDevice) -> bool:
        """Waits until there is something to read; False: to be closed."""
        return self._stop not in select.select([device.fd, self._stop], [], [])[0]
