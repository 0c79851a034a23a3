"""A person at the kiosk's screen who knows what stands on the paper: reads the pages as HTML and posts their forms.

It does what a careful KPPS does: compares every number with the paper, agrees where the screen is right, types where it
is not. What it meets is counted: asked fields, corrected ones, and silent errors, where the kiosk was sure and wrong.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

PATIENCE_SECONDS = 40.0
"""Longest work waited for, in seconds: a page on a busy machine takes ten."""
STEPS_MAX = 300
"""More pages than any form needs; a screen that goes in circles is a failure."""


class Stuck(Exception):
    """The screen shows something that a person cannot get past."""


@dataclass
class Form:
    """A form on a page."""

    action: str
    inputs: dict[str, str] = field(default_factory=dict)


class Screen(HTMLParser):
    """What a person sees of a page: its kind, its forms, and numbers with the field they belong to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.kind = ""
        self.forms: list[Form] = []
        self.numbers: dict[str, str] = {}
        """Field id -> the number that is shown for it."""
        self.text = ""
        self.notice = ""
        self._card = ""
        self._in_number = False
        self._said = False
        self._in_notice = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "main":
            self.kind = values.get("class", "")
        elif tag == "form":
            self.forms.append(Form(values.get("action", "")))
        elif tag == "input" and self.forms:
            self.forms[-1].inputs[values.get("name", "")] = values.get("value", "")
        elif tag == "a":
            found = re.match(r"/field/([^?]+)\?", values.get("href", ""))
            self._card = found[1] if found else ""
        elif tag == "p":
            self._in_notice = values.get("class", "").startswith("notice")
        elif tag == "span" and values.get("class", "").startswith("said"):
            self._said = True
        elif tag == "b" and self._said:
            self._in_number = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._in_notice = False
        elif tag == "b":
            self._in_number = self._said = False
        elif tag == "a":
            self._card = ""

    def handle_data(self, data: str) -> None:
        self.text += data + " "
        if self._in_notice:
            self.notice = f"{self.notice} {data.strip()}".strip()
        if self._in_number:
            self.numbers[self._card] = data.strip()

    def form(self, action: str) -> Form:
        """The form that posts to `action`."""
        for form in self.forms:
            if form.action == action:
                return form
        raise Stuck(f"no way to {action} on {self.kind}: {' '.join(self.text.split())}")


@dataclass
class Visit:
    """What the person met."""

    presses: int = 0
    asked: int = 0
    corrected: int = 0
    silent_errors: int = 0
    taps: int = 0


class Visitor:
    """Walks through a day with one contest; `truth` is what stands on the paper, by field id."""

    def __init__(self, url: str, truth: Mapping[str, int], pin: str, tell: Callable[[str], None]) -> None:
        self.visit = Visit()
        self._truth = truth
        self._pin = pin
        self._sealed = False
        self._closed = False
        self._tell = tell
        self._silent: set[str] = set()
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=10.0)

    def walk(self) -> Visit:
        """From the opening to the closing of the day. Raises Stuck."""
        ways = {
            "closed": self._open,
            "opening": self._opening,
            "day": self._day,
            "pages": self._pages,
            "field": self._field,
            "overview": self._overview,
            "last": self._last,
            "seal": self._seal,
            "done": self._done,
            "closing": self._closing,
        }
        for _ in range(STEPS_MAX):
            screen, path = self.look()
            if screen.kind == "closed" and self._closed:
                return self.visit
            if screen.kind not in ways:
                raise Stuck(f"{screen.kind}: {' '.join(screen.text.split())}")
            ways[screen.kind](screen, path)
        raise Stuck("the screen goes in circles")

    def look(self) -> tuple[Screen, str]:
        """The page that the kiosk shows by itself, once it has stopped working; and its path."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._http.get("/")
            screen = Screen(answer.text)
            if screen.kind != "working":
                return screen, answer.url.path
            if time.monotonic() > until:
                raise Stuck(f"still working: {' '.join(screen.text.split())}")
            time.sleep(0.1)

    def post(self, screen: Screen, action: str, **inputs: str) -> Screen:
        """Presses a button of the page."""
        self.visit.taps += 1
        form = screen.form(action)
        answer = self._http.post(action, data={**form.inputs, **inputs})
        answer.raise_for_status()
        return Screen(answer.text)

    def _open(self, screen: Screen, _path: str) -> None:
        self._tell("the kiosk looks at itself")
        self.post(screen, "/examine")

    def _opening(self, screen: Screen, _path: str) -> None:
        self._tell("the ketua opens the day")
        self._with_pin(screen, "/open")

    def _day(self, screen: Screen, path: str) -> None:
        if self._sealed:
            self.post(screen, "/review")
        else:
            self._pages(screen, path)

    def _done(self, screen: Screen, _path: str) -> None:
        self._sealed = True
        self.post(screen, "/aside")

    def _closing(self, screen: Screen, _path: str) -> None:
        self._tell("the ketua closes the day")
        self._with_pin(screen, "/close")
        self._closed = True

    def _with_pin(self, screen: Screen, action: str) -> None:
        after = self.post(screen, action, pin=self._pin)
        if after.notice and after.kind == screen.kind:
            raise Stuck(after.notice)

    def _pages(self, screen: Screen, _path: str) -> None:
        self.visit.presses += 1
        if self.visit.presses > 2 * len(self._truth):
            raise Stuck(" ".join(screen.text.split()))
        self.post(screen, "/press")
        after, _ = self.look()
        self._tell(f"press {self.visit.presses}: {after.notice or after.kind}")

    def _field(self, screen: Screen, path: str) -> None:
        name = path.rsplit("/", 1)[1]
        self.visit.asked += 1
        self._answer(screen, name, screen.numbers.get("", "?"))

    def _answer(self, screen: Screen, name: str, shown: str) -> None:
        right = str(self._truth[name])
        if shown == right:
            self._tell(f"{name}: {shown}, agreed")
            self.post(screen, f"/field/{name}", do="agree")
        else:
            self.visit.corrected += 1
            self._tell(f"{name}: the machine says {shown}, the paper {right}: typed")
            self.post(screen, f"/field/{name}", do="save", typed=right)

    def _overview(self, screen: Screen, path: str) -> None:
        """A page of numbers, or the sums that do not fit: everything wrong is corrected first."""
        wrong = [name for name, shown in screen.numbers.items() if name and shown != str(self._truth[name])]
        for name in wrong:
            self.visit.silent_errors += name not in self._silent
            self._silent.add(name)
            page = Screen(self._http.get(f"/field/{name}", params={"back": path}).text)
            self._answer(page, name, screen.numbers[name])
        if wrong:
            return
        if path == "/sums":
            self._tell("sums: the paper says so")
            self._last(Screen(self._http.get("/last").text), "/last")
        else:
            self._tell(f"{path}: {len(screen.numbers)} numbers compared with their pictures")
            self.post(screen, path)

    def _last(self, screen: Screen, _path: str) -> None:
        wrong = [name for name, shown in screen.numbers.items() if name and shown != str(self._truth[name])]
        if wrong:
            raise Stuck(f"settled, but not what stands on the paper: {wrong}")
        self._seal(Screen(self._http.get("/seal").text), "/seal")

    def _seal(self, screen: Screen, _path: str) -> None:
        self._tell("the ketua seals")
        self._with_pin(screen, "/seal")
