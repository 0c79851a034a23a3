"""The screens of a contest: pages, questions, numbers, sums, the seal. The station behind them is a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from firmware.capture.camera import CameraFault
from firmware.endpoint.app import create_app
from firmware.endpoint.sources import Sources
from firmware.endpoint.station_client import StationClient
from firmware.messages import sentence
from firmware.records import Delivery, DeliveryState, Settled
from firmware.states import State
from firmware.station import Station
from tests.kiosks import PIN, Room, settle, take_all_pages
from tests.screens import HOST, PORT, kind, post, screen_of, shown, token


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


def test_a_number_is_changed_in_another_tab_before_it_is_agreed_to(screen: FlaskClient, station: Station) -> None:
    """Nobody agrees with a number that does not stand any more: on its own, on a page of numbers, or under the seal."""
    take_all_pages(station)
    for path, inputs in (("/field/suara_1", {"do": "agree"}), ("/page/2/1", {})):
        before = shown(screen, path)
        station.correct("suara_1", 7)
        answer = post(screen, path, **before, **inputs)
        assert sentence("screen.changed-meanwhile") in answer.text
        assert answer.request.path == path
        station.undo()
    assert not any(entry.settled for entry in station.view().fields)


def test_a_number_is_changed_in_another_tab_before_the_seal(screen: FlaskClient, room: Room, station: Station) -> None:
    take_all_pages(station)
    settle(station, room.values)
    before = shown(screen, "/seal")
    station.correct("suara_1", 7)
    answer = post(screen, "/seal", **before, pin=PIN)
    assert kind(answer) == "last"
    assert sentence("screen.changed-meanwhile") in answer.text
    assert not room.sealed


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
    assert screen.get("/field/nothing.jpg").status_code == 404
    assert screen.get("/page/9.jpg").status_code == 404
    assert screen.post("/field/nothing", data={"token": token(screen)}).status_code == 404


def test_pictures_of_pages_and_boxes(screen: FlaskClient, station: Station) -> None:
    take_all_pages(station)
    assert screen.get("/field/suara_1.jpg").data.startswith(b"\xff\xd8")
    assert screen.get("/page/1.jpg").status_code == 200


def test_the_station_is_away(room: Room, tmp_path: Path) -> None:
    away = StationClient.at(tmp_path / "nobody.sock")
    app = create_app(Sources(away, room.folder / "ledger", room.folder / "trust"), PORT)
    answer = app.test_client().get("/", headers={"Host": HOST})
    assert answer.status_code == 503
    assert "menyala ulang" in answer.text
