"""The day of one contest, and what goes wrong in it."""

from __future__ import annotations

from itertools import count, takewhile
from pathlib import Path

import pytest

from firmware.capture.camera import CameraFault
from firmware.panel.view import Answer
from firmware.receipt.printer import Printed, PrinterStatus, PrintOutcome
from firmware.records import Settled
from firmware.states import State
from firmware.station import Station
from tests.kiosks import (
    COPIES,
    PIN,
    STACK,
    PowerCut,
    Room,
    cut_at,
    press,
    refuse_once,
    settle,
    take_all_pages,
    whole_contest,
)


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory)


def notice(station: Station) -> str | None:
    shown = station.view().notice
    return shown.key if shown else None


def record_values(room: Room) -> dict[str, int | None]:
    (stored,) = room.ledger.records()
    return {entry["id"]: entry["value"] for entry in stored.sealed.payload["fields"]}


# --- the day


def test_a_form_is_scanned_checked_sealed_printed(room: Room) -> None:
    station = whole_contest(room)
    (stored,) = room.ledger.records()
    assert record_values(room) == room.values
    assert [page["sha256"].hex() for page in stored.sealed.payload["pages"]] == [
        page.picture for page in station.view().pages
    ]
    assert [strip.receipt.copy for strip in room.printer.out] == [1, 2]
    assert station.view().record.sha256 == stored.sealed.sha256.hex()  # type: ignore[union-attr]


def test_pages_come_in_any_order_and_are_told_apart(room: Room) -> None:
    station = room.switch_on()
    press(station)
    assert [bool(page.picture) for page in station.view().pages] == [False, True, False]
    assert notice(station) == "screen.page-good"
    assert station.view().state is State.PREVIEWING
    press(station)
    press(station)
    assert station.view().state is State.REVIEWING


def test_a_number_is_corrected_and_the_machine_s_reading_stays_beside_it(room: Room) -> None:
    room.desk[0] = "page 2 suara_1=X?1"
    station = room.switch_on()
    shown = {entry.id: entry for entry in take_all_pages(station).fields}
    assert shown["suara_1"].asked
    assert shown["suara_1"].machine is None
    settle(station, room.values)
    station.seal("ketua", PIN)
    (stored,) = room.ledger.records()
    fields = {entry["id"]: entry for entry in stored.sealed.payload["fields"]}
    assert fields["suara_1"]["value"] == room.values["suara_1"]
    assert fields["suara_1"]["machine"]["text"] == "X?1"
    assert fields["suara_1"]["settled"] == Settled.TYPED
    assert fields["suara_2"]["settled"] == Settled.CONFIRMED


def test_a_wrong_correction_is_undone(room: Room) -> None:
    station = room.switch_on()
    take_all_pages(station)
    station.correct("suara_1", 999)
    assert station.view().failed
    assert station.undo() is Answer.ACCEPTED
    field = next(entry for entry in station.view().fields if entry.id == "suara_1")
    assert (field.settled, field.value) == (None, room.values["suara_1"])
    assert not station.view().can_undo


def test_sums_that_do_not_fit_are_shown_recorded_and_block_nothing(room: Room) -> None:
    room.values = {**room.values, "suara_sah": 200}
    station = room.switch_on()
    view = take_all_pages(station)
    assert {"H5", "H6"} <= {check.rule for check in view.failed}
    assert next(entry for entry in view.fields if entry.id == "suara_sah").asked
    settle(station, room.values)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    (stored,) = room.ledger.records()
    assert {"H5", "H6"} <= {entry["rule"] for entry in stored.sealed.payload["failed"]}


# --- the wrong thing at the wrong time


def test_the_button_is_pressed_while_the_station_works(room: Room) -> None:
    room.later = []
    station = room.switch_on()
    assert press(station) is Answer.ACCEPTED
    assert station.view().state is State.CAPTURING
    assert press(station) is Answer.BUSY
    assert len(room.later) == 1
    room.later.pop()()
    assert station.view().state is State.PREVIEWING
    assert len(room.desk) == len(STACK) - 1


def test_sealing_is_tried_with_numbers_open(room: Room) -> None:
    station = room.switch_on()
    take_all_pages(station)
    assert station.seal("ketua", PIN) is Answer.UNSETTLED
    settle(station, room.values)
    assert station.seal("saksi", PIN) is Answer.REFUSED
    assert not room.ledger.records()


def test_a_number_is_changed_after_the_seal(room: Room) -> None:
    station = whole_contest(room)
    assert station.correct("suara_1", 1) is Answer.NOT_NOW
    assert station.undo() is Answer.NOT_NOW
    assert press(station) is Answer.NOT_NOW
    assert record_values(room) == room.values


@pytest.mark.parametrize("value", [-1, 1000])
def test_a_number_that_no_form_holds_is_typed(room: Room, value: int) -> None:
    station = room.switch_on()
    take_all_pages(station)
    assert station.correct("suara_1", value) is Answer.REFUSED
    assert not station.view().can_undo


# --- the wrong paper


@pytest.mark.parametrize(
    ("shot", "sentence"),
    [
        ("wall", "page.no-form"),
        ("other 1", "page.other-form"),
        ("page 2", "page.same-picture"),
        (CameraFault.GONE, "camera.gone"),
    ],
)
def test_a_picture_is_not_used_and_the_next_press_goes_on(room: Room, shot: str | CameraFault, sentence: str) -> None:
    room.desk = ["page 2", shot, "page 1", "page 3"]
    station = room.switch_on()
    press(station)
    press(station)
    assert notice(station) == sentence
    assert station.view().state is State.PREVIEWING
    press(station)
    press(station)
    assert station.view().state is State.REVIEWING


@pytest.mark.parametrize("replace", [False, True])
def test_a_page_comes_twice_and_a_person_chooses(room: Room, replace: bool) -> None:
    room.desk = ["page 2", "page 2 again", "page 1", "page 3"]
    station = room.switch_on()
    press(station)
    first = station.view().pages[1].picture
    press(station)
    assert station.view().pending == 2
    assert press(station) is Answer.NOT_NOW
    station.choose(replace=replace)
    assert station.view().pending is None
    assert (station.view().pages[1].picture != first) is replace
    assert len(room.desk) == 2
    press(station)
    press(station)
    assert station.view().state is State.REVIEWING


def test_a_page_is_taken_again_during_the_review(room: Room) -> None:
    room.desk = ["page 2 suara_1=X?1", "page 1", "page 3", "page 2"]
    station = room.switch_on()
    take_all_pages(station)
    station.correct("suara_1", 7)
    station.accept(["pemilih_dpt_l"])
    old = station.view().pages[1].picture
    press(station)
    station.choose(replace=True)
    fields = {entry.id: entry for entry in station.view().fields}
    assert fields["suara_1"].settled is None
    assert fields["suara_1"].value == room.values["suara_1"]
    assert fields["pemilih_dpt_l"].settled is Settled.CONFIRMED
    assert old
    assert room.ledger.picture(old), "the replaced picture is kept"


# --- the printer


def test_paper_runs_out_while_printing_and_the_rest_is_printed_later(room: Room) -> None:
    room.printer.outcomes = [
        PrintOutcome(Printed.CONFIRMED, PrinterStatus.READY),
        PrintOutcome(Printed.DOUBTFUL, PrinterStatus.PAPER_OUT),
    ]
    station = whole_contest(room)
    prints = station.view().prints
    assert prints is not None
    assert (prints.printed, prints.doubtful, prints.problem) == (1, (2,), "printer.paper-out")
    station.reprint()
    assert len(room.printer.out) == 1, "nobody has said yet what lies there"
    assert station.judge_strip(2, whole=False) is Answer.ACCEPTED
    assert station.reprint() is Answer.ACCEPTED
    assert [(strip.receipt.copy, strip.receipt.reprint) for strip in room.printer.out] == [(1, False), (2, True)]
    assert station.view().prints.problem is None  # type: ignore[union-attr]
    assert len(room.ledger.records()) == 1


def test_the_strip_that_was_doubtful_came_out_whole(room: Room) -> None:
    room.printer.outcomes = [PrintOutcome(Printed.DOUBTFUL, PrinterStatus.READY)]
    station = whole_contest(room)
    assert station.judge_strip(1, whole=True) is Answer.ACCEPTED
    station.reprint()
    assert [(strip.receipt.copy, strip.receipt.reprint) for strip in room.printer.out] == [(2, False)]


def test_the_cover_is_open_before_printing(room: Room) -> None:
    room.printer.status_now = PrinterStatus.COVER_OPEN
    station = whole_contest(room)
    assert station.view().prints.problem == "printer.cover-open"  # type: ignore[union-attr]
    room.printer.status_now = PrinterStatus.READY
    station.reprint()
    assert [strip.receipt.reprint for strip in room.printer.out] == [False] * COPIES


def test_receipts_are_printed_again_and_say_so(room: Room) -> None:
    station = whole_contest(room)
    station.reprint()
    assert [strip.receipt.reprint for strip in room.printer.out] == [False] * COPIES + [True] * COPIES


# --- faults and power cuts


@pytest.mark.parametrize("step", ["keep_picture", "read", "sign", "commit"])
def test_something_fails_and_trying_again_goes_on(room: Room, step: str) -> None:
    room.trouble = refuse_once(step, "ledger-full")
    station = room.switch_on()
    finish(room, station)
    assert record_values(room) == room.values


def finish(room: Room, station: Station) -> None:
    """Whatever the screen asks, until the contest is done; the paper is brought again where a picture was lost."""
    for _ in range(40):
        view = station.view()
        if view.state is State.IDLE and not (view.prints and view.prints.problem):
            return
        if view.state is State.FAULT:
            station.retry()
        elif view.state is State.IDLE and view.prints and view.prints.doubtful:
            assert station.judge_strip(view.prints.doubtful[0], whole=False) is Answer.ACCEPTED
        elif view.state is State.IDLE:
            station.reprint()
        elif view.pending is not None:
            station.choose(replace=False)
        elif view.state is State.REVIEWING:
            settle(station, room.values)
            station.seal("ketua", PIN)
        else:
            missing = next(page.number for page in view.pages if page.picture is None)
            room.desk = [f"page {missing}"]
            press(station)
    raise AssertionError(f"stuck in {station.view().state}, {station.view().notice}")


def _killed_at(folder: Path, moment: int) -> bool:
    """One contest with a power cut at step `moment`; False when the contest was over before."""
    order: list[str] = []
    room = Room(folder)
    cut = cut_at(moment)

    def trouble(step: str) -> None:
        order.append(step)
        cut(step)

    room.trouble = trouble
    try:
        finish(room, room.switch_on())
        return False
    except PowerCut:
        finish(room, room.switch_on())
    assert record_values(room) == room.values
    assert {strip.receipt.copy for strip in room.printer.out} == set(range(1, COPIES + 1))
    assert len(room.sealed) == 1, "nothing is sealed twice"
    assert order.index("commit done") < order.index("print"), "only what is on disk is printed"
    return True


def test_the_power_is_cut_at_every_moment(memory: Path) -> None:
    moments = takewhile(lambda moment: _killed_at(memory / str(moment), moment), count(1))
    assert len(list(moments)) > 20


def test_a_kiosk_that_was_killed_says_so(room: Room) -> None:
    station = room.switch_on()
    press(station)
    again = room.switch_on()
    assert notice(again) == "screen.resumed"
    assert [bool(page.picture) for page in again.view().pages] == [False, True, False]


def test_a_stored_picture_is_damaged(room: Room) -> None:
    station = room.switch_on()
    press(station)
    name = station.view().pages[1].picture or ""
    (room.folder / "ledger" / "pictures" / name[:2] / name).write_bytes(b"x")
    again = room.switch_on()
    assert again.view().state is State.FAULT
    assert notice(again) == "error.ledger-picture-damaged"


def test_an_unknown_mistake_is_shown_and_written_down(room: Room) -> None:
    def trouble(step: str) -> None:
        if step == "recognise":
            raise ZeroDivisionError

    room.trouble = trouble
    station = room.switch_on()
    press(station)
    assert (station.view().state, notice(station)) == (State.FAULT, "error.internal")
    room.trouble = lambda step: None
    assert any(event.fields.get("code") == "ZeroDivisionError" for event in room.ledger.events())
