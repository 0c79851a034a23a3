"""A USB stick on the screen: what it may say, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from firmware.uplink.stick import StickState
from firmware.uplink.stick_notes import StickNote
from tests.kiosks import Room
from tests.screens import screen_of


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory)


@pytest.fixture
def screen(room: Room) -> Iterator[FlaskClient]:
    with screen_of(room, room.switch_on()) as client:
        yield client


def test_the_stick_is_pulled_out_while_the_screen_says_it_is_done(screen: FlaskClient, room: Room) -> None:
    """Written is not unmounted: until then the screen says that it is being written."""
    room.sticks = (StickNote("sda1", StickState.WRITTEN, False, 100, 5),)
    assert "100 %. Jangan dicabut" in screen.get("/").text
    room.sticks = (StickNote("sda1", StickState.WRITTEN, True, 100, 5),)
    text = screen.get("/").text
    assert "Jangan dicabut" not in text
    assert "5 catatan sudah ditulis dan diperiksa. Silakan cabut." in text


def test_two_sticks_are_plugged_in(screen: FlaskClient, room: Room) -> None:
    room.sticks = (StickNote("sda1", StickState.FULL, True), StickNote("sdb1", StickState.WRITING, False, 42))
    text = screen.get("/").text
    assert "Stik USB penuh" in text
    assert "42 %. Jangan dicabut" in text


def test_the_screen_does_not_notice_the_stick(room: Room) -> None:
    """The page that is shown is drawn anew when the version changes."""
    station = room.switch_on()
    before = station.view().version
    room.sticks = (StickNote("sda1", StickState.WRITING, False, 1),)
    assert station.view().version != before
