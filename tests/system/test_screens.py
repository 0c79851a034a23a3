"""Every screen of the kiosk in a real browser, at both sizes: the whole way, with what goes wrong on it.

Pictures of all of them are left in build/screens/ for people to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.simulators.mishaps import mishaps
from tests.simulators.paper.sets import legible, paper_set
from tests.simulators.room import ROOT, Room

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.system, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

FORM = "c.hasil-ppwp-2024"
SEED = 7
SIZES = {"800x480": (800, 480), "1024x600": (1024, 600), "laptop": (1366, 768)}
SCREENS = ROOT / "build" / "screens"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
WAIT_MS = 60_000
SPOILED = {"surat_suara_sisa": 91}
"""A sum that is wrong on the paper."""
HIT_PX = 48
"""Least width and height of what a finger has to hit."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = paper_set(FORM, SEED, "mild", spoil=SPOILED, writer=legible(SEED))
    other = paper_set("c.hasil-dpr-demo", 3, "mild")
    stack = [(f"page{number}.jpg", made.pages[number]) for number in (2, 1, 3)]
    extra = [("other.jpg", other.pages[1]), ("again.jpg", made.pages[2] + b"\0"), *mishaps(made.pages[2])]
    with Room(tmp_path_factory.mktemp("room"), FORM, stack, made.values, extra=extra) as room:
        yield room


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Person:
    """Somebody at the screen, who takes a picture of everything that is new."""

    def __init__(self, browser: Any, room: Room) -> None:
        self.room = room
        self.page = browser.new_page(viewport={"width": 800, "height": 480}, locale="id-ID")
        self.page.set_default_timeout(WAIT_MS)
        self.problems: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(room.url)

    def see(self, kind: str) -> None:
        """Waits for a screen."""
        self.page.wait_for_selector(f"main.{kind}")

    def shot(self, name: str) -> None:
        """The screen at every size; nothing may stick out at the side, and everything can be hit."""
        for label, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.screenshot(path=SCREENS / label / f"{name}.png")
            sticking_out, too_small = self.measure()
            assert sticking_out <= 0, f"{name} at {label}: {sticking_out} px wider than the screen"
            assert not too_small, f"{name} at {label}: {too_small}"
        self.page.set_viewport_size({"width": 800, "height": 480})

    def measure(self) -> tuple[int, list[str]]:
        """How far the page sticks out, and what is too small to hit; once more when it was just being replaced."""
        try:
            return tuple(self.page.evaluate(MEASURE, HIT_PX))
        except playwright.Error:
            self.page.wait_for_load_state()
            return tuple(self.page.evaluate(MEASURE, HIT_PX))

    def press(self) -> None:
        """The big button, by keyboard."""
        self.page.keyboard.press("Enter")

    def press_until(self, kind: str) -> None:
        """Enter, also through what is longer than the screen."""
        for _ in range(10):
            self.press()
            self.page.wait_for_timeout(300)
            if self.page.query_selector(f"main.{kind}"):
                return
        raise AssertionError(f"no way to {kind}")

    def questions(self) -> list[str]:
        """The fields that are asked, in their order."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.room.config.station_socket))) as http:
            view = http.get("http://kiosk/session").json()
        return [entry["id"] for entry in view["fields"] if entry["asked"]]

    def click(self, selector: str) -> None:
        self.page.click(selector)


MEASURE = """least => [document.documentElement.scrollWidth - innerWidth,
  [...document.querySelectorAll("button:not(.unseen), a")].filter(it => it.offsetParent)
  .map(it => [it.textContent.trim(), it.getBoundingClientRect()])
  .filter(([text, box]) => Math.round(Math.min(box.width, box.height)) < least).map(([text, box]) => text)]"""


def test_the_whole_way_with_everything_that_goes_wrong_on_it(browser: Any, room: Room) -> None:
    shutil.rmtree(SCREENS, ignore_errors=True)
    person = Person(browser, room)
    _pages(person)
    _questions(person)
    _sums_and_seal(person)
    _receipts(person)
    assert not person.problems, person.problems


def _pages(person: Person) -> None:
    desk = person.room.desk
    person.see("pages")
    person.page.wait_for_selector("#live.good")
    person.shot("01-start")
    stack = desk.sheets()
    desk.put("extra-empty-table.jpg")
    person.page.wait_for_selector("#live:not(.good) img:not([hidden])")
    person.shot("01-no-paper")
    desk.put("extra-other.jpg")
    person.page.wait_for_selector("#live polygon[points*=',']", state="attached")
    person.shot("01-another-form-seen")
    person.press()
    person.see("working")
    person.shot("02-working")
    person.page.wait_for_selector("main.pages .notice.bad")
    person.shot("03-another-form")
    for sheet in stack[:2]:
        desk.put(sheet)
        person.page.focus("button.big")
        person.press()
        person.page.wait_for_selector(f"main.pages .taken:nth-child({'2' if sheet.endswith('2.jpg') else '1'})")
    person.shot("04-two-pages")
    desk.put("extra-again.jpg")
    person.page.wait_for_selector("#live figcaption:has-text('2 dari 3')")
    person.shot("04-page-there-already")
    person.press()
    person.page.wait_for_selector(".slots .pending")
    person.shot("05-page-twice")
    person.press()
    person.page.wait_for_selector("button.big")
    desk.put(stack[2])
    person.press()


def _questions(person: Person) -> None:
    """Every asked field: by keyboard, then by touch."""
    person.see("field")
    person.shot("06-question")
    person.page.keyboard.type("199")
    person.shot("07-question-typed")
    person.page.keyboard.press("Escape")
    asked = person.questions()
    for name in asked:
        person.page.wait_for_url(f"**/field/{name}")
        person.page.fill("#typed", "")
        for digit in str(person.room.truth[name]):
            person.click(f'button[name=key][value="{digit}"]')
        person.shot(f"08-question-{name}")
        person.page.keyboard.press("Enter")
    for page, part in ((1, 1), (1, 2), (1, 4), (2, 1), (3, 1)):  # what stands on 1/3 was asked before
        person.page.wait_for_url(f"**/page/{page}/{part}")
        person.shot(f"09-page-{page}-{part}")
        _correct_what_is_wrong(person)
        person.click("footer .primary")


def _correct_what_is_wrong(person: Person) -> None:
    cards = person.page.query_selector_all("a.card")
    shown = [(card.get_attribute("href"), card.query_selector(".said b").inner_text()) for card in cards]
    for href, number in shown:
        right = str(person.room.truth[href.split("/field/")[1].split("?")[0]])
        if number != right:
            person.page.goto(person.room.url + href)
            person.page.keyboard.type(right)
            person.page.keyboard.press("Enter")
            person.page.wait_for_selector("main.overview")


def _sums_and_seal(person: Person) -> None:
    person.page.wait_for_url("**/sums")
    person.shot("10-sums")
    person.press_until("last")
    person.shot("11-last-look")
    person.room.printer.cover_open = True
    person.press_until("seal")
    person.shot("12-seal")
    person.room.kill("signer")
    person.click("button.big")
    person.see("fault")
    person.shot("13-fault")
    person.room.start("signer")
    person.page.wait_for_timeout(3_000)
    person.click("button.big")


def _receipts(person: Person) -> None:
    person.page.wait_for_selector("main.done .bad")
    person.shot("14-cover-open")
    person.room.printer.cover_open = False
    person.click("main.done button")
    person.see("working")
    person.shot("15-printing")
    person.page.wait_for_selector("main.done")
    person.page.wait_for_selector("main.done .acknowledged")
    person.shot("16-done")
    person.click("button.language")
    person.page.wait_for_selector("html[lang=en]")
    person.shot("17-done-english")
    person.room.kill("station")
    person.page.goto(person.room.url)
    person.page.wait_for_selector("main.working")
    person.shot("18-station-away")
    person.room.start("station")
    person.see("done")
    person.problems = [problem for problem in person.problems if "503" not in problem]  # that was asked for
