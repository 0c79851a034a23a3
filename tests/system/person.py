"""Somebody at the kiosk's screen in a real browser: with a finger or with the keyboard alone, who knows what stands on
the paper. What they look at is kept as a picture in build/screens/, measured, and judged by axe-core.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from firmware.panel.view import SessionView
from tests.simulators.room import PIN, ROOT, Room

SCREENS = ROOT / "build" / "screens"
SIZES = {"800x480": (800, 480), "1024x600": (1024, 600), "laptop": (1366, 768)}
TWELVE_MM = {"800x480": 63, "1024x600": 79, "laptop": 63}
"""Pixels of 12 mm on a screen of seven inches; a laptop's is no touch screen, and has as much."""
WAIT_MS = 60_000
STEPS_MAX = 200
"""More screens than any form needs."""
TABS_MAX = 80

MEASURE = """least => {
  const small = [...document.querySelectorAll("button:not(.unseen), a, input:not([type=hidden])")]
    .filter(it => it.offsetParent)
    .map(it => [it.textContent.trim() || it.name, it.getBoundingClientRect()])
    .filter(([, box]) => Math.round(Math.min(box.width, box.height)) < least)
    .map(([text, box]) => `${text}: ${Math.round(box.width)} x ${Math.round(box.height)}`);
  return [document.documentElement.scrollWidth - innerWidth, small];
}"""
"""How far the page sticks out at the side, and what a finger cannot hit."""

AUDIT = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(it => ["serious", "critical"].includes(it.impact))
  .map(it => `${it.id}: ${it.nodes.map(node => node.target.join(" ")).join(", ")}`))"""


def fresh_pictures() -> None:
    """No picture of an earlier run."""
    shutil.rmtree(SCREENS, ignore_errors=True)


class Person:
    """`keyboard`: nothing else is used."""

    def __init__(self, browser: Any, room: Room, axe: str = "", size: str = "800x480", keyboard: bool = False) -> None:
        self.room = room
        self.keyboard = keyboard
        self.taps = 0
        self.problems: list[str] = []
        """What the browser complained of, and violations that axe-core found."""
        self._axe = axe
        self._size = size
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale="id-ID")
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", self._complaint)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(room.url)

    def _complaint(self, message: Any) -> None:
        """The browser's errors; that a picture which waits for a press went away with it is none."""
        url = message.location["url"]
        if message.type == "error" and not re.search(r"/(live|page/new)[.]jpg", url):
            self.problems.append(f"{message.text} {url}")

    # --- looking

    @property
    def kind(self) -> str:
        """The screen's name."""
        return str(self.page.get_attribute("main", "class"))

    def see(self, kind: str, also: str = "") -> None:
        """Waits for a screen, with something on it, until it takes answers."""
        self.page.wait_for_selector(f"body[data-seen] main.{kind} {also}".strip(), state="attached")

    def text(self) -> str:
        """Everything that can be read."""
        return str(self.page.inner_text("body"))

    def view(self) -> SessionView:
        """The day as the station has it."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.room.config.station_socket))) as http:
            return msgspec.json.decode(http.get("http://kiosk/session").content, type=SessionView)

    def keep(self, name: str) -> None:
        """The screen at every size: nothing sticks out, everything can be hit, and axe-core has nothing serious."""
        for label, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.wait_for_load_state()
            self.page.screenshot(path=SCREENS / label / f"{name}.png")
            sticking_out, too_small = self._on_the_page(MEASURE, TWELVE_MM[label])
            assert sticking_out <= 0, f"{name} at {label}: {sticking_out} px wider than the screen"
            assert not too_small, f"{name} at {label}: {too_small}"
        width, height = SIZES[self._size]
        self.page.set_viewport_size({"width": width, "height": height})
        self.problems += [f"{name}: {found}" for found in self._audit()]

    def _audit(self) -> list[str]:
        if not self._axe:
            return []
        self._on_the_page(self._axe + "; true")
        return list(self._on_the_page(AUDIT))

    def _on_the_page(self, script: str, *arguments: Any) -> Any:
        """Once more when the page was just being replaced by the next one."""
        for _ in range(3):
            try:
                return self.page.evaluate(script, *arguments)
            except Exception as problem:
                if "navigation" not in str(problem) and "axe is not defined" not in str(problem):
                    raise
                self.page.wait_for_load_state()
                if script is AUDIT:
                    self.page.evaluate(self._axe + "; true")
        raise AssertionError("the page never comes to rest")

    # --- doing

    def act(self, selector: str, leaves: bool = True) -> None:
        """Presses a button or follows a link. `leaves`: another page comes."""
        self.page.wait_for_selector(f"body[data-seen] {selector}")
        if leaves:
            self.page.evaluate("delete document.body.dataset.seen")
        self.taps += 1
        if self.keyboard:
            self._tab_to(selector)
            self.page.keyboard.press("Enter")
        else:
            self.page.click(selector)
        if leaves:
            self.page.wait_for_selector("body[data-seen]", state="attached")

    def _tab_to(self, selector: str) -> None:
        for _ in range(TABS_MAX):
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not get to {selector}")

    def digits(self, number: str) -> None:
        """Types on the keypad, or on the keyboard."""
        self.page.wait_for_selector("body[data-seen] .pad")
        self.taps += len(number)
        if self.keyboard:
            self._tab_to("#typed")
            self.page.keyboard.type(number)
            return
        for digit in number:
            self.page.click(f'.pad button[name=key][value="{digit}"]')

    def send(self) -> None:
        """The key that sends what was typed: Enter on the keyboard."""
        if not self.keyboard:
            return self.act(".pad .send")
        self.taps += 1
        self.page.evaluate("delete document.body.dataset.seen")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("body[data-seen]", state="attached")
        return None

    # --- the steps of a day

    def open_day(self, witnesses: int = 1) -> None:
        """From the first screen to the contests."""
        self.see("closed")
        self.act("form[action='/examine'] button")
        self.see("opening")
        for _ in range(witnesses):
            self.act(".stepper button[value=more]", leaves=False)
        self.digits(PIN)
        self.send()
        self.see("day")

    def scan(self, sheet: str | None = None) -> None:
        """One press; first another sheet is put under the camera, where one is named."""
        if sheet:
            self.room.desk.put(sheet)
        self.act("form[action='/press'] button")
        self.page.wait_for_selector("body[data-seen] main:not(.working)")

    def check(self) -> None:
        """Every number against the paper, to the ketua's PIN."""
        for _ in range(STEPS_MAX):
            self.page.wait_for_selector("body[data-seen] main:not(.working)")
            kind = self.kind
            if kind == "seal":
                return
            {"field": self.answer, "overview": self.compare, "last": self.look_through}[kind](self.room.truth)
        raise AssertionError("the review goes in circles")

    def answer(self, truth: Mapping[str, int]) -> None:
        """Agrees with the number, or types what is written."""
        name = re.findall(r"/field/([^?]+)", self.page.url)[0]
        self.settle(str(truth[name]))

    def settle(self, right: str) -> None:
        """The number on the screen is `right`, or is typed."""
        if self.page.inner_text(".asked .said b") == right:
            return self.act(".agree")
        self.digits(right)
        return self.send()

    def compare(self, truth: Mapping[str, int]) -> None:
        """A screen of numbers: the wrong ones are corrected, then all are agreed to."""
        wrong = self.wrong(truth)
        if wrong:
            self.act(f"a.card[href*='/field/{wrong[0]}?']")
            self.see("field")
            self.settle(str(truth[wrong[0]]))
            return
        self.act("footer .primary", leaves="data-more" not in self.page.inner_html("footer") or self.all_seen())

    def wrong(self, truth: Mapping[str, int]) -> list[str]:
        """The fields whose number here is not what stands on the paper."""
        links = self.page.query_selector_all("main a[href^='/field/']")
        shown = [(link.get_attribute("href").split("/field/")[1].split("?")[0], link) for link in links]
        return [name for name, link in shown if link.query_selector("b").inner_text() != str(truth[name])]

    def look_through(self, truth: Mapping[str, int]) -> None:
        """The last look: to the end of the list, then on."""
        assert not self.wrong(truth)
        self.act("footer .primary", leaves=self.all_seen())

    def all_seen(self) -> bool:
        """The end of the list is on the screen: the button under it goes on."""
        script = "() => { const it = document.querySelector('main');"
        return bool(self.page.evaluate(script + " return it.scrollHeight - it.clientHeight - it.scrollTop <= 8; }"))

    def seal(self) -> None:
        """The ketua's PIN; until the strips are out."""
        self.see("seal")
        self.digits(PIN)
        self.send()
        self.see("done")

    def close_day(self) -> None:
        """From the contests to the end of the day."""
        self.act("form[action='/review'] button")
        self.see("closing")
        self.digits(PIN)
        self.send()
        self.see("closed")
