"""A whole day on the screen in a real browser: with a finger and every screen looked at, and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulators.camera import Trouble
from tests.simulators.mishaps import mishaps
from tests.simulators.paper.sets import legible, paper_set
from tests.simulators.room import PIN, Room
from tests.system.person import Person, fresh_pictures

pytestmark = pytest.mark.system

FORM, OTHER = "c.hasil-ppwp-2024", "c.hasil-dpr-demo"
SEED = 7
SPOILED = {"surat_suara_sisa": 91}
"""A sum that is wrong on the paper."""
TRIES = 30
"""Presses of a patient person while the signer starts."""


@pytest.fixture
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = paper_set(FORM, SEED, "mild", spoil=SPOILED, writer=legible(SEED))
    stack = [(f"page{number}.jpg", made.pages[number]) for number in (2, 1, 3)]
    other = paper_set(OTHER, 3, "mild")
    extra = [("dpr.jpg", other.pages[1]), ("again.jpg", made.pages[2] + b"\0"), *mishaps(made.pages[2])]
    with Room(tmp_path_factory.mktemp("room"), FORM, stack, made.values, extra=extra, also=(OTHER,)) as room:
        yield room


def test_a_day_with_one_finger_and_everything_that_happens_on_it(browser: Any, room: Room, axe: str) -> None:
    fresh_pictures()
    person = Person(browser, room, axe)
    _opening(person)
    _pages(person)
    _numbers(person)
    _seal(person)
    _correction(person)
    _closing(person)
    assert not person.problems, person.problems
    if not axe:
        pytest.skip("axe-core cannot be had here: everything was seen, but not judged for people who cannot see")


def _opening(person: Person) -> None:
    person.see("closed")
    person.keep("01-closed")
    person.room.printer.cover_open = True
    person.act("form[action='/examine'] button")
    person.see("opening", ".bad")
    person.keep("02-opening-cover-open")
    person.room.printer.cover_open = False
    person.act("button[formaction='/examine']")
    person.see("opening")
    person.page.wait_for_selector("body[data-seen] .findings:not(:has-text('klik'))")
    for _ in range(3):
        person.act(".stepper button[value=more]", leaves=False)
    person.digits("999")
    person.keep("03-opening")
    person.send()
    person.see("opening", ".notice")
    person.keep("04-wrong-pin")
    person.act(".stepper button[value=more]", leaves=False)
    person.digits(PIN)
    person.send()
    person.see("day", "#live.good")
    person.keep("05-day")


def _pages(person: Person) -> None:
    desk = person.room.desk
    stack = desk.sheets()[:3]
    desk.put("extra-empty-table.jpg")
    person.see("day", "#live:not(.good) img:not([hidden])")
    person.keep("06-no-paper")
    desk.trouble(Trouble.SLOW)
    person.act("form[action='/press'] button")
    person.keep("07-working")
    person.see("day", ".notice.bad")
    person.keep("08-refused")
    person.scan(stack[0])
    person.see("pages", ".taken")
    person.keep("09-one-page")
    desk.put("extra-again.jpg")
    person.page.wait_for_selector("#live figcaption:has-text('2 dari 3')")
    person.scan()
    person.see("pages", ".both")
    person.keep("10-page-twice")
    person.act("form[action='/pending/keep'] button")
    person.see("pages", ".slots")
    person.scan("extra-dpr.jpg")
    person.page.wait_for_selector("body[data-seen] header:has-text('DPR')")
    person.act("form[action='/aside'] button")
    person.see("day", ".begun")
    person.keep("11-two-contests-begun")
    person.act("form[action='/contest/ppwp'] button")
    person.see("pages")
    for sheet in stack[1:]:
        person.scan(sheet)


def _numbers(person: Person) -> None:
    person.see("field")
    person.keep("12-question")
    person.digits("199")
    person.keep("13-question-typed")
    for _ in range(3):
        person.act(".pad button[value=back]", leaves=False)
    while person.kind == "field":
        person.answer(person.room.truth)
    person.act("form[action='/undo'] button")
    person.see("field")
    person.keep("14-question-undone")
    person.answer(person.room.truth)
    person.see("overview")
    seen: set[str] = set()
    while person.kind == "overview":
        path = person.page.url.removeprefix(person.room.url)
        if path not in seen and "/field" not in path:
            seen.add(path)
            person.keep(f"15-numbers{path.replace('/', '-')}")
        person.compare(person.room.truth)
        person.page.wait_for_selector("body[data-seen] main")
    assert "/sums" in seen
    person.see("last")
    person.keep("16-last-look")
    person.check()


def _seal(person: Person) -> None:
    person.keep("17-seal")
    person.room.kill("signer")
    person.digits(PIN)
    person.send()
    person.see("fault")
    person.keep("18-fault")
    person.room.start("signer")
    for _ in range(TRIES):
        person.act("form[action='/retry'] button")
        person.page.wait_for_selector("body[data-seen] main:not(.working)")
        if person.kind != "fault":
            break
    person.see("done", ".acknowledged")
    person.keep("19-done")
    person.act("button[lang=en]")
    person.page.wait_for_selector("html[lang=en]")
    person.keep("20-done-english")
    person.act("button[lang=id]")


def _correction(person: Person) -> None:
    first = person.view().record
    person.act("a[href='/amend']")
    person.see("amend")
    person.keep("21-amend")
    person.act("button[value=mistyped]")
    person.see("overview")
    person.act("footer .primary")
    person.see("last")
    person.keep("22-correction")
    person.act("a[href^='/field/suara_1?']")
    person.see("field")
    person.digits("99")
    person.send()
    person.see("last")
    while person.kind == "last":
        person.act("footer .primary", leaves=person.all_seen())
    person.keep("23-correction-seal")
    person.seal()
    second = person.view().record
    assert first and second and first.sha256 != second.sha256
    person.act("form[action='/aside'] button")


def _closing(person: Person) -> None:
    person.see("day", ".sealed")
    person.keep("24-day-one-sealed")
    person.act("form[action='/review'] button")
    person.see("closing")
    person.keep("25-closing")
    person.digits(PIN)
    person.send()
    person.see("closed", ".sealed")
    person.keep("26-closed")


def test_a_day_by_keyboard_alone(browser: Any, room: Room) -> None:
    person = Person(browser, room, size="1024x600", keyboard=True)
    person.open_day(witnesses=2)
    assert person.view().day.copies == 4
    for sheet in room.desk.sheets()[:3]:
        person.scan(sheet)
    person.check()
    person.seal()
    sealed = person.view()
    assert {entry.id: entry.value for entry in sealed.fields} == dict(room.truth)
    person.act("form[action='/aside'] button")
    person.see("day")
    person.close_day()
    assert not person.problems, person.problems
