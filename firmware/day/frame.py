"""The frame of a day: opening, closing, the strips that are printed, and where the station rests in between.

Everything here is about the day as a whole; what happens to one contest is in station.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from firmware.day import day as days
from firmware.day.day import Checked
from firmware.day.pin import PinAnswer
from firmware.day.today import Today
from firmware.events import Event, Journal
from firmware.machine import Machine
from firmware.panel.view import Answer, Notice
from firmware.parts import Parts, Place
from firmware.states import WORKING, State


class DayMachine(Machine):
    """A machine that opens and closes days, and prints."""

    def __init__(self, place: Place, parts: Parts) -> None:
        super().__init__(Journal(parts.ledger.append_event), parts.start)
        self._place = place
        self._parts = parts
        self._today = Today(place, parts)
        self._checks: tuple[Checked, ...] | None = ()
        """What was found before the day; None while it is looked for."""
        self._print_problem: str | None = None
        self._lent = False

    @abstractmethod
    def _take_up(self, contest: str) -> None:
        """Puts a contest in hand, or none."""

    # --- the day: opening -------------------------------------------------------------------------------------------

    def examine(self) -> Answer:
        """Before a day: the kiosk looks at itself, and shows what it finds."""

        def begin() -> Answer:
            answer = self._may({State.CLOSED, State.OPENING})
            if answer is Answer.ACCEPTED:
                self._checks = None
            return self._work(answer, State.OPENING, self._examine)

        return self._at_once(begin)

    def _examine(self) -> None:
        checks = tuple(self._parts.checks())
        missing = ",".join(entry.name for entry in checks if not entry.ok)
        self._journal.write(Event.CHECKED, checks=len(checks), missing=missing)
        self._checks = checks
        self._publish()

    def open_day(self, pin: str, witnesses: int = 0) -> Answer:
        """The ketua opens the day; `witnesses` get a receipt each, beside pengawas and KPPS."""
        return self._at_once(lambda: self._open_day(pin, witnesses))

    def _open_day(self, pin: str, witnesses: int) -> Answer:
        answer = self._may({State.OPENING})
        if answer is Answer.ACCEPTED and not days.ready(self._checks or ()):
            answer = Answer.NOT_READY
        if answer is Answer.ACCEPTED and not 0 <= witnesses <= days.WITNESSES_MOST:
            answer = Answer.REFUSED
        if answer is Answer.ACCEPTED:
            answer = self._judge(pin)
        if answer is Answer.ACCEPTED:
            sealed = len(self._parts.ledger.record_hashes())
            copies = max(self._parts.copies, witnesses + days.OFFICIALS if witnesses else 0)
            self._today.save(self._today.day.opened(self._checks or (), copies, sealed, self._parts.now()))
            self._journal.write(Event.DAY_OPENED, day=self._today.day.number, tps=self._place.tps, copies=copies)
        return self._work(answer, State.PRINTING, lambda: self._print(again=False))

    def _judge(self, pin: str) -> Answer:
        answer = self._parts.pin.judge(pin)
        if answer is PinAnswer.RIGHT:
            return Answer.ACCEPTED
        if answer is PinAnswer.WRONG:
            self._journal.write(Event.PIN_WRONG, wrong=self._parts.pin.wrong)
        return Answer.PIN_WRONG if answer is PinAnswer.WRONG else Answer.PIN_LOCKED

    def back(self) -> Answer:
        """Out of opening or closing, as if nothing had been begun."""
        return self._at_once(self._back)

    def _back(self) -> Answer:
        answer = self._may({State.OPENING, State.CLOSING})
        if answer is Answer.ACCEPTED:
            self._rest(None)
        return answer

    # --- the day: closing -------------------------------------------------------------------------------------------

    def review_day(self) -> Answer:
        """Before the day ends: what was sealed, and what was not."""

        def review() -> Answer:
            answer = self._may({State.IDLE})
            if answer is Answer.ACCEPTED:
                self._take_up("")
                self._notice = None
                self._enter(State.CLOSING)
            return answer

        return self._at_once(review)

    def close_day(self, pin: str) -> Answer:
        """The ketua closes the day."""
        return self._at_once(lambda: self._close_day(pin))

    def _close_day(self, pin: str) -> Answer:
        answer = self._may({State.CLOSING})
        if answer is Answer.ACCEPTED:
            answer = self._judge(pin)
        if answer is Answer.ACCEPTED:
            self._today.save(self._today.day.closed(self._parts.now()))
            self._journal.write(Event.DAY_CLOSED, day=self._today.day.number)
        return self._work(answer, State.PRINTING, lambda: self._print(again=False))

    # --- paper ----------------------------------------------------------------------------------------------------

    def reprint(self) -> Answer:
        """Prints what is not certainly on paper; when everything is, all of it again."""
        return self._command(
            {State.IDLE, State.CLOSED},
            State.PRINTING,
            lambda: self._print(again=True),
            lambda: only_if(self._today.document() is not None),
        )

    def judge_strip(self, copy: int, whole: bool) -> Answer:
        """A person says whether a doubtful strip came out whole."""

        def judge() -> Answer:
            document, answer = self._today.document(), self._may({State.IDLE, State.CLOSED})
            if answer is not Answer.ACCEPTED or document is None:
                return answer if document else Answer.NOT_NOW
            self._parts.receipts.answer(document[1].name, copy, whole)
            self._journal.write(Event.STRIP_JUDGED, document=document[1].name, copy=copy, whole=int(whole))
            self._print_problem = self._today.unprinted()
            self._publish()
            return Answer.ACCEPTED

        return self._at_once(judge)

    def _print(self, again: bool) -> None:
        """Prints only what is stored. A printer that needs a person never takes anything from the record."""
        document = self._today.document()
        assert document is not None
        self._print_problem = None
        problem = self._parts.receipts.print(document[1], again, self._publish)
        self._print_problem = problem
        if problem is None:
            self._journal.write(Event.PRINTED, document=document[1].name)
        else:
            self._journal.write(Event.PRINT_FAILED, document=document[1].name, problem=problem)
        self._rest(self._notice)

    # --- rest -----------------------------------------------------------------------------------------------------

    def _may(self, states: Collection[State], choosing: bool = False) -> Answer:
        """Whether this is the time for a command; while two pictures wait for a choice, only for the choice."""
        answer = super()._may(states)
        pending = self._today.hand is not None and self._today.hand.pending is not None
        return Answer.NOT_NOW if answer is Answer.ACCEPTED and pending is not choosing else answer

    def _occupied(self) -> bool:
        return self._lent or (self._state is State.OPENING and self._checks is None)

    @contextmanager
    def lent(self) -> Iterator[Answer]:
        """Camera, printer and panel are somebody else's while no day is open, when the answer is `accepted`; whatever
        is asked meanwhile is answered `busy`."""
        with self._lock:
            answer = self._may({State.CLOSED})
            self._lent = self._lent or answer is Answer.ACCEPTED
        try:
            yield answer
        finally:
            if answer is Answer.ACCEPTED:
                self._lent = False

    def _rest(self, notice: Notice | None) -> None:
        """Back to waiting for a person."""
        self._notice = notice
        self._enter(self._today.resting)

    def remark(self, notice: Notice, **told: str) -> None:
        """What a person must know about the button or the pedal: written down, and shown unless work or a fault is."""
        with self._lock:
            self._journal.write(Event.PANEL, **told)
            if self._state not in WORKING and self._state is not State.FAULT:
                self._notice = notice
                self._publish()


def only_if(condition: bool) -> Answer:
    """Accepted, or not now."""
    return Answer.ACCEPTED if condition else Answer.NOT_NOW
