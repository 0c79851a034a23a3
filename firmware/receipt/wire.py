"""The line to a printer, whatever carries it: bytes out, bytes back, and an end to every wait.

`Stopped` is how a line says that it no longer carries: the cable, the network or the other end is gone, or nothing is
taken any more. It never leaves the printer's driver, which turns it into an outcome.
"""

from __future__ import annotations

import os
import select
import socket
import time
from pathlib import Path
from typing import Protocol

CONNECT_S = 3.0
"""For a printer on the same cable or switch to take a connection; it needs milliseconds."""

USB_PRINTERS = Path("/sys/class/usbmisc")
"""Where Linux (usblp) lists the printers on USB; /dev/usb/<name> carries the bytes."""
_USB_DEVICES = Path("/dev/usb")


class Stopped(Exception):
    """The line carries no more, or the printer no longer prints, or we cannot know that it does."""


class Wire(Protocol):
    """An open line."""

    @property
    def bits_per_second(self) -> int | None:
        """Of a line that is slower than the paper; None when what is written is there at once."""

    @property
    def stays_open(self) -> bool:
        """Between two strips; a printer on a network drops who is silent."""

    def write(self, data: bytes) -> None:
        """Hands over all of `data`; raises Stopped when it is not taken in time."""

    def read(self, timeout_s: float) -> bytes:
        """The next byte from the printer, nothing when it is silent; raises Stopped."""

    def forget(self) -> None:
        """Drops what has not been sent and what has not been read; sends again after the printer said stop."""

    def close(self) -> None:
        """Lets go of it; may be called twice."""


class FileWire:
    """A line that is an open file of the kernel: a socket, or a printer on USB. Takes `descriptor` over."""

    bits_per_second: int | None = None

    def __init__(self, descriptor: int, stays_open: bool, stall_s: float) -> None:
        self.stays_open = stays_open
        self._descriptor = descriptor
        self._stall_s = stall_s
        self._closed = False
        os.set_blocking(descriptor, False)

    def write(self, data: bytes) -> None:
        """See Wire."""
        rest = memoryview(data)
        until = time.monotonic() + self._stall_s
        while rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select((), (self._descriptor,), (), left)[1]:
                raise Stopped("full")
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                continue
            except OSError as problem:
                raise Stopped("gone") from problem

    def read(self, timeout_s: float) -> bytes:
        """See Wire."""
        if not select.select((self._descriptor,), (), (), timeout_s)[0]:
            return b""
        try:
            byte = os.read(self._descriptor, 1)
        except OSError as problem:
            raise Stopped("gone") from problem
        if not byte:
            raise Stopped("ended")
        return byte

    def forget(self) -> None:
        """See Wire; what the kernel has taken cannot be taken back."""
        while self.read(0.0):
            pass

    def close(self) -> None:
        """See Wire."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)


def open_network(host: str, port: int, stall_s: float) -> FileWire:
    """A printer that listens on TCP, by custom on port 9100. Raises Stopped."""
    try:
        connection = socket.create_connection((host, port), CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as problem:
        raise Stopped("unreachable") from problem
    return FileWire(connection.detach(), stays_open=False, stall_s=stall_s)


def open_usb(
    vendor: int, product: int, stall_s: float, listed: Path = USB_PRINTERS, devices: Path = _USB_DEVICES
) -> FileWire:
    """The first printer on USB with these numbers (as `lsusb` prints them), by the kernel's usblp. Raises Stopped."""
    wanted = f"{vendor:04x}:{product:04x}"
    try:
        names = [entry.name for entry in sorted(listed.glob("lp*")) if _usb_numbers(entry) == wanted]
        if not names:
            raise Stopped("unplugged")
        descriptor = os.open(devices / names[0], os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as problem:
        raise Stopped("gone") from problem
    return FileWire(descriptor, stays_open=True, stall_s=stall_s)


def _usb_numbers(entry: Path) -> str:
    """`device` is the interface; the numbers stand at the device above it."""
    above = (entry / "device").resolve().parent
    return ":".join((above / name).read_text().strip() for name in ("idVendor", "idProduct"))
