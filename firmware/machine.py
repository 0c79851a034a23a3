"""What makes a station a state machine: one state, one thing at a time, every move checked and written down.

Commands come from any thread and return at once with an Answer; what takes time runs aside and holds a WORKING state
meanwhile, in which everything else is answered `busy`. What goes wrong ends in FAULT, with a sentence and a way out.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from firmware import delays
from firmware.errors import Refused
from firmware.events import Event, Journal
from firmware.panel.view import Answer, Notice
from firmware.states import WORKING, State, check_move

_log = structlog.get_logger(__name__)


class Machine(ABC):
    """The states of one kiosk. `start` runs work aside."""

    def __init__(self, journal: Journal, start: Callable[[Callable[[], None]], None]) -> None:
        self._journal = journal
        self._start = start
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._working_since: float | None = None
        """Of the monotonic clock; None while nothing runs aside."""
        self._notice: Notice | None = None

    @abstractmethod
    def _publish(self) -> None:
        """Shows what stands now."""

    @abstractmethod
    def _occupied(self) -> bool:
        """True when the station is busy though its state does not say so."""

    # --- commands ---------------------------------------------------------------------------------------------------

    def _may(self, states: Collection[State]) -> Answer:
        """Whether this is the time for a command."""
        if self._state in WORKING or self._occupied():
            return Answer.BUSY
        return Answer.ACCEPTED if self._state in states else Answer.NOT_NOW

    def _at_once(self, command: Callable[[], Answer]) -> Answer:
        """A command that takes no time worth showing. What the disk or the signer refuse is a fault."""
        with self._lock:
            answers: list[Answer] = []
            self._guarded(lambda: answers.append(command()))
            return answers[0] if answers else Answer.FAULT

    def _command(
        self,
        states: Collection[State],
        state: State,
        work: Callable[[], None],
        also: Callable[[], Answer] = lambda: Answer.ACCEPTED,
    ) -> Answer:
        """A command that takes time, in one of `states` and when `also` agrees."""

        def begin() -> Answer:
            answer = self._may(states)
            return self._work(also() if answer is Answer.ACCEPTED else answer, state, work)

        return self._at_once(begin)

    def _work(self, answer: Answer, state: State, work: Callable[[], None]) -> Answer:
        """Begins work aside when the answer so far is `accepted`."""
        if answer is Answer.ACCEPTED:
            self._notice = None
            self._enter(state)
            began = self._working_since = time.monotonic()
            self._start(lambda: self._aside(work, began))
        return answer

    def _aside(self, work: Callable[[], None], began: float) -> None:
        try:
            self._guarded(work)
        finally:
            if self._working_since == began:  # else the next work has begun
                self._working_since = None

    def works(self) -> bool:
        """Whether a command would get its turn now, and no work has been going on for longer than any takes."""
        since = self._working_since
        if since is not None and time.monotonic() - since > delays.LONGEST_WORK:
            return False
        if not self._lock.acquire(timeout=delays.TURN):
            return False
        self._lock.release()
        return True

    def _guarded(self, work: Callable[[], None]) -> None:
        """Runs work to its end; whatever goes wrong is shown as a fault, and written down if the disk lets us."""
        try:
            work()
        except Refused as refusal:
            self._fault(refusal.code, Notice(f"error.{refusal.code}", _plain(refusal.details)))
        except Exception as problem:  # noqa: BLE001 - the end of a thread: a person must see it, whatever it is
            _log.exception("station.broken")
            self._fault(type(problem).__name__, Notice("error.internal", {"problem": type(problem).__name__}))

    # --- moves ------------------------------------------------------------------------------------------------------

    def _enter(self, state: State) -> None:
        """The next state, on disk before it is shown. Raises Refused("station-move") for a move the table lacks."""
        check_move(self._state, state)
        self._journal.write(Event.STATE, before=str(self._state), after=str(state))
        self._state = state
        self._publish()

    def _fault(self, code: str, notice: Notice) -> None:
        self._state, self._notice = State.FAULT, notice
        self._publish()
        _log.error("station.fault", code=code)
        try:
            self._journal.write(Event.FAULT, code=code)
        except Refused as refusal:
            _log.error("journal.lost", code=refusal.code)


def _plain(details: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {name: value if isinstance(value, str | int | float) else str(value) for name, value in details.items()}
