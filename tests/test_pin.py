"""The ketua's PIN: who guesses is locked out, whatever they do to the plug."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from firmware import delays
from firmware.day.pin import FREE_TRIES, Pin, PinAnswer, PinFile, make_pin, read_pin
from firmware.errors import LayoutRefused, LedgerRefused
from provisioning import set_pin

RIGHT = "704912"
FILE = msgspec.json.decode(make_pin(RIGHT, bytes(16)), type=PinFile)


class Disk:
    """Drafts that outlive a restart."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.full = False

    def save_draft(self, key: str, body: bytes) -> None:
        if self.full:
            raise LedgerRefused("ledger-full")
        self.kept[key] = body

    def load_draft(self, key: str) -> bytes | None:
        return self.kept.get(key)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pin(disk: Disk, clock: Clock) -> Pin:
    return Pin(FILE, disk, clock)


def guess(pin: Pin, times: int) -> list[PinAnswer]:
    return [pin.judge("111222") for _ in range(times)]


def test_the_right_pin_is_typed(pin: Pin) -> None:
    assert pin.judge(RIGHT) is PinAnswer.RIGHT


def test_a_tired_ketua_mistypes_twice(pin: Pin) -> None:
    assert guess(pin, 2) == [PinAnswer.WRONG] * 2
    assert pin.judge(RIGHT) is PinAnswer.RIGHT
    assert guess(pin, 2) == [PinAnswer.WRONG] * 2, "the count began anew"
    assert pin.locked_seconds == 0


def test_somebody_guesses_and_each_lock_is_twice_as_long(pin: Pin, clock: Clock) -> None:
    guess(pin, FREE_TRIES - 1)
    waits = []
    for _ in range(10):
        assert guess(pin, 1) == [PinAnswer.WRONG]
        waits.append(pin.locked_seconds)
        clock.now += pin.locked_seconds
    assert waits[:3] == [delays.PIN_FIRST_LOCK, 2 * delays.PIN_FIRST_LOCK, 4 * delays.PIN_FIRST_LOCK]
    assert waits[-1] == delays.PIN_LONGEST_LOCK


def test_not_even_the_right_pin_opens_a_lock(pin: Pin, clock: Clock) -> None:
    guess(pin, FREE_TRIES)
    assert pin.judge(RIGHT) is PinAnswer.LOCKED
    clock.now += delays.PIN_FIRST_LOCK - 1
    assert pin.judge(RIGHT) is PinAnswer.LOCKED
    clock.now += 1
    assert pin.judge(RIGHT) is PinAnswer.RIGHT


def test_the_plug_is_pulled_to_begin_anew(pin: Pin, disk: Disk, clock: Clock) -> None:
    guess(pin, FREE_TRIES)
    clock.now += delays.PIN_FIRST_LOCK / 2
    again = Pin(FILE, disk, clock)
    assert again.locked_seconds == delays.PIN_FIRST_LOCK
    assert again.wrong == FREE_TRIES


def test_the_plug_is_pulled_while_a_try_is_judged(pin: Pin, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_arguments: object, **_keywords: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("hashlib.scrypt", cut)
    with pytest.raises(KeyboardInterrupt):
        pin.judge(RIGHT)
    assert pin.wrong == 1, "a try that nobody saw the end of counts"


def test_the_disk_is_full_and_tries_cannot_be_counted(pin: Pin, disk: Disk) -> None:
    disk.full = True
    with pytest.raises(LedgerRefused):
        pin.judge(RIGHT)


def test_what_is_no_pin_is_typed(pin: Pin) -> None:
    for typed in ("", "7", RIGHT + "\n", "七〇四九一二", "7" * 10_000):
        assert Pin(FILE, Disk(), Clock()).judge(typed) is PinAnswer.WRONG


@pytest.mark.parametrize("weak", ["12345", "123456789", "111111", "123456", "876543", "70491a", "７０４９１２"])
def test_a_pin_that_is_tried_first_is_chosen(weak: str) -> None:
    with pytest.raises(LayoutRefused, match="pin-form"):
        make_pin(weak)


def test_the_file_does_not_hold_the_pin(tmp_path: Path) -> None:
    (tmp_path / "pin.json").write_bytes(make_pin(RIGHT))
    assert RIGHT.encode() not in (tmp_path / "pin.json").read_bytes()
    assert Pin(read_pin(tmp_path / "pin.json"), Disk(), Clock()).judge(RIGHT) is PinAnswer.RIGHT
    assert make_pin(RIGHT) != make_pin(RIGHT), "two kiosks with one PIN do not show it"


def test_the_file_is_gone_or_spoiled(tmp_path: Path) -> None:
    for content in (None, b"", b"{}", b'{"version": 2}'):
        if content is not None:
            (tmp_path / "pin.json").write_bytes(content)
        with pytest.raises(LayoutRefused, match="pin-unreadable"):
            read_pin(tmp_path / "pin.json")


def test_a_technician_sets_a_pin_and_sets_it_again(tmp_path: Path) -> None:
    first = CliRunner().invoke(set_pin.main, [str(tmp_path)])
    assert first.exit_code == 0, first.output
    drawn = first.output.split()[1]
    assert Pin(read_pin(tmp_path / "pin.json"), Disk(), Clock()).judge(drawn) is PinAnswer.RIGHT
    chosen = CliRunner().invoke(set_pin.main, [str(tmp_path), "--choose"], input="704912\n704912\n")
    assert chosen.exit_code == 0, chosen.output
    assert RIGHT not in chosen.output
    assert Pin(read_pin(tmp_path / "pin.json"), Disk(), Clock()).judge(RIGHT) is PinAnswer.RIGHT
    weak = CliRunner().invoke(set_pin.main, [str(tmp_path), "--choose"], input="111111\n111111\n")
    assert weak.exit_code == 1
    assert Pin(read_pin(tmp_path / "pin.json"), Disk(), Clock()).judge(RIGHT) is PinAnswer.RIGHT, "the old one stays"
