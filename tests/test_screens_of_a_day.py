"""The screens that frame a day: opening, the list of contests, strips one by one, corrections, closing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from firmware.day.day import Checked
from firmware.endpoint.station_client import StationAway
from firmware.errors import Refused
from firmware.messages import LANGUAGES, sentence
from firmware.panel.view import ContestStage
from firmware.parts import Place
from firmware.receipt.fingerprint import short_fingerprint
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.records import Delivery, DeliveryState, Mode, Reason
from firmware.states import State
from firmware.station import Station
from tests.kiosks import CONTEST, DPR, FORM, MOMENT, PIN, Room, press, settle, take_all_pages
from tests.screens import kind, post, screen_of

WRONG = "111112"
TEMPLATES = Path(__file__).parent.parent / "firmware" / "endpoint" / "templates"
CHECKS = [
    Checked("tps", True, "3276051004003"),
    Checked("key", True, "C1K-0042, tpm"),
    Checked("printer", False, "paper-out", needed=False),
    Checked("clock", False, str(MOMENT.unix), needed=False),
]


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory, begins_open=False, forms=(FORM, DPR), found=list(CHECKS))


@pytest.fixture
def station(room: Room) -> Station:
    return room.switch_on()


@pytest.fixture
def screen(room: Room, station: Station) -> Iterator[FlaskClient]:
    with screen_of(room, station) as client:
        yield client


def open_day(station: Station) -> None:
    station.examine()
    station.open_day(PIN, 0)


def sealed(room: Room, station: Station) -> None:
    """The first contest from the first press to its strips."""
    if station.view().state is not State.IDLE:
        open_day(station)
    take_all_pages(station)
    settle(station, room.values)
    station.seal("ketua", PIN)


# --- opening


def test_the_first_screen_says_what_this_is_and_how_to_begin(screen: FlaskClient) -> None:
    answer = screen.get("/")
    assert kind(answer) == "closed"
    assert sentence("screen.what-it-is") in answer.text
    assert 'action="/examine"' in answer.text


def test_the_kiosk_looks_at_itself_before_anybody_can_open(screen: FlaskClient, room: Room) -> None:
    room.later = []
    assert kind(post(screen, "/examine")) == "working"
    room.later.pop()()
    answer = screen.get("/")
    assert kind(answer) == "opening"
    assert sentence("printer.paper-out") in answer.text, "the printer says itself what it needs"
    assert "15-02-2029 04:00 WIB" in answer.text, "a clock that nobody has set is read by a person"


def test_what_is_needed_is_missing(screen: FlaskClient, room: Room, station: Station) -> None:
    room.found.append(Checked("ledger", False, "ledger-hash"))
    answer = post(screen, "/examine")
    assert 'name="pin"' not in answer.text
    assert sentence("screen.opening-not-ready") in answer.text
    assert "belum dapat dibuka" in post(screen, "/open", pin=PIN).text
    assert station.view().state is State.OPENING


def test_the_ketua_opens_the_day_for_five_witnesses(screen: FlaskClient, station: Station, room: Room) -> None:
    post(screen, "/examine")
    assert kind(post(screen, "/open", pin=PIN, witnesses="5")) == "day"
    assert station.view().day.copies == 7
    assert len(room.printer.out) == 1, "the strip of the opening"


def test_the_wrong_pin_opens_nothing_and_the_witnesses_stay_counted(screen: FlaskClient, station: Station) -> None:
    post(screen, "/examine")
    answer = post(screen, "/open", pin=WRONG, witnesses="3")
    assert sentence("screen.answer-pin-wrong") in answer.text
    assert 'name="witnesses" value="3"' in answer.text
    assert station.view().state is State.OPENING


def test_a_pin_is_typed_by_touch_without_javascript(screen: FlaskClient, station: Station) -> None:
    post(screen, "/examine")
    pin, witnesses = "", "0"
    for key in ("9", "back", "more", *PIN):
        answer = post(screen, "/open", pin=pin, witnesses=witnesses, key=key)
        assert answer.request.query_string == b"", "the PIN is in no address"
        pin = re.search(r'name="pin" value="([0-9]*)"', answer.text)[1]  # type: ignore[index]
        witnesses = re.search(r'name="witnesses" value="([0-9]*)"', answer.text)[1]  # type: ignore[index]
    assert (pin, witnesses) == (PIN, "1")
    assert kind(post(screen, "/open", pin=pin, witnesses=witnesses)) == "day"


def test_more_witnesses_are_counted_than_there_are_parties(screen: FlaskClient, station: Station) -> None:
    post(screen, "/examine")
    answer = post(screen, "/open", witnesses="24", key="more")
    assert 'name="witnesses" value="24"' in answer.text
    assert 'name="witnesses" value="0"' in post(screen, "/open", witnesses="0", key="fewer").text
    assert 'name="witnesses" value="0"' in post(screen, "/open", witnesses="-9", key="fewer").text


def test_too_many_wrong_pins_lock_the_keypad(screen: FlaskClient, station: Station) -> None:
    post(screen, "/examine")
    for _ in range(3):
        answer = post(screen, "/open", pin=WRONG)
    assert re.search(r'data-wait="(29|30)"', answer.text)
    assert 'name="pin"' not in answer.text
    assert sentence("screen.answer-pin-locked") in post(screen, "/open", pin=PIN).text
    assert station.view().state is State.OPENING


def test_the_opening_is_left_again(screen: FlaskClient) -> None:
    post(screen, "/examine")
    assert kind(post(screen, "/back")) == "closed"


# --- contests of the day


def test_a_page_of_another_contest_is_put_down(screen: FlaskClient, room: Room, station: Station) -> None:
    """Each contest keeps its pages; one is put aside and taken up again."""
    open_day(station)
    room.desk = ["page 2", "dpr 1"]
    post(screen, "/press")
    assert "C.Hasil DPR" in post(screen, "/press").text
    answer = post(screen, "/aside")
    assert kind(answer) == "day"
    assert "1/3" in answer.text
    assert "1/6" in answer.text
    answer = post(screen, f"/contest/{CONTEST}")
    assert kind(answer) == "pages"
    assert answer.text.count('class="taken"') == 1


def test_an_unknown_contest_is_asked_for(screen: FlaskClient, station: Station) -> None:
    open_day(station)
    assert sentence("screen.answer-refused") in post(screen, "/contest/nothing").text


def test_a_second_picture_of_a_page_waits_for_a_choice(screen: FlaskClient, room: Room, station: Station) -> None:
    open_day(station)
    room.desk = ["page 2", "page 2 again"]
    post(screen, "/press")
    answer = post(screen, "/press")
    assert "/page/new.jpg" in answer.text
    assert 'action="/aside"' not in answer.text, "nothing else is to be done now"
    assert "/page/new.jpg" not in post(screen, "/pending/replace").text
    assert post(screen, "/pending/perhaps").status_code == 404


# --- strips


def test_the_paper_ran_out_in_a_strip(screen: FlaskClient, room: Room, station: Station) -> None:
    """A person is asked strip by strip; what did not come out whole is printed again."""
    open_day(station)
    room.printer.outcomes = [PrintOutcome(Printed.DOUBTFUL, PrinterStatus.PAPER_OUT)]
    sealed(room, station)
    answer = screen.get("/")
    assert kind(answer) == "done"
    assert sentence("screen.strip-whole", copy=1) in answer.text
    assert sentence("printer.paper-out") in answer.text
    answer = post(screen, "/strip/1/spoiled")
    assert "Struk tercetak: 0 dari 2" in answer.text
    assert "Struk tercetak: 2 dari 2" in post(screen, "/reprint").text
    assert post(screen, "/strip/1/perhaps").status_code == 404


def test_the_opening_strip_is_doubtful(screen: FlaskClient, room: Room, station: Station) -> None:
    room.printer.outcomes = [PrintOutcome(Printed.DOUBTFUL, PrinterStatus.READY)]
    open_day(station)
    answer = screen.get("/")
    assert kind(answer) == "day"
    assert sentence("screen.strip-whole", copy=1) in answer.text
    assert sentence("screen.strip-whole", copy=1) not in post(screen, "/strip/1/whole").text


# --- after the seal


def test_the_fingerprint_of_the_strip_is_on_the_screen(screen: FlaskClient, room: Room, station: Station) -> None:
    sealed(room, station)
    (sha256,) = room.sealed
    assert short_fingerprint(sha256) in screen.get("/").text


@pytest.mark.parametrize("state", list(DeliveryState))
def test_the_way_to_the_collector_is_told_as_it_is(
    screen: FlaskClient, room: Room, station: Station, state: DeliveryState
) -> None:
    sealed(room, station)
    room.deliveries = (Delivery(b"", "kpu", state, 2, None, None),)
    told = {other: sentence(f"screen.delivery-{other}") in screen.get("/").text for other in DeliveryState}
    assert told == {other: other is state for other in DeliveryState}


def test_the_collector_refuses_a_record_and_misses_pictures_of_another(
    screen: FlaskClient, room: Room, station: Station
) -> None:
    """The code is for the operator, who is told it on the telephone."""
    sealed(room, station)
    room.deliveries = (
        Delivery(b"", "kpu", DeliveryState.REFUSED, 1, None, "refused", detail="other-election"),
        Delivery(b"", "bawaslu", DeliveryState.ACKNOWLEDGED, 1, b"ack", None, pictures_left=2, bytes_left=8_312_345),
    )
    text = screen.get("/").text
    assert sentence("delivery.refused", detail="other-election") in text
    assert sentence("screen.pictures-left", count=2, size="8,4 MB") in text
    assert "8.4 MB" in post(screen, "/language").text


def test_a_sealed_result_is_corrected(screen: FlaskClient, room: Room, station: Station) -> None:
    sealed(room, station)
    assert all(sentence(f"reason.{reason}") in screen.get("/amend").text for reason in Reason)
    answer = post(screen, "/amend", reason="mistyped")
    assert kind(answer) in {"last", "overview"}
    assert sentence("screen.answer-unchanged") in post(screen, "/seal", pin=PIN).text
    post(screen, "/field/suara_1", typed="1", do="save")
    assert sentence("reason.mistyped") in screen.get("/seal").text
    assert kind(post(screen, "/seal", pin=PIN)) == "done"
    assert len(room.sealed) == 2


def test_a_correction_is_dropped(screen: FlaskClient, room: Room, station: Station) -> None:
    sealed(room, station)
    post(screen, "/amend", reason="wrong-page")
    assert 'action="/drop"' in screen.get("/last").text
    assert kind(post(screen, "/drop")) == "done"
    assert station.view().contests[0].stage is ContestStage.SEALED


def test_a_correction_without_a_reason_of_the_list(screen: FlaskClient, room: Room, station: Station) -> None:
    sealed(room, station)
    assert post(screen, "/amend", reason="because").status_code == 400
    assert screen.get("/amend").status_code == 200
    post(screen, "/aside")
    assert screen.get("/amend").location == "/"


# --- closing


def test_the_day_is_closed_with_a_contest_unsealed(screen: FlaskClient, room: Room, station: Station) -> None:
    sealed(room, station)
    post(screen, "/aside")
    answer = post(screen, "/review")
    assert kind(answer) == "closing"
    assert answer.text.count('<li class="sealed">') == 1
    assert answer.text.count('<li class="open">') == 1
    assert sentence("screen.answer-pin-wrong") in post(screen, "/close", pin=WRONG).text
    answer = post(screen, "/close", pin=PIN)
    assert kind(answer) == "closed"
    assert sentence("screen.closed-title", number="003") in answer.text
    assert sentence("screen.open-again") in answer.text
    (sha256,) = room.sealed
    assert short_fingerprint(sha256) in answer.text


def test_all_contests_are_sealed(memory: Path) -> None:
    room = Room(memory)
    station = room.switch_on()
    with screen_of(room, station) as screen:
        sealed_one = take_all_pages(station)
        assert sealed_one
        settle(station, room.values)
        station.seal("ketua", PIN)
        answer = post(screen, "/aside")
        assert sentence("screen.day-all-sealed") in answer.text
        assert 'action="/press"' not in answer.text


# --- worlds, words and faults


class TrainingRoom(Room):
    """The same kiosk on a training day."""

    @property
    def place(self) -> Place:
        return replace(super().place, mode=Mode.TRAINING)


def test_a_training_day_is_taken_for_a_real_one(memory: Path) -> None:
    room = TrainingRoom(memory)
    station = room.switch_on()
    banner = sentence("screen.mode-training")
    with screen_of(room, station) as screen:
        take_all_pages(station)
        for path in ("/", "/field/suara_1", "/page/1/1", "/pages"):
            text = screen.get(path, follow_redirects=True).text
            assert banner in text, path
            assert '<body class="training"' in text

        def away(watching: bool = False) -> None:
            raise StationAway

        screen.application.extensions["station"].view = away
        assert banner in screen.get("/").text, "also while the station does not answer"


def test_a_fault_has_no_sentence(screen: FlaskClient, room: Room, station: Station) -> None:
    """The screen that tells of a fault does not fail for want of words."""
    open_day(station)
    room.trouble = _refuse
    press(station)
    answer = screen.get("/")
    assert kind(answer) == "fault"
    assert sentence("error.internal") in answer.text
    assert sentence("screen.fault-held") in answer.text
    room.trouble = lambda _step: None
    assert kind(post(screen, "/retry")) == "day"


def _refuse(step: str) -> None:
    if step == "capture":
        raise Refused("never-heard-of")


def test_a_word_of_a_template_has_no_sentence() -> None:
    used = {name for path in TEMPLATES.glob("*.html") for name in re.findall(r't\("([a-z-]+)"[,)]', path.read_text())}
    assert len(used) > 80
    for name in used:
        for language in LANGUAGES:
            try:
                sentence(f"screen.{name}", language)
            except KeyError as problem:
                assert "no sentence" not in str(problem), problem
