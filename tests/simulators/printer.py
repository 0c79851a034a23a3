"""A simulated thermal printer on a pseudo-terminal: `device` is opened like any serial port.

Like the real thing it receives at the speed of the line into a small buffer (XON/XOFF when it fills), answers
real-time status the moment it comes in, prints at the speed of the paper, stops where the paper ends or the cover
opens, forgets everything when the power goes, and cuts strips, each of which becomes a PNG.
"""

from __future__ import annotations

import array
import fcntl
import os
import pty
import random
import select
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.simulators.paper_roll import DOTS_PER_MM, Dots, PaperEnded, PaperRoll, picture
from tests.simulators.printer_engine import Engine

BUFFER_BYTES = 4096
"""Receive buffer of a common receipt printer."""
XOFF, XON = b"\x13", b"\x11"
_STOP_AT, _GO_AT = BUFFER_BYTES * 3 // 4, BUFFER_BYTES // 4
_CLEAR = bytes.fromhex("10140801031401060208")
_NOT_HEEDED = -1
COOLED_A_ROW = 0.4
"""Share of black in every row that the head stands for ever."""
HEAT_LIMIT = 400.0
"""Rows of solid black that the head stands beyond that: some 8 cm of black at once."""
_NAP_S = 0.005
"""Shortest sleep: shorter ones take longer than they say."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A piece of paper that left the printer; not `whole` when it was taken out with the end of its roll."""

    dots: Dots
    whole: bool
    path: Path | None

    @property
    def length_mm(self) -> float:
        """Millimetres of paper."""
        return len(self.dots) / DOTS_PER_MM


class _Forgotten(Exception):
    """The power went, or the host had the buffers cleared."""


class SimulatedPrinter:
    """Switched on when made; `close` or leaving the `with` block takes it away."""

    def __init__(
        self,
        folder: Path | None = None,
        width_dots: int = 576,
        baud: int = 115_200,
        mm_per_second: float = 150.0,
        paper_mm: float = 50_000.0,
        near_end_mm: float = 5_000.0,
        seed: int = 1,
        cooling_s: float = 60.0,
        xonxoff: bool = True,
    ) -> None:
        self.strips: list[Strip] = []
        self.received = 0
        """Bytes that came in while it was on, in all."""
        self.lost = 0
        """Bytes that came in while the buffer was full."""
        self.cover_open = self.overheated = self.cutter_broken = self.silent = self.garbled = False
        """Faults: set and cleared by whoever plays the room."""
        self.static = 0.0
        """Share of the bytes on the line that arrive with one bit turned over."""
        self._folder = folder
        self._cooling_s = cooling_s
        self._xonxoff = xonxoff
        self._heat = 0.0
        self._byte_s = 10 / baud
        self._dot_s = 1 / (mm_per_second * DOTS_PER_MM)
        self._near_end_dots = near_end_mm * DOTS_PER_MM
        self._random = random.Random(seed)
        self._powered = True
        self._paper_out = False
        self._stopped = False
        self._buffer: deque[int] = deque()
        self._changed = threading.Condition()
        self._life = self._this_life = 0
        self.printed_dots = 0
        """Rows that the paper has moved since it was made."""
        self._appointments: list[tuple[float, Callable[[], None]]] = []
        self._debt_s = 0.0
        self._host_stopped = False
        self._held_bytes: int | None = None
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self.roll = PaperRoll(width_dots, paper_mm)
        self.engine = Engine(self.roll, self._take, self._press, self._say, self._paper_answer, self._fell_out)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._receive, self._work)]
        for thread in self._threads:
            thread.start()

    # --- what happens in the room -----------------------------------------------------------------------------

    def at_mm(self, printed_mm: float, happens: Callable[[], None]) -> None:
        """Let something happen when so much paper has moved since the printer was made."""
        self._appointments.append((printed_mm * DOTS_PER_MM, happens))

    def tear_off(self) -> Strip:
        """Tear the strip off by hand, as people do where there is no cutter."""
        with self._changed:
            self._fell_out(self.roll.cut())
        return self.strips[-1]

    def load_paper(self, length_mm: float) -> None:
        """Put in a new roll; what was in the printer comes out as a strip that is not whole."""
        with self._changed:
            self._fell_out(self.roll.tear_out(), whole=False)
            self.roll.dots_left = round(length_mm * DOTS_PER_MM)
            self._paper_out = False
            self._changed.notify_all()

    def power_off(self) -> None:
        """Nothing is printed, answered or remembered from here on."""
        with self._changed:
            self._powered = False
            self._forget()

    def power_on(self) -> None:
        """As new, with the paper where it was."""
        with self._changed:
            self._powered = True
            self._forget()

    @property
    def busy(self) -> bool:
        """Whether it still has something to take from the line or to print, and nothing that keeps it from that."""
        with self._changed:
            return bool(self._buffer or self._unread()) and not self._blocked()

    def close(self) -> None:
        """Unplug it."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        os.close(self._slave)
        os.close(self._master)

    def __enter__(self) -> SimulatedPrinter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the line -----------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        recent, debt_s = b"", 0.0
        while not self._stopped:
            if self._line_is_held() or not select.select([self._master], [], [], 0.05)[0]:
                continue
            data = os.read(self._master, 64)
            debt_s += len(data) * self._byte_s
            if debt_s > _NAP_S:
                time.sleep(debt_s)
                debt_s = 0.0
            if self._powered:
                data = self._disturbed(data)
                self._store(data)
                for byte in data:
                    recent = (recent + bytes([byte]))[-len(_CLEAR) :]
                    self._obey_at_once(recent)

    def _disturbed(self, data: bytes) -> bytes:
        if not self.static:
            return data
        return bytes(
            byte ^ (1 << self._random.randrange(8)) if self._random.random() < self.static else byte for byte in data
        )

    def _line_is_held(self) -> bool:
        """Whether what can be read still waits in the host, as XOFF demands. A pseudo-terminal hands over at once what
        a serial port keeps back; what comes on top of that was sent by a host that no longer heeds the XOFF."""
        if not self._host_stopped:
            self._held_bytes = None
            return False
        time.sleep(_NAP_S)
        waiting = self._unread()
        if self._held_bytes is None:
            self._held_bytes = waiting
        elif waiting > self._held_bytes:
            self._held_bytes = _NOT_HEEDED
        return waiting <= self._held_bytes

    def _unread(self) -> int:
        """Bytes on the line that have not come in yet."""
        count = array.array("i", [0])
        fcntl.ioctl(self._master, termios.FIONREAD, count)
        return count[0]

    def _store(self, data: bytes) -> None:
        with self._changed:
            fitting = data[: BUFFER_BYTES - len(self._buffer)]
            self._buffer.extend(fitting)
            self.received += len(data)
            self.lost += len(data) - len(fitting)
            if self._xonxoff and len(self._buffer) > _STOP_AT and not self._host_stopped:
                self._host_stopped = True
                os.write(self._master, XOFF)
            self._changed.notify_all()

    def _obey_at_once(self, recent: bytes) -> None:
        if recent[-3:-1] == b"\x10\x04" and 1 <= recent[-1] <= 4:
            self._say(bytes([self._real_time_answer(recent[-1])]))
        elif recent == _CLEAR:
            with self._changed:
                self._forget()

    def _say(self, answer: bytes) -> None:
        if self._powered and not self.silent and not self._stopped:
            os.write(self._master, self._random.randbytes(len(answer)) if self.garbled else answer)

    def _real_time_answer(self, question: int) -> int:
        stopped = self.cover_open or self._paper_out or self.overheated or self.cutter_broken
        near_end = self.roll.dots_left < self._near_end_dots
        return (
            0x12
            | {
                1: 0x08 * stopped,
                2: 0x04 * self.cover_open | 0x20 * self._paper_out | 0x40 * (self.overheated or self.cutter_broken),
                3: 0x08 * self.cutter_broken | 0x40 * self.overheated,
                4: 0x0C * near_end | 0x60 * self._paper_out,
            }[question]
        )

    def _paper_answer(self) -> int:
        return 0x03 * (self.roll.dots_left < self._near_end_dots) | 0x0C * self._paper_out

    # --- the mechanism ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopped:
            self._this_life = self._life
            try:
                self.engine.step()
            except _Forgotten:
                self.engine.reset()

    def _take(self) -> int:
        """The next byte of the buffer; waits for it."""
        with self._changed:
            while not self._buffer and not self._interrupted():
                self._changed.wait()
            if self._interrupted():
                raise _Forgotten
            byte = self._buffer.popleft()
            if self._host_stopped and len(self._buffer) < _GO_AT:
                self._host_stopped = False
                os.write(self._master, XON)
            return byte

    def _press(self, dots: Dots) -> None:
        """Burn rows and move the paper, at the speed of the paper; waits while it cannot."""
        self._debt_s += len(dots) * self._dot_s
        if self._debt_s > _NAP_S:
            time.sleep(self._debt_s)
            self._debt_s = 0.0
        with self._changed:
            while self._blocked() and not self._interrupted():
                self._changed.wait(_NAP_S)
            if self._interrupted():
                raise _Forgotten
            try:
                self.roll.burn(dots)
            except PaperEnded:
                self._paper_out = True
            self.printed_dots += len(dots)
            self._warm_up(dots)
        self._keep_appointments()

    def _warm_up(self, dots: Dots) -> None:
        """Black rows heat the head, moving paper cools it; when it is too hot it rests, and then goes on by itself."""
        gained = dots.sum() / self.roll.width_dots - COOLED_A_ROW * len(dots)
        self._heat = max(0.0, self._heat + gained)
        if self._heat > HEAT_LIMIT and not self.overheated:
            self.overheated, self._heat = True, 0.0
            threading.Timer(self._cooling_s, self._cooled).start()

    def _cooled(self) -> None:
        with self._changed:
            self.overheated = False
            self._changed.notify_all()

    def _interrupted(self) -> bool:
        return self._life != self._this_life or self._stopped

    def _blocked(self) -> bool:
        return not self._powered or self._paper_out or self.cover_open or self.overheated or self.cutter_broken

    def _keep_appointments(self) -> None:
        due = [happens for dots, happens in self._appointments if dots <= self.printed_dots]
        self._appointments = [(dots, then) for dots, then in self._appointments if dots > self.printed_dots]
        for happens in due:
            happens()

    def _forget(self) -> None:
        self._buffer.clear()
        self._life += 1
        if self._host_stopped and self._powered:
            self._host_stopped = False
            os.write(self._master, XON)
        self._changed.notify_all()

    def _fell_out(self, dots: Dots, whole: bool = True) -> None:
        path = self._folder / f"strip-{len(self.strips) + 1:04d}.png" if self._folder else None
        if path:
            picture(dots).save(path)
        self.strips.append(Strip(dots, whole, path))
