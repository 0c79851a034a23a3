"""Outages of hours with a reboot in the middle, on a clock that the test sets; ledger, outbox and collector are real.

Counted is what the kiosk does in the dark, and how soon after it everything is there, records of all contests first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.records import DeliveryState
from firmware.uplink.backoff import LONGEST_WAIT_SECONDS, NO_ROUTE_SECONDS
from firmware.uplink.outcome import Answered, Outcome, Unanswered
from firmware.uplink.process import POLL_SECONDS
from firmware.uplink.transport import HttpTransport, Transport
from firmware.uplink.wire import Request
from tests.sealing import pictures_of
from tests.uplinks import Kiosk, collector, dead_port, opened

HOUR = 3600.0
CONTESTS = 5
FIRST_TRIES = 10
"""Of a record, until its wait is the longest."""
MORNING = 1_866_000_000.0
PUT_BACK = 20 * 365 * 24 * HOUR
"""A Pi without a battery starts where its clock stopped, or in the past."""
LONG = os.environ.get("C1KIOSK_MEASURE") == "1"
"""Six and thirty hours, which take minutes; otherwise one that is long beside every wait."""


@dataclass
class Line:
    """A transport that counts, and that the test can cut: `down` is what then becomes of every request."""

    through: Transport
    down: Outcome | None = None
    asked: list[str] = field(default_factory=list)
    renewed: int = 0

    def exchange(self, request: Request) -> Answered | Unanswered:
        self.asked.append(f"{request.method} {request.path}")
        return Unanswered(self.down) if self.down else self.through.exchange(request)

    def renew(self) -> None:
        self.renewed += 1


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with opened(tmp_path) as kiosk:
        kiosk.now = MORNING
        yield kiosk


def dark(kiosk: Kiosk, line: Transport, hours: float, *, routed: bool = True) -> None:
    """So long without the collector; what the uplink's loop does every POLL_SECONDS."""
    forwarder, _ = kiosk.forwarder(line, routed=lambda: routed)
    until = kiosk.now + hours * HOUR
    while kiosk.now < until:
        forwarder.round()
        kiosk.now += POLL_SECONDS


def reboot(kiosk: Kiosk) -> None:
    """The files are opened anew, and the clock is years behind."""
    for file in (kiosk.ledger, kiosk.outbox):
        file.close()
    state = kiosk.folder / "state"
    kiosk.ledger, kiosk.outbox = Ledger.open(state / "ledger"), Outbox.open(state / "outbox")
    kiosk.now -= PUT_BACK


def light(kiosk: Kiosk, line: Line, route: bool) -> float:
    """The collector is there again; seconds until it has acknowledged every record."""
    line.down, began = None, kiosk.now
    line.asked.clear()
    forwarder, _ = kiosk.forwarder(line)
    if route:
        forwarder.hasten()
    arrived = None
    while True:
        more = forwarder.round()
        states = {delivery.state for delivery in kiosk.outbox.deliveries()}
        if arrived is None and states == {DeliveryState.ACKNOWLEDGED}:
            arrived = kiosk.now - began
        if all(delivery.pictures_left == 0 for delivery in kiosk.outbox.deliveries()) and arrived is not None:
            return arrived
        assert kiosk.now < began + 2 * HOUR
        kiosk.now += 0.0 if more else POLL_SECONDS


@pytest.mark.parametrize("hours", [6.0, 30.0] if LONG else [0.25])
@pytest.mark.parametrize("route", [True, False], ids=["a route comes up", "only the collector comes back"])
@pytest.mark.parametrize("why", [Outcome.NO_NETWORK, Outcome.NO_SERVER, Outcome.TIMEOUT])
def test_the_collector_is_away_for_hours(kiosk: Kiosk, why: Outcome, route: bool, hours: float) -> None:
    """Two records are there before, three are sealed in the dark, and the kiosk restarts in between."""
    with closing(kiosk.ledger), closing(kiosk.outbox), collector(kiosk) as url, HttpTransport(url) as transport:
        line = Line(transport, why)
        for number in (1, 2):
            kiosk.store(number)
        dark(kiosk, line, hours / 2)
        reboot(kiosk)
        for number in range(3, CONTESTS + 1):
            kiosk.store(number)
        dark(kiosk, line, hours / 2)
        tried = len(line.asked)
        took = light(kiosk, line, route)
    longest = LONGEST_WAIT_SECONDS[why]
    mean = longest / 2 + POLL_SECONDS  # of full jitter, and the loop looks once a second
    assert tried < hours * HOUR / mean * 1.5 + FIRST_TRIES * CONTESTS
    assert took <= (POLL_SECONDS if route else longest + 2 * POLL_SECONDS)
    kinds = [asked.split("/")[1] for asked in line.asked]
    assert kinds[:CONTESTS] == ["records"] * CONTESTS
    assert "records" not in kinds[CONTESTS:]
    assert kinds.count("pictures") >= CONTESTS * len(pictures_of(1))
    print(f"{hours} h {why}, new route {route}: {tried} attempts, all records after {took} s")


def test_there_is_no_network_at_all_for_hours(kiosk: Kiosk) -> None:
    """Each try is a write to the card, and nothing is gained by it: a new route is noticed."""
    hours = 30.0 if LONG else 2.0
    with closing(kiosk.ledger), closing(kiosk.outbox), collector(kiosk) as url, HttpTransport(url) as transport:
        line = Line(transport, Outcome.NO_NETWORK)
        kiosk.store(1)
        dark(kiosk, line, hours, routed=False)
        tried = len(line.asked)
        took = light(kiosk, line, route=True)
    assert tried < hours * HOUR / (NO_ROUTE_SECONDS / 2) * 1.5 + FIRST_TRIES
    assert took <= POLL_SECONDS
    print(f"{hours} h without a route: {tried} attempts")


def test_the_collectors_computer_refuses_for_hours(kiosk: Kiosk) -> None:
    """A real port on which nobody listens."""
    with HttpTransport(dead_port()) as transport:
        line = Line(transport)
        kiosk.store(1)
        dark(kiosk, line, 0.25)
    assert {delivery.problem for delivery in kiosk.outbox.deliveries()} == {"no-server"}
    assert len(line.asked) < 0.25 * HOUR / (LONGEST_WAIT_SECONDS[Outcome.NO_SERVER] / 2) * 1.5 + FIRST_TRIES
