"""A foot pedal on USB: what feet, cables and other programs do to it. The device is a pipe of the kernel's structs."""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firmware.panel.contact import DEBOUNCE_S
from firmware.panel.evdev_keys import EVIOCGKEY, EVIOCGRAB, EVIOCSCLOCKID, EvdevKeys, KeyDevice
from firmware.panel.panel import Heard
from tests.panel_rig import Ears, eventually

KEY_B, KEY_ENTER, KEY_LEFTSHIFT = 48, 28, 42
EV_SYN, EV_KEY, EV_MSC = 0, 1, 4
SYN_REPORT, SYN_DROPPED, MSC_SCAN = 0, 3, 4
WAITS = (0.01,)


class Pedal:
    """A pedal that is plugged in and out; what the kernel would answer about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.down: set[int] = set()
        self.asked: list[tuple[int, object]] = []
        self.taken = False
        """Another program has grabbed it."""
        self._end = -1

    def plug(self) -> None:
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDWR)

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        if self._end >= 0:
            os.close(self._end)
        self._end = -1

    def events(self, *events: tuple[int, int, int], at: float | None = None) -> None:
        seconds, rest = divmod(time.monotonic() if at is None else at, 1)
        os.write(self._end, b"".join(struct.pack("@llHHi", int(seconds), int(rest * 1e6), *event) for event in events))

    def key(self, code: int, down: bool, at: float | None = None) -> None:
        """As a keyboard says it: the scan code, the key, the end of the report."""
        (self.down.add if down else self.down.discard)(code)
        self.events((EV_MSC, MSC_SCAN, 0x70005), (EV_KEY, code, down), (EV_SYN, SYN_REPORT, 0), at=at)

    def ioctl(self, _fd: int, request: int, arg: int | bytes) -> int | bytes:
        self.asked.append((request, arg))
        if request == EVIOCGRAB and self.taken:
            raise OSError(errno.EBUSY, "busy")
        if request == EVIOCGKEY:
            assert isinstance(arg, bytes)
            return sum(1 << code for code in self.down).to_bytes(len(arg), "little")
        return 0

    def open(self, path: str) -> KeyDevice:
        return KeyDevice(path, self.ioctl)

    def keys(self, ears: Ears, *codes: int) -> EvdevKeys:
        """The kiosk with this pedal; when it is plugged in, once it was looked at."""
        keys = EvdevKeys(str(self.path), codes or (KEY_B,), ears, self.open, WAITS)
        if self.path.exists() and not self.taken:
            eventually(lambda: EVIOCGKEY in [request for request, _ in self.asked])
        return keys


@pytest.fixture
def pedal(tmp_path: Path) -> Iterator[Pedal]:
    pedal = Pedal(tmp_path / "event7")
    pedal.plug()
    yield pedal
    pedal.unplug()


def settle() -> None:
    time.sleep(3 * DEBOUNCE_S)


def test_a_foot_presses_the_pedal(pedal: Pedal) -> None:
    ears = Ears()
    with closing(pedal.keys(ears)):
        pedal.key(KEY_B, True)
        ears.wait(1)
        pedal.key(KEY_B, False)
        settle()
        pedal.key(KEY_B, True)
        ears.wait(2)
    assert ears.heard == [(Heard.PRESSED, "pedal")] * 2


def test_the_keys_of_the_pedal_reach_the_screen(pedal: Pedal) -> None:
    """They must not: the device is grabbed, and asked for monotonic times, before anything is read."""
    ears = Ears()
    pedal.keys(ears).close()
    assert [request for request, _ in pedal.asked[:3]] == [EVIOCSCLOCKID, EVIOCGRAB, EVIOCGKEY]
    assert pedal.asked[0][1] == struct.pack("@i", time.CLOCK_MONOTONIC)
    assert pedal.asked[1][1] == 1


def test_the_request_numbers_are_not_the_kernels() -> None:
    """From <linux/input.h>, compiled."""
    assert (EVIOCGKEY, EVIOCGRAB, EVIOCSCLOCKID) == (0x80604518, 0x40044590, 0x400445A0)


def test_a_foot_stays_on_the_pedal(pedal: Pedal) -> None:
    """The key repeats as long as it is down; that is one press."""
    ears = Ears()
    with closing(pedal.keys(ears)):
        now = time.monotonic()
        pedal.key(KEY_B, True, now)
        for n in range(30):
            pedal.events((EV_KEY, KEY_B, 2), (EV_SYN, SYN_REPORT, 1), at=now + 0.25 + n / 30)
        pedal.key(KEY_B, False, now + 1.3)
        pedal.key(KEY_B, True, now + 1.5)
        ears.wait(2)
    assert ears.heard == [(Heard.PRESSED, "pedal")] * 2


def test_a_key_that_is_not_the_pedals(pedal: Pedal) -> None:
    ears = Ears()
    with closing(pedal.keys(ears)):
        pedal.key(KEY_LEFTSHIFT, True)
        settle()
        pedal.key(KEY_B, True)
        assert ears.wait(1) == [Heard.PRESSED]
        assert len(ears.heard) == 1


def test_two_keys_of_a_keypad_overlap(pedal: Pedal) -> None:
    """A flat hand is one press: until all are up, nothing was let go."""
    ears = Ears()
    now = time.monotonic()
    with closing(pedal.keys(ears, KEY_B, KEY_ENTER)):
        pedal.key(KEY_B, True, now)
        pedal.key(KEY_ENTER, True, now + 0.1)
        pedal.key(KEY_B, False, now + 0.2)
        pedal.key(KEY_B, True, now + 0.3)
        pedal.key(KEY_B, False, now + 0.4)
        pedal.key(KEY_ENTER, False, now + 0.5)
        pedal.key(KEY_ENTER, True, now + 0.8)
        ears.wait(2)
    assert ears.heard == [(Heard.PRESSED, "pedal")] * 2


def test_the_pedal_is_unplugged(pedal: Pedal) -> None:
    ears = Ears()
    with closing(pedal.keys(ears)):
        pedal.key(KEY_B, True)
        ears.wait(1)
        pedal.key(KEY_B, False)
        pedal.unplug()
        assert ears.wait(2) == [Heard.PRESSED, Heard.GONE]
        time.sleep(20 * WAITS[0])
        pedal.plug()
        assert ears.wait(3) == [Heard.PRESSED, Heard.GONE, Heard.BACK]
        pedal.key(KEY_B, True)
        assert ears.wait(4) == [Heard.PRESSED, Heard.GONE, Heard.BACK, Heard.PRESSED]


def test_the_pedal_is_not_there_when_the_kiosk_starts(pedal: Pedal) -> None:
    pedal.unplug()
    ears = Ears()
    with closing(pedal.keys(ears)):
        assert ears.wait(1) == [Heard.GONE]
        pedal.plug()
        assert ears.wait(2) == [Heard.GONE, Heard.BACK]


def test_another_program_holds_the_pedal(pedal: Pedal) -> None:
    pedal.taken = True
    ears = Ears()
    with closing(pedal.keys(ears)):
        assert ears.wait(1) == [Heard.GONE]
        pedal.taken = False
        assert ears.wait(2) == [Heard.GONE, Heard.BACK]


def test_a_bag_stands_on_the_pedal_when_it_is_plugged_in(pedal: Pedal) -> None:
    ears = Ears()
    pedal.down.add(KEY_B)
    with closing(pedal.keys(ears)):
        assert ears.wait(1) == [Heard.STUCK]
        pedal.key(KEY_B, False)
        assert ears.wait(2) == [Heard.STUCK, Heard.FREE]


def test_the_pedal_is_unplugged_with_a_foot_on_it(pedal: Pedal) -> None:
    """It does not stay down: plugged in again, it presses."""
    ears = Ears()
    with closing(pedal.keys(ears)):
        pedal.key(KEY_B, True)
        ears.wait(1)
        pedal.down.clear()
        pedal.unplug()
        ears.wait(2)
        pedal.plug()
        ears.wait(3)
        pedal.key(KEY_B, True)
        assert ears.wait(4) == [Heard.PRESSED, Heard.GONE, Heard.BACK, Heard.PRESSED]


def test_the_kernel_dropped_events(pedal: Pedal) -> None:
    """The release was among them: the device is asked how its keys stand."""
    ears = Ears()
    with closing(pedal.keys(ears)):
        pedal.key(KEY_B, True)
        ears.wait(1)
        pedal.down.clear()
        pedal.events((EV_SYN, SYN_DROPPED, 0))
        settle()
        pedal.key(KEY_B, True)
        assert ears.wait(2) == [Heard.PRESSED, Heard.PRESSED]


def test_the_kiosk_closes_without_its_pedal(pedal: Pedal) -> None:
    pedal.unplug()
    ears = Ears()
    EvdevKeys(str(pedal.path), [KEY_B], ears, pedal.open, (3600.0,)).close()
    assert ears.heard in ([], [(Heard.GONE, "pedal")])


def test_the_device_is_not_a_keyboard(tmp_path: Path) -> None:
    """A wrong path in the configuration: it is missing, and nothing else happens."""
    file = tmp_path / "event0"
    file.write_bytes(b"")
    ears = Ears()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with closing(EvdevKeys(str(file), [KEY_B], ears, waits=WAITS)):
        ears.wait(1)
        time.sleep(20 * WAITS[0])
    assert ears.heard == [(Heard.GONE, "pedal")]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
