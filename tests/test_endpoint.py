"""The screen and the local API: who may press, and what a press does. The station behind it is a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from firmware.capture.camera import CameraFault, Preview
from firmware.endpoint.app import create_app
from firmware.endpoint.sources import Sources
from firmware.endpoint.station_client import StationClient
from firmware.messages import sentence
from firmware.panel.service import create_app as create_panel
from firmware.records import Delivery, DeliveryState, Frame, Settled
from firmware.states import State
from firmware.station import Station
from tests.kiosks import PIN, Room, frame, settle, take_all_pages
from tests.test_guidance import sheet

PORT = 8123
HOST = f"127.0.0.1:{PORT}"


class Browser(FlaskClient):
    """A browser on this machine, on our own address."""

    def open(self, *arguments: Any, **keywords: Any) -> TestResponse:
        keywords.setdefault("base_url", f"http://{HOST}")
        return super().open(*arguments, **keywords)


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory)


@pytest.fixture
def station(room: Room) -> Station:
    return room.switch_on()


@pytest.fixture
def screen(room: Room, station: Station) -> Iterator[FlaskClient]:
    panel = httpx.Client(transport=httpx.WSGITransport(app=create_panel(station)), base_url="http://kiosk")
    app = create_app(Sources(StationClient(panel), room.folder / "ledger", room.folder / "trust"), PORT)
    app.test_client_class = Browser
    with app.test_client() as client:
        yield client


def token(screen: FlaskClient) -> str:
    found = re.search(r'name="token" value="([^"]+)"', screen.get("/", follow_redirects=True).text)
    assert found
    return found[1]


def post(screen: FlaskClient, path: str, **inputs: str) -> TestResponse:
    return screen.post(path, data={"token": token(screen), **inputs}, follow_redirects=True)


def kind(answer: TestResponse) -> str:
    found = re.search(r'<main class="([a-z]+)"', answer.text)
    assert found, answer.text
    return found[1]


# --- who may press


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


# --- pages and questions


def test_a_page_is_scanned_from_the_screen(screen: FlaskClient) -> None:
    answer = post(screen, "/press")
    assert kind(answer) == "pages"
    assert "Halaman 2 terbaca baik" in answer.text


def test_a_refused_picture_says_what_to_do(screen: FlaskClient, room: Room) -> None:
    room.desk = [CameraFault.GONE]
    assert "Periksa kabel kamera" in post(screen, "/press").text


def test_the_station_works_and_the_button_is_pressed_again(screen: FlaskClient, room: Room) -> None:
    room.later = []
    assert kind(post(screen, "/press")) == "working"
    assert "Mesin masih bekerja" in post(screen, "/press").text
    assert len(room.later) == 1


def test_a_field_the_machine_cannot_read_has_no_number_to_agree_with(screen: FlaskClient, room: Room) -> None:
    room.desk[0] = "page 2 suara_1=X?1"
    for _ in range(3):
        answer = post(screen, "/press")
    assert kind(answer) == "field"
    assert 'value="agree"' not in answer.text
    assert "X?1" in answer.text
    assert "Ketik angkanya dulu" in post(screen, "/field/suara_1", do="enter").text


def test_an_asked_field_is_typed_key_by_key_without_javascript(
    screen: FlaskClient, room: Room, station: Station
) -> None:
    room.desk[0] = "page 2 suara_1=X?1"
    take_all_pages(station)
    typed = ""
    for key in "9", "back", "6", "1":
        answer = post(screen, "/field/suara_1", typed=typed, key=key)
        typed = re.search(r'name="typed" value="([0-9]*)"', answer.text)[1]  # type: ignore[index]
    assert typed == "61"
    answer = post(screen, "/field/suara_1", typed=typed, do="enter")
    assert kind(answer) == "overview"
    field = next(entry for entry in station.view().fields if entry.id == "suara_1")
    assert (field.value, field.settled) == (61, Settled.TYPED)


def test_more_digits_are_typed_than_there_are_boxes(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    post(screen, "/field/suara_1", typed="12345", do="save")
    assert next(entry for entry in station.view().fields if entry.id == "suara_1").value == 123


def test_nothing_is_written_in_the_boxes(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    post(screen, "/field/suara_1", do="empty")
    field = next(entry for entry in station.view().fields if entry.id == "suara_1")
    assert (field.value, field.settled) == (None, Settled.CORRECTED)


def test_a_correction_returns_to_where_it_came_from(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    data = {"token": token(screen), "typed": "1", "do": "save", "back": "/page/2/1"}
    assert screen.post("/field/suara_1", data=data).location == "/page/2/1"
    data["back"] = "//evil.example/"
    assert screen.post("/field/suara_1", data=data).location == "/"


def test_agreeing_with_a_screen_of_numbers_settles_only_those(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    post(screen, "/page/2/1")
    settled = {entry.id for entry in station.view().fields if entry.settled}
    assert settled == {"suara_1", "suara_2", "suara_3"}
    post(screen, "/undo")
    assert not any(entry.settled for entry in station.view().fields)


def test_sums_that_do_not_fit_come_before_the_last_look(screen: FlaskClient, room: Room, station: Station) -> None:
    room.values = {**room.values, "surat_suara_sisa": 91}
    take_all_pages(station)
    settle(station, room.values)
    answer = screen.get("/", follow_redirects=True)
    assert answer.request.path == "/sums"
    assert "91" in answer.text
    assert answer.text.count("<img") >= 4


@pytest.mark.parametrize("path", ["/last", "/seal", "/sums"])
def test_the_seal_is_tried_by_its_address_with_numbers_open(screen: FlaskClient, station: Station, path: str) -> None:
    take_all_pages(station)
    assert screen.get(path).location == "/"
    assert "belum diperiksa" in post(screen, "/seal").text


def test_the_ketua_seals_and_the_screen_tells_the_truth_about_delivery(
    screen: FlaskClient, room: Room, station: Station
) -> None:
    take_all_pages(station)
    settle(station, room.values)
    room.deliveries = (Delivery(b"", "kpu", DeliveryState.WAITING, 2, None, "no-network"),)
    waiting = post(screen, "/seal", pin=PIN)
    assert station.view().state is State.IDLE
    assert "Menunggu dikirim" in waiting.text
    assert sentence("delivery.no-network") in waiting.text
    before = screen.get("/progress").json
    room.deliveries = (Delivery(b"", "kpu", DeliveryState.ACKNOWLEDGED, 3, b"ack", None),)
    assert screen.get("/progress").json != before, "the page asks again and shows it"
    assert "ada tanda terima" in screen.get("/").text


def test_the_language_is_switched(screen: FlaskClient) -> None:
    assert "Scan the page" in post(screen, "/language").text
    assert "Pindai halaman" in post(screen, "/language").text


def test_unknown_fields_and_pages_are_asked_for(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    assert screen.get("/field/nothing").location == "/"
    assert screen.get("/page/9/1").location == "/"
    assert screen.get("/field/nothing.png").status_code == 404
    assert screen.get("/page/9.jpg").status_code == 404
    assert screen.post("/field/nothing", data={"token": token(screen)}).status_code == 404


def test_pictures_of_pages_and_boxes(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    assert screen.get("/field/suara_1.png").data.startswith(b"\x89PNG")
    assert screen.get("/page/1.jpg").status_code == 200


def test_the_station_is_away(room: Room, tmp_path: Path) -> None:
    away = StationClient.at(tmp_path / "nobody.sock")
    app = create_app(Sources(away, room.folder / "ledger", room.folder / "trust"), PORT)
    answer = app.test_client().get("/", headers={"Host": HOST})
    assert answer.status_code == 503
    assert "menyala ulang" in answer.text


# --- the live view


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


def seen_by(screen: FlaskClient, station: Station) -> Station:
    """The screen of this station from now on."""
    panel = httpx.Client(transport=httpx.WSGITransport(app=create_panel(station)), base_url="http://kiosk")
    screen.application.extensions["station"] = StationClient(panel)
    return station
