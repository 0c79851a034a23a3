"""What the way from the press to the seal costs: taps, seconds, first sign of life, bytes. Written to build/screens/.

Run with C1KIOSK_MEASURE=1. The finger here is as fast as a machine's: the seconds are those that the kiosk takes, with
the guard against double taps; the taps are a person's.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulators.mishaps import mishaps
from tests.simulators.paper.sets import legible, paper_set
from tests.simulators.room import PIN, Room
from tests.system.person import SCREENS, Person

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not os.environ.get("C1KIOSK_MEASURE"), reason="a measurement: set C1KIOSK_MEASURE=1"),
]

FORM = "c.hasil-ppwp-2024"
SEED = 7
SPOILED: dict[str, Mapping[str, int]] = {"clean": {}, "three-asked": {"disabilitas_j": 7}}
"""The form without a flaw, and one with a sum of three fields that is wrong on the paper."""
PRESSES = 10
EMPTY = "extra-empty-table.jpg"

REACTION = """selector => new Promise(resolve => {
  const began = performance.now(), overlay = document.getElementById("working");
  document.querySelector(selector).click();
  requestAnimationFrame(() => setTimeout(() => resolve(overlay.hidden ? -1 : performance.now() - began), 0));
})"""
"""Milliseconds from the click to after the first frame with the overlay."""

SEEN_AT = """() => { const overlay = document.getElementById("working");
  new MutationObserver(() => { if (!overlay.hidden) told(Date.now()); }).observe(overlay, {attributes: true}); }"""

WEIGHT = """() => { const of = kind => performance.getEntriesByType(kind);
  const all = [...of("navigation"), ...of("resource")].filter(it => !/progress|live.jpg/.test(it.name));
  return {bytes: all.reduce((sum, it) => sum + it.transferSize, 0), requests: all.length}; }"""


@pytest.fixture(params=list(SPOILED))
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = paper_set(FORM, SEED, "mild", spoil=SPOILED[request.param], writer=legible(SEED))
    stack = [(f"page{number}.jpg", made.pages[number]) for number in (2, 1, 3)]
    extra = mishaps(made.pages[2])
    with Room(tmp_path_factory.mktemp(request.param), FORM, stack, made.values, extra=extra) as room:
        yield room


def test_the_way_from_the_press_to_the_seal(browser: Any, room: Room, request: pytest.FixtureRequest) -> None:
    person = Weighing(browser, room)
    person.open_day()
    before, began = person.taps, time.monotonic()
    for sheet in room.desk.sheets()[:3]:
        pressed = time.monotonic()
        person.scan(sheet)
    numbers = time.monotonic() - pressed
    asked = sum(entry.asked for entry in person.view().fields)
    person.check()
    person.weigh()
    person.digits(PIN)
    person.send()
    person.see("done")
    person.weigh()
    name = request.node.callspec.params["room"]
    assert asked == {"clean": 0, "three-asked": 3}[name]
    _keep(
        f"way-{name}",
        {
            "fields": len(room.truth),
            "asked": asked,
            "taps": person.taps - before,
            "seconds_to_printed": round(time.monotonic() - began, 1),
            "seconds_last_press_to_numbers": round(numbers, 1),
            "weight": person.weight,
            "endpoint_megabytes": _megabytes(room.children["endpoint"].pid),
        },
    )


@pytest.mark.parametrize("room", ["clean"], indirect=True)
def test_the_first_sign_of_life(browser: Any, room: Room) -> None:
    """After a touch, and after the button beside the screen, which the screen learns of by asking."""
    person = Person(browser, room)
    person.open_day()
    times: list[int] = []
    person.page.expose_function("told", lambda at: times.append(at))
    touched = []
    for _ in range(PRESSES):
        room.desk.put(EMPTY)
        person.see("day", "#live")
        touched.append(person.page.evaluate(REACTION, "form[action='/press'] button"))
        person.page.wait_for_selector("main.working")
    assert min(touched) > 0, "the overlay is there before anything is answered"
    pushed = [_push(person, times) for _ in range(PRESSES)]
    _keep("reaction", {"touch_ms": _spread(touched), "button_ms": _spread(pushed)})


def _push(person: Person, times: list[int]) -> float:
    person.room.desk.put(EMPTY)
    person.see("day", "#live")
    person.page.evaluate(SEEN_AT)
    times.clear()
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(person.room.config.station_socket))) as http:
        began = time.time()
        http.post("http://kiosk/press")
    person.page.wait_for_selector("main.working")
    assert times, "the overlay came before the next page"
    return times[0] - began * 1000


def _spread(found: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(found), 1), "worst": round(max(found), 1), "count": len(found)}


class Weighing(Person):
    """Weighs each screen the first time it is left."""

    def __init__(self, browser: Any, room: Room) -> None:
        super().__init__(browser, room)
        self.weight: dict[str, Any] = {}

    def weigh(self) -> None:
        self.weight.setdefault(self.kind, self.page.evaluate(WEIGHT))

    def act(self, selector: str, leaves: bool = True) -> None:
        self.page.wait_for_selector(f"body[data-seen] {selector}")
        self.weigh()
        super().act(selector, leaves)


def _megabytes(process: int) -> int:
    """Resident memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+([0-9]+) kB", status)[0]) // 1024


def _keep(name: str, found: dict[str, Any]) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    (SCREENS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
