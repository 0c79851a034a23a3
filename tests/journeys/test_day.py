"""A whole day: opened by the ketua, two contests, a correction, closed; and what goes wrong at its edges."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from firmware import delays
from firmware.day.day import Checked, Stage
from firmware.day.pin import FREE_TRIES
from firmware.panel.view import Answer, ContestStage, Paper
from firmware.receipt.printer import PrinterStatus
from firmware.records import Reason
from firmware.states import State
from firmware.station import Station
from tests.kiosks import COPIES, DPR, FORM, MOMENT, PIN, STACK, PowerCut, Room, cut_at, press, settle, take_all_pages

DPR_STACK = [f"dpr {number}" for number in (4, 1, 6, 5, 3, 2)]


@pytest.fixture
def room(memory: Path) -> Room:
    return Room(memory, forms=(FORM, DPR), begins_open=False)


def opened(room: Room, witnesses: int = 0) -> Station:
    station = room.switch_on()
    assert station.examine() is Answer.ACCEPTED
    assert station.open_day(PIN, witnesses) is Answer.ACCEPTED
    return station


def stages(station: Station) -> list[ContestStage]:
    return [entry.stage for entry in station.view().contests]


def bring(room: Room, station: Station, sheets: list[str]) -> None:
    room.desk = list(sheets)
    for _ in sheets:
        assert press(station) is Answer.ACCEPTED


def sealed(room: Room, station: Station) -> Station:
    """The presidential contest, to its receipts."""
    bring(room, station, list(STACK))
    settle(station, room.values)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    return station


def agree(station: Station) -> None:
    """Whatever the machine read."""
    assert station.accept([entry.id for entry in station.view().fields]) is Answer.ACCEPTED


def printed_text(room: Room) -> str:
    return repr(room.printer.out[-1])


# --- opening


def test_the_day_is_opened_with_what_the_kiosk_found_about_itself(room: Room) -> None:
    station = room.switch_on()
    assert station.view().state is State.CLOSED
    assert press(station) is Answer.NOT_NOW
    station.examine()
    view = station.view()
    assert (view.state, view.day.checks, view.day.may_open) == (State.OPENING, tuple(room.found), True)
    assert station.open_day(PIN) is Answer.ACCEPTED
    view = station.view()
    assert (view.state, view.day.stage, view.day.opened_at) == (State.IDLE, Stage.OPEN, MOMENT)
    assert view.prints is not None
    assert (view.prints.paper, view.prints.printed, view.prints.problem) == (Paper.OPENING, 1, None)
    assert len(room.printer.out) == 1


def test_a_kiosk_without_its_key_opens_no_day(room: Room) -> None:
    room.found.append(Checked("key", False, "signer-unreachable"))
    station = room.switch_on()
    station.examine()
    assert not station.view().day.may_open
    assert station.open_day(PIN) is Answer.NOT_READY
    room.found.pop()
    station.examine()
    assert station.open_day(PIN) is Answer.ACCEPTED


def test_the_printer_has_no_paper_in_the_morning(room: Room) -> None:
    """It can be mended on the way; the day is opened, and the strip waits."""
    room.found[-1] = Checked("printer", False, "paper-out", needed=False)
    room.printer.status_now = PrinterStatus.PAPER_OUT
    station = opened(room)
    assert station.view().prints.problem == "printer.paper-out"  # type: ignore[union-attr]
    room.printer.status_now = PrinterStatus.READY
    assert room.printer.out == [], "loading paper lets nothing loose"
    station.reprint()
    assert "!" in printed_text(room), "the strip says what was wrong"


def test_nobody_opens_a_day_that_was_not_looked_at(room: Room) -> None:
    room.later = []
    station = room.switch_on()
    station.examine()
    assert station.view().day.checks is None
    assert station.open_day(PIN) is Answer.BUSY
    room.later.pop()()
    assert station.view().day.may_open
    assert station.back() is Answer.ACCEPTED
    assert station.view().state is State.CLOSED


def test_the_wrong_person_types_a_pin(room: Room) -> None:
    now = [5000.0]
    room.clock = lambda: now[0]
    station = room.switch_on()
    station.examine()
    for _ in range(FREE_TRIES):
        assert station.open_day("999111") is Answer.PIN_WRONG
    assert station.open_day(PIN) is Answer.PIN_LOCKED
    assert station.view().pin_wait == delays.PIN_FIRST_LOCK
    now[0] += delays.PIN_FIRST_LOCK
    assert station.open_day(PIN) is Answer.ACCEPTED
    wrong = [event.fields for event in room.ledger.events() if event.fields["event"] == "pin.wrong"]
    assert [entry["wrong"] for entry in wrong] == [1, 2, 3]


def test_every_witness_gets_a_receipt_and_so_do_pengawas_and_kpps(room: Room) -> None:
    sealed(room, opened(room, witnesses=3))
    assert [strip.receipt.copy for strip in room.printer.out[1:]] == [1, 2, 3, 4, 5]


# --- the contests of the day


def test_a_page_says_which_contest_it_is_of(room: Room) -> None:
    station = opened(room)
    bring(room, station, ["dpr 2"])
    assert station.view().contest == "dpr"
    bring(room, station, ["page 1"])
    assert station.view().contest == "ppwp"
    assert stages(station) == [ContestStage.BEGUN, ContestStage.BEGUN]
    bring(room, station, ["page 2", "page 3"])
    assert station.view().state is State.REVIEWING


def test_a_page_of_another_contest_comes_in_the_middle_of_a_review(room: Room) -> None:
    station = opened(room)
    bring(room, station, [*STACK, "dpr 1"])
    assert station.view().notice.key == "page.other-form"  # type: ignore[union-attr]
    assert station.view().state is State.REVIEWING


def test_a_contest_is_put_aside_and_taken_up_again(room: Room) -> None:
    station = opened(room)
    bring(room, station, list(STACK))
    station.correct("suara_1", 7)
    assert station.pick("") is Answer.ACCEPTED
    assert station.view().state is State.IDLE
    bring(room, station, ["dpr 1"])
    assert station.pick("ppwp") is Answer.ACCEPTED
    field = next(entry for entry in station.view().fields if entry.id == "suara_1")
    assert (station.view().state, field.value) == (State.REVIEWING, 7)
    assert station.pick("no-such") is Answer.REFUSED


def test_two_contests_are_sealed_one_after_the_other(room: Room) -> None:
    station = sealed(room, opened(room))
    bring(room, station, DPR_STACK)
    agree(station)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    assert stages(station) == [ContestStage.SEALED, ContestStage.SEALED]
    assert [stored.sealed.payload["contest"] for stored in room.ledger.records()] == ["ppwp", "dpr"]
    assert press(station) is Answer.NOT_NOW, "no page is wanted any more"


def test_a_page_of_a_sealed_contest_is_laid_down_again(room: Room) -> None:
    station = sealed(room, opened(room))
    bring(room, station, ["page 1"])
    assert station.view().notice.key == "page.sealed"  # type: ignore[union-attr]
    assert len(room.ledger.records()) == 1


# --- corrections


def test_a_sealed_number_was_wrong(room: Room) -> None:
    station = sealed(room, opened(room))
    assert station.amend(Reason.MISTYPED) is Answer.ACCEPTED
    view = station.view()
    assert (view.state, view.correcting, view.record) == (State.REVIEWING, Reason.MISTYPED, None)
    assert all(entry.settled for entry in view.fields), "what was sealed is not asked again"
    assert station.seal("ketua", PIN) is Answer.UNCHANGED
    station.correct("suara_1", 7)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    first, second = (stored.sealed for stored in room.ledger.records())
    assert (second.payload["supersedes"], second.payload["reason"]) == (first.sha256, "mistyped")
    values = [next(f["value"] for f in entry.payload["fields"] if f["id"] == "suara_1") for entry in (first, second)]
    assert values == [room.values["suara_1"], 7]
    assert station.view().record.sequence == 2  # type: ignore[union-attr]
    assert [strip.receipt.reprint for strip in room.printer.out[-COPIES:]] == [False] * COPIES


def test_a_correction_is_begun_by_mistake(room: Room) -> None:
    station = sealed(room, opened(room))
    station.amend(Reason.MISTYPED)
    station.correct("suara_1", 7)
    assert station.drop_correction() is Answer.ACCEPTED
    view = station.view()
    assert (view.state, view.correcting) == (State.IDLE, None)
    assert view.record is not None
    station.amend(Reason.MISTYPED)
    field = next(entry for entry in station.view().fields if entry.id == "suara_1")
    assert field.value == room.values["suara_1"]


def test_a_wrong_page_was_sealed(room: Room) -> None:
    station = sealed(room, opened(room))
    station.amend(Reason.WRONG_PAGE)
    bring(room, station, ["page 2 better"])
    assert station.choose(replace=True) is Answer.ACCEPTED
    settle_open(station, room)
    assert station.seal("ketua", PIN) is Answer.ACCEPTED
    first, second = (stored.sealed.payload["pages"] for stored in room.ledger.records())
    changed = [one["page"] for one, other in zip(first, second, strict=True) if one["sha256"] != other["sha256"]]
    assert changed == [2]


def settle_open(station: Station, room: Room) -> None:
    assert station.accept([entry.id for entry in station.view().fields if entry.settled is None]) is Answer.ACCEPTED


@pytest.mark.parametrize("moment", range(1, 30))
def test_the_power_is_cut_during_a_correction(memory: Path, moment: int) -> None:
    room = Room(memory, forms=(FORM,), begins_open=False)
    station = sealed(room, opened(room))
    room.trouble = room.printer.trouble = cut_at(moment)
    try:
        station = room.switch_on()
        station.amend(Reason.MISTYPED)
        station.correct("suara_1", 7)
        station.seal("ketua", PIN)
    except PowerCut:
        station = room.switch_on()
    view = station.view()
    assert view.state in (State.IDLE, State.REVIEWING)
    records = room.ledger.records()
    assert len(records) == len(room.sealed)
    if view.correcting is None:
        assert view.record is not None
        assert view.record.sha256 == records[-1].sealed.sha256.hex()


# --- closing


def test_the_day_is_closed_and_the_strip_lists_what_was_sealed(room: Room) -> None:
    station = sealed(room, opened(room))
    assert station.review_day() is Answer.ACCEPTED
    assert station.view().state is State.CLOSING
    assert station.close_day("999111") is Answer.PIN_WRONG
    assert station.close_day(PIN) is Answer.ACCEPTED
    view = station.view()
    assert (view.state, view.day.stage, view.day.closed_at) == (State.CLOSED, Stage.CLOSED, MOMENT)
    assert view.prints is not None
    assert (view.prints.paper, view.prints.printed) == (Paper.CLOSING, 1)
    text = printed_text(room)
    assert room.layout.title["id"].split(",")[0] in text
    assert press(station) is Answer.NOT_NOW


def test_somebody_does_not_close_the_day_after_all(room: Room) -> None:
    station = sealed(room, opened(room))
    station.review_day()
    assert station.back() is Answer.ACCEPTED
    assert station.view().state is State.IDLE


def test_a_closed_day_is_opened_again_and_a_record_is_corrected(room: Room) -> None:
    station = sealed(room, opened(room))
    station.review_day()
    station.close_day(PIN)
    station.examine()
    assert station.open_day(PIN) is Answer.ACCEPTED
    assert station.view().day.number == 2
    assert stages(station) == [ContestStage.SEALED, ContestStage.WAITING]
    assert station.pick("ppwp") is Answer.ACCEPTED
    assert station.amend(Reason.FORM_CORRECTED) is Answer.ACCEPTED


def test_the_kiosk_is_switched_on_again_after_the_day(room: Room) -> None:
    station = sealed(room, opened(room))
    station.review_day()
    station.close_day(PIN)
    view = room.switch_on().view()
    assert (view.state, view.notice) == (State.CLOSED, None)
    assert view.prints is not None
    assert view.prints.problem is None


def test_the_kiosk_is_switched_off_between_two_contests(room: Room) -> None:
    station = sealed(room, opened(room))
    station.pick("")
    station = room.switch_on()
    assert station.view().state is State.IDLE
    assert station.view().notice.key == "screen.resumed"  # type: ignore[union-attr]
    assert take_dpr(room, station) is State.REVIEWING


def take_dpr(room: Room, station: Station) -> State:
    bring(room, station, DPR_STACK)
    return station.view().state


def test_what_the_program_does_at_the_wrong_time_is_a_fault(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    station = opened(room)
    monkeypatch.setattr("firmware.states.MOVES", {state: frozenset() for state in State})
    press(station)
    assert station.view().state is State.FAULT
    assert station.view().notice.key == "error.station-move"  # type: ignore[union-attr]


def test_a_day_of_one_contest_is_as_before(memory: Path) -> None:
    room = Room(memory)
    assert take_all_pages(room.switch_on()).state is State.REVIEWING


@pytest.mark.parametrize("witnesses", [-1, 29, 10**9])
def test_a_number_of_witnesses_that_no_room_holds(room: Room, witnesses: int) -> None:
    station = room.switch_on()
    station.examine()
    assert station.open_day(PIN, witnesses) is Answer.REFUSED
    assert station.view().state is State.OPENING


def test_an_old_copy_of_the_ledger_is_put_back(room: Room, memory: Path) -> None:
    station = sealed(room, opened(room))
    shutil.copytree(room.folder / "ledger", memory / "old")
    for value in (7, 8):
        assert station.amend(Reason.MISTYPED) is Answer.ACCEPTED
        station.correct("suara_1", value)
        assert station.seal("ketua", PIN) is Answer.ACCEPTED
    room.ledger.close()
    shutil.rmtree(room.folder / "ledger")
    shutil.copytree(memory / "old", room.folder / "ledger")
    view = room.switch_on().view()
    assert (view.state, view.notice and view.notice.key) == (State.FAULT, "error.ledger-behind")
