"""What goes wrong at the screen in a real browser: paper, cable, power, PIN, two tabs, double taps, no script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from firmware.records import Settled
from firmware.states import State
from tests.simulators.camera import Trouble
from tests.simulators.paper.sets import legible, paper_set
from tests.simulators.room import PIN, Room
from tests.system.person import Person

pytestmark = pytest.mark.system

FORM = "c.hasil-ppwp-2024"
SEED = 7
SPOILED = {"surat_suara_sisa": 91}
STRIP_AND_A_HALF_MM = 480.0
"""Paper for the first receipt and a part of the second."""
WRONG = "111112"


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = paper_set(FORM, SEED, "mild", spoil=SPOILED, writer=legible(SEED))
    stack = [(f"page{number}.jpg", made.pages[number]) for number in (2, 1, 3)]
    with Room(tmp_path_factory.mktemp("room"), FORM, stack, made.values) as room:
        yield room


def all_pages(person: Person) -> None:
    """To the first question."""
    person.open_day()
    for sheet in person.room.desk.sheets()[:3]:
        person.scan(sheet)
    person.see("field")


def test_paper_runs_out_in_the_middle_of_a_strip(browser: Any, room: Room, axe: str) -> None:
    person = Person(browser, room, axe)
    all_pages(person)
    person.check()
    room.printer.load_paper(STRIP_AND_A_HALF_MM)
    person.seal()
    person.see("done", ".strips.ask")
    assert "Kertas printer habis" in person.text()
    person.keep("30-paper-ran-out")
    doubtful = person.view().prints
    assert doubtful
    assert doubtful.doubtful == (2,)
    assert doubtful.printed == 1
    room.printer.load_paper(50_000.0)
    person.act("form[action$='/spoiled'] button")
    person.see("done", ".strips.bad")
    person.keep("31-strip-missing")
    person.act("form[action='/reprint'] button")
    person.see("done", ".strips:not(.bad)")
    assert "Struk tercetak: 3 dari 3" in person.text()
    assert not person.problems, person.problems


def test_the_camera_is_unplugged_and_plugged_in_again(browser: Any, room: Room, axe: str) -> None:
    person = Person(browser, room, axe)
    person.open_day()
    room.desk.trouble(Trouble.UNPLUGGED)
    person.see("day", "#live.blind")
    person.act("form[action='/press'] button")
    person.see("day", ".notice.bad")
    assert "kabel kamera" in person.text()
    person.keep("32-camera-unplugged")
    room.desk.mend()
    person.see("day", "#live.good")
    person.scan()
    person.see("pages", ".taken")


def test_the_power_goes_during_the_review(browser: Any, room: Room, axe: str) -> None:
    person = Person(browser, room, axe)
    all_pages(person)
    person.answer(room.truth)
    before = person.view()
    room.kill("station")
    person.page.goto(room.url)
    person.page.wait_for_selector("main.working")
    person.keep("33-station-away")
    room.start("station")
    person.see("field")
    assert "Mesin tadi terhenti" in person.text()
    person.keep("34-resumed")
    after = person.view()
    assert [entry.settled for entry in after.fields] == [entry.settled for entry in before.fields]
    person.check()
    person.seal()
    assert [entry.value for entry in person.view().fields] == list(room.truth.values())
    assert all("503" in problem for problem in person.problems), person.problems


def test_the_wrong_pin_is_typed_until_it_locks(browser: Any, room: Room, axe: str) -> None:
    person = Person(browser, room, axe)
    all_pages(person)
    person.check()
    for _ in range(2):
        person.digits(WRONG)
        person.send()
        person.see("seal", ".notice.bad")
    person.digits(WRONG)
    person.send()
    person.see("seal", ".locked")
    person.keep("35-pin-locked")
    left = int(person.page.inner_text(".seconds span"))
    assert 0 < left <= 30
    person.page.wait_for_selector("body[data-seen] main.seal #typed")
    assert person.view().state is State.REVIEWING
    person.seal()
    assert not person.problems, person.problems


def test_two_tabs_answer_the_same_question(browser: Any, room: Room) -> None:
    person = Person(browser, room)
    all_pages(person)
    other = person.context.new_page()
    other.goto(person.page.url)
    first = person.view().fields
    asked = [entry.id for entry in first if entry.asked]
    person.settle("144")
    other.wait_for_selector("body[data-seen] .agree")
    other.click(".agree")
    other.wait_for_selector(".notice.bad")
    assert "berubah" in other.inner_text("body"), "nobody agrees with 162 where 144 stands"
    assert asked[0] in other.url
    now = {entry.id: entry for entry in person.view().fields}
    assert (now[asked[0]].value, now[asked[0]].settled) == (144, Settled.CORRECTED)
    person.check()
    other.goto(room.url + "/seal")
    person.seal()
    other.click(".pad .send")
    other.wait_for_selector("main.done .notice.bad")
    sealed = person.view()
    assert sealed.record
    assert sealed.record.sequence == 1
    assert "tidak dipakai" in other.inner_text("body"), "the second tab is told, and nothing is sealed twice"


def test_a_trembling_hand_taps_twice(browser: Any, room: Room) -> None:
    """The second tap falls on the next question, which nobody has seen."""
    person = Person(browser, room)
    all_pages(person)
    asked = [entry.id for entry in person.view().fields if entry.asked]
    box = person.page.locator(".agree").bounding_box()
    place = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    person.page.mouse.click(*place)
    person.page.wait_for_url(f"**/field/{asked[1]}")
    person.page.mouse.click(*place)
    person.see("field")
    settled = [entry.id for entry in person.view().fields if entry.settled]
    assert settled == asked[:1]


def test_each_kind_of_field_is_corrected(browser: Any, room: Room) -> None:
    """One that is asked, one of three in a row, one alone, one under a sum, one at the last look; empty; undone."""
    person = Person(browser, room)
    all_pages(person)
    asked = [entry.id for entry in person.view().fields if entry.asked]
    person.digits("7")
    person.send()
    person.act("button[formaction='/undo']")
    person.see("field")
    assert not any(entry.settled for entry in person.view().fields)
    while person.kind == "field":
        person.answer(room.truth)
    _correct(person, "pengguna_dpt_l", "68")
    _until(person, "/page/2/")
    _correct(person, "suara_1", "")
    _until(person, "/sums")
    _correct(person, asked[-1], "90")
    _until(person, "/last")
    _correct(person, "suara_total", "144")
    now = {entry.id: (entry.value, entry.settled) for entry in person.view().fields}
    assert now["pengguna_dpt_l"] == (68, Settled.CORRECTED)
    assert now["suara_1"] == (None, Settled.CORRECTED)
    assert now[asked[-1]] == (90, Settled.CORRECTED)
    assert now["suara_total"] == (144, Settled.CORRECTED)


def _until(person: Person, path: str) -> None:
    while path not in person.page.url:
        person.act("footer .primary", leaves=person.all_seen())


def _correct(person: Person, field: str, number: str) -> None:
    came_from = person.kind
    person.act(f"a[href*='/field/{field}?']")
    person.see("field")
    if number:
        person.digits(number)
        person.send()
    else:
        person.act("button[value=empty]")
    person.see(came_from)


def test_a_whole_day_without_any_script(browser: Any, room: Room) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 800, "height": 480})
    page = context.new_page()
    page.goto(room.url)
    page.click("form[action='/examine'] button")
    page.wait_for_selector("main.opening")
    page.click(".stepper button[value=more]")
    _pin_by_touch(page, ".stepper input[value='1']")
    page.wait_for_selector("main.day")
    for sheet in room.desk.sheets()[:3]:
        room.desk.put(sheet)
        page.wait_for_selector("form[action='/press'] button")
        page.click("form[action='/press'] button")
        page.wait_for_selector("main:is(.pages, .field)")
    page.wait_for_selector("main.field")
    while page.query_selector("main.field"):
        page.click(".agree")
    while page.query_selector("main.overview"):
        page.click("footer .primary")
    page.click("main.last footer .primary")
    _pin_by_touch(page, "main.seal")
    page.wait_for_selector("main.done")


def _pin_by_touch(page: Any, still: str) -> None:
    for count, digit in enumerate(PIN, 1):
        page.click(f'.pad button[value="{digit}"]')
        page.wait_for_selector(f"#typed[value='{PIN[:count]}']")
        assert "?" not in page.url, "the PIN is in no address"
        page.wait_for_selector(still)
    page.click(".pad .send")
