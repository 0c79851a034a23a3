"""What the station has in hand: the day, its contests, and what is printed at this point of it.

The day and the sessions are on disk; this is their picture in memory, made again by `load`.
"""

from __future__ import annotations

from collections.abc import Mapping

from firmware.capture.guidance import Wanted
from firmware.day import day as days
from firmware.day.day import Day
from firmware.panel.view import Paper
from firmware.parts import Parts, Place
from firmware.receipts import INTERRUPTED, Document
from firmware.records import Page, PageRefusal, RefusedPage
from firmware.session.counting import Counting
from firmware.states import State


class Today:
    """The day of one kiosk. One thread works on it; others may look."""

    def __init__(self, place: Place, parts: Parts) -> None:
        self._place = place
        self._parts = parts
        self.day = Day()
        self.countings: Mapping[str, Counting] = {}
        """Every contest of the day, in the order of the election definition."""

    def load(self) -> None:
        """As the disk has it. The contest at hand is awake. Raises LedgerRefused, or Refused, see counting.py."""
        self.day = days.load(self._parts.ledger)
        races = self._place.races
        self.countings = {race.id: Counting.resume(race, self._place, self._parts) for race in races}
        if self.hand is not None:
            self.hand.wake()

    def save(self, day: Day) -> None:
        """The next durable step of the day."""
        days.save(day, self._parts.ledger)
        self.day = day

    def put(self, counting: Counting) -> None:
        """Another count of the contest at hand."""
        self.countings = {**self.countings, counting.race.id: counting}

    @property
    def hand(self) -> Counting | None:
        """The contest at hand."""
        return self.countings.get(self.day.contest)

    def take_up(self, contest: str) -> None:
        """Puts a contest in hand, awake; an empty name puts it aside."""
        if contest:
            self.countings[contest].wake()
        if contest != self.day.contest:
            self.save(self.day.with_contest(contest))

    @property
    def resting(self) -> State:
        """Where the station waits for a person."""
        if not self.day.open:
            return State.CLOSED
        if self.hand is None or self.hand.stored is not None:
            return State.IDLE
        return State.PREVIEWING if self.hand.review is None else State.REVIEWING

    # --- pages ------------------------------------------------------------------------------------------------------

    def wanted(self) -> Wanted:
        """The forms that are wanted now, with the pages of each that need no picture any more."""
        if self.hand is not None and self.resting is State.REVIEWING:
            return {self.hand.race.layout.id: ()}
        return {entry.race.layout.id: entry.held for entry in self.countings.values() if entry.stored is None}

    def belonging(self, page: Page | RefusedPage) -> tuple[Counting, Page] | RefusedPage:
        """The page with the contest that its form is of, when that is open and the picture is not in a slot already."""
        if isinstance(page, RefusedPage):
            return page
        race = self._place.of_form(page.form)
        if race is None or page.form not in self.wanted():
            sealed = race is not None and self.countings[race.id].stored is not None
            return RefusedPage(page.frame, PageRefusal.SEALED if sealed else PageRefusal.OTHER_FORM)
        counting = self.countings[race.id]
        counting.wake()
        if counting.slots.hold(page.frame.sha256):
            return RefusedPage(page.frame, PageRefusal.SAME_PICTURE)
        return counting, page

    # --- paper ------------------------------------------------------------------------------------------------------

    def document(self) -> tuple[Paper, Document] | None:
        """What is printed at this point of the day."""
        strips = self._parts.strips
        if not self.day.open:
            return (Paper.CLOSING, strips.closing(self.day)) if self.day.number else None
        if self.hand is None:
            return Paper.OPENING, strips.opening(self.day)
        stored = self.hand.stored
        return (Paper.RECORD, strips.record(stored, self.day.copies)) if stored else None

    def unprinted(self) -> str | None:
        """The sentence for strips that are not certainly on paper."""
        found = self.document()
        if found is None or self._parts.receipts.printed(found[1].name) >= found[1].copies:
            return None
        return INTERRUPTED
