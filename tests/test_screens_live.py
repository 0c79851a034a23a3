"""The live view on the screen: with a script, and as a still without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient

from firmware.capture.camera import CameraFault, Preview
from firmware.messages import sentence
from firmware.records import Frame
from firmware.station import Station
from tests.kiosks import Room, frame
from tests.screens import client_of, screen_of
from tests.test_guidance import sheet


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory)


@pytest.fixture
def station(room: Room) -> Station:
    return room.switch_on()


@pytest.fixture
def screen(room: Room, station: Station) -> Iterator[FlaskClient]:
    with screen_of(room, station) as client:
        yield client


def seen_by(screen: FlaskClient, station: Station) -> Station:
    """The screen of this station from now on."""
    screen.application.extensions["station"] = client_of(station)
    return station


class OneSheet:
    """A camera that sees one sheet."""

    def __init__(self) -> None:
        self.number = 0

    def preview(self) -> Preview | CameraFault:
        self.number += 1
        return Preview(sheet(), self.number)

    def capture(self) -> tuple[Frame, ...] | CameraFault:
        return (frame("page 2"),)

    def close(self) -> None: ...


def points(text: str) -> list[tuple[float, ...]]:
    found = re.search(r'<polygon points="([^"]+)"', text)
    assert found
    return [tuple(float(number) for number in point.split(",")) for point in found[1].split()]


def test_without_a_script_the_screen_shows_a_still_that_refreshes(screen: FlaskClient, room: Room) -> None:
    """The picture, the outline over it, the instruction and the button are in the page itself."""
    room.camera = OneSheet()
    station = seen_by(screen, room.switch_on())
    station.watch()
    text = screen.get("/").text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    assert sentence("live.still") in text
    address = re.search(r'<img src="(/live\.jpg\?[0-9]+)"', text)
    assert address
    picture = cv2.imdecode(np.frombuffer(screen.get(address[1]).data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    height, width = picture.shape[:2]
    assert f'<svg viewBox="0 0 {width} {height}"' in text
    corners = points(text)
    assert len(corners) == 4
    assert all(-20 <= x <= width + 20 and -20 <= y <= height + 20 for x, y in corners)
    assert 'action="/press"' in text


def test_the_script_asks_for_what_lies_under_the_camera(screen: FlaskClient, room: Room) -> None:
    room.camera = OneSheet()
    station = seen_by(screen, room.switch_on())
    station.watch()
    now = screen.get("/progress?watching").json
    assert now and now["live"]["says"] == sentence("live.still")
    assert (now["live"]["number"], len(now["live"]["points"].split())) == (1, 4)
    answer = screen.get("/live.jpg?1")
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("image/jpeg", "no-store")


def test_nothing_has_been_seen_yet(screen: FlaskClient) -> None:
    assert screen.get("/progress").json["live"] is None  # type: ignore[index]
    assert screen.get("/live.jpg").status_code == 404
    assert sentence("screen.live-wait") in screen.get("/").text
