"""A printer on a serial line. The only user of pyserial."""

from __future__ import annotations

import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import serial

from firmware.receipt.wire import Stopped


class SerialWire:
    """Serial port `device` at `baud`. Raises Stopped when it cannot be opened.

    With `xonxoff` and with `rtscts` the printer says when its buffer is full. With neither, what the conversation sends
    ahead must fit the buffer.
    """

    stays_open = True

    def __init__(self, device: str, baud: int, xonxoff: bool, rtscts: bool, stall_s: float) -> None:
        self.bits_per_second = baud
        self._xonxoff = xonxoff
        with _faults():
            self._port = serial.Serial(device, baud, write_timeout=stall_s, xonxoff=xonxoff, rtscts=rtscts)
            self._restart_output()

    def write(self, data: bytes) -> None:
        """See Wire."""
        with _faults():
            self._port.write(data)

    def read(self, timeout_s: float) -> bytes:
        """See Wire."""
        with _faults():
            self._port.timeout = timeout_s
            return self._port.read(1)

    def forget(self) -> None:
        """See Wire."""
        with _faults():
            self._port.reset_output_buffer()
            self._port.reset_input_buffer()
            self._restart_output()

    def close(self) -> None:
        """See Wire. What was not sent is dropped: the kernel would wait half a minute for a printer to take it."""
        with suppress(OSError, termios.error):
            self._port.reset_output_buffer()
        self._port.close()

    def _restart_output(self) -> None:
        """Send even after an XOFF: the XON may never come. Linux restarts only what it stopped itself, hence both."""
        if self._xonxoff:
            self._port.set_output_flow_control(False)
            self._port.set_output_flow_control(True)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except serial.SerialTimeoutException as problem:
        raise Stopped("full") from problem
    except (OSError, termios.error) as problem:
        raise Stopped("gone") from problem
