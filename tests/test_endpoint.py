"""Who may press on the screen: our own pages in a browser on this machine, and nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from firmware.station import Station
from tests.kiosks import Room, take_all_pages
from tests.screens import HOST, PORT, screen_of, token


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


def test_another_site_presses_the_button(screen: FlaskClient, room: Room) -> None:
    mine = token(screen)
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert screen.post("/press", data={"token": mine}, headers=headers).status_code == 403
    assert len(room.desk) == 3, "no picture was taken"


@pytest.mark.parametrize("guess", ["", "x", "é"])
def test_a_form_without_this_sessions_token_is_posted(screen: FlaskClient, room: Room, guess: str) -> None:
    token(screen)
    assert screen.post("/press", data={"token": guess}).status_code == 403
    assert len(room.desk) == 3


def test_a_token_is_used_without_its_session(screen: FlaskClient, room: Room) -> None:
    mine = token(screen)
    screen.delete_cookie("c1kiosk", domain="127.0.0.1")
    assert screen.post("/press", data={"token": mine}).status_code == 403


def test_our_own_page_presses_the_button(screen: FlaskClient) -> None:
    headers = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert screen.post("/press", data={"token": token(screen)}, headers=headers).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}"])
@pytest.mark.parametrize("path", ["/", "/progress", "/v1/records", "/static/screen.css"])
def test_a_foreign_name_is_pointed_at_loopback(screen: FlaskClient, host: str, path: str) -> None:
    assert screen.get(path, headers={"Host": host}).status_code == 421


def test_every_answer_forbids_foreign_content_and_framing(screen: FlaskClient) -> None:
    for path in ("/", "/nothing", "/v1/records", "/static/screen.js"):
        policy = screen.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_no_page_has_code_or_style_in_it(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    for path in ("/", "/field/suara_1", "/page/1/1", "/pages"):
        text = screen.get(path, follow_redirects=True).text
        assert not re.search(r"<script(?! src=)|<style|\son[a-z]+=|\sstyle=", text)


def test_two_tabs_of_one_browser_both_press(screen: FlaskClient) -> None:
    first, second = token(screen), token(screen)
    for mine in (first, second, first):
        assert screen.post("/press", data={"token": mine}, headers={"Origin": f"http://{HOST}"}).status_code == 303


def test_another_browser_uses_this_ones_token(screen: FlaskClient, room: Room) -> None:
    mine = token(screen)
    with screen.application.test_client() as other:
        token(other)
        assert other.post("/press", data={"token": mine}).status_code == 403
    assert len(room.desk) == 3
