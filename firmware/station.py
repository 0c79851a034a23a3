"""The station: a day from opening to closing, contest after contest, one thing at a time.

    Press -> Frame -> Page -> Reading -> Tally -> Confirmation -> Record -> (on disk) -> Receipt
                                                                                   \\----> Delivery

The order sign, commit to disk, print, forward is never changed. Every step is on disk before it is shown, so that a
kiosk that is killed at any moment goes on at the last durable step: pictures are kept as they come, the review after
every decision, the draft record before the signer sees it (the same draft always gives the same record).

Whatever is asked while the station works is answered `busy`, never queued. What goes wrong is a notice with a sentence
where a person can just go on, else the state FAULT, and `retry` does then what a new start does. States and moves are
in states.py, waits in delays.py, what one contest is in counting.py.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import msgspec
import structlog

from firmware import delays
from firmware.capture.camera import CameraFault
from firmware.day.frame import DayMachine, only_if
from firmware.events import Event
from firmware.panel import show
from firmware.panel.panel import Sound
from firmware.panel.view import Answer, Notice, SessionView
from firmware.parts import Parts, Place
from firmware.records import Page, Press, Reason, RefusedPage
from firmware.session.counting import Counting
from firmware.session.live import Live
from firmware.session.taking import best_page
from firmware.states import BRINGING, OPEN, State
from firmware.tally.review import ROLES, Review, ReviewRefused

VERSION_DIGITS = 16
"""Hexadecimal digits of a view's version: two views of one day do not share 64 bits of hash by chance."""

_log = structlog.get_logger(__name__)


class Station(DayMachine):
    """The kiosk of one TPS. Threads may share it; make it with `open`."""

    def __init__(self, place: Place, parts: Parts) -> None:
        super().__init__(place, parts)
        self._live = Live(parts.camera, parts.layouts, parts.clock)
        self._watched_until = 0.0
        self._looked = parts.clock()
        self._shown = self._look()

    @classmethod
    def open(cls, place: Place, parts: Parts) -> Station:
        """A station that goes on where the last one stopped."""
        station = cls(place, parts)
        station._guarded(station._begin)
        return station

    # --- what the screen shows ------------------------------------------------------------------------------------

    def view(self, watching: bool = False) -> SessionView:
        """The day as it stands. Never waits for work. `watching`: somebody looks at the live view."""
        if watching:
            self._watched_until = self._parts.clock() + delays.WATCHED
        shown = show.with_deliveries(self._shown, self._parts.deliveries)
        shown = show.with_sticks(shown, self._parts.sticks())
        digest = hashlib.sha256(msgspec.json.encode(shown)).hexdigest()
        live = self._live.view if self._takes_pages else None
        wait = math.ceil(self._parts.pin.locked_seconds)
        return msgspec.structs.replace(shown, version=digest[:VERSION_DIGITS], live=live, pin_wait=wait)

    def strip(self, field: str) -> bytes | None:
        """The picture (JPEG) of a field's boxes."""
        return self._hand.slots.strip(field) if self._hand else None

    def picture(self, number: int) -> bytes | None:
        """The upright picture (JPEG) of a page."""
        return self._hand.slots.picture(number) if self._hand else None

    def pending_picture(self) -> bytes | None:
        """The upright picture (JPEG) of the page that waits for a choice."""
        hand = self._hand
        return self._parts.upright(hand.pending, hand.race.layout) if hand and hand.pending else None

    def live_picture(self) -> bytes | None:
        """What lies under the camera (JPEG)."""
        return self._live.picture if self._takes_pages else None

    # --- the day: which contest -------------------------------------------------------------------------------------

    def pick(self, contest: str) -> Answer:
        """Takes up a contest where it stands; an empty name puts the one at hand aside."""
        known = contest == "" or contest in self._today.countings
        return self._command(
            OPEN, State.READING, lambda: self._pick(contest), lambda: Answer.ACCEPTED if known else Answer.REFUSED
        )

    def _pick(self, contest: str) -> None:
        self._take_up(contest)
        self._rest(None)

    def _take_up(self, contest: str) -> None:
        if contest != self._today.day.contest:
            self._journal.write(Event.CONTEST, contest=contest)
            self._today.take_up(contest)
            self._print_problem = self._today.unprinted()

    @property
    def _hand(self) -> Counting | None:
        """The contest at hand."""
        return self._today.hand

    # --- before a press -------------------------------------------------------------------------------------------

    def watch(self) -> float:
        """One look at what lies under the camera, for screen and lamp; gives the seconds until the next one."""
        wait = delays.LOOK
        if self._takes_pages:
            wait = self._live.look(self._today.wanted())
        else:
            self._live.rest()
        self._light()
        self._looked = self._parts.clock()
        return wait

    def alive(self) -> bool:
        """Whether this station does its work: it takes commands, and looks under the camera (`watch`)."""
        return self._parts.clock() - self._looked < delays.LONGEST_LOOK and self.works()

    @property
    def _takes_pages(self) -> bool:
        """True while a page may be brought: in the review only when somebody wants to take one again."""
        if self._hand is not None and self._hand.pending is not None:
            return False
        if self._state is State.REVIEWING:
            return self._parts.clock() < self._watched_until
        return self._state in (State.IDLE, State.PREVIEWING) and bool(self._today.wanted())

    def _light(self) -> None:
        live = self._live.view if self._takes_pages else None
        self._parts.panel.lamp(show.lamp(msgspec.structs.replace(self._shown, live=live)))

    # --- Press -> Frame -> Page -------------------------------------------------------------------------------------

    def press(self, press: Press) -> Answer:
        """The button: one picture."""
        return self._command(
            BRINGING, State.CAPTURING, lambda: self._capture(press), lambda: only_if(bool(self._today.wanted()))
        )

    def _capture(self, press: Press) -> None:
        shots = self._live.capture()
        if isinstance(shots, CameraFault):
            self._journal.write(Event.CAMERA_FAULT, fault=str(shots))
            self._parts.panel.sound(Sound.REFUSED)
            return self._rest(Notice(self._live.sentence(shots)))
        self._parts.panel.sound(Sound.TAKEN)
        self._enter(State.READING)
        page = self._today.belonging(best_page(shots, press, self._parts, self._journal))
        return self._refuse(page) if isinstance(page, RefusedPage) else self._receive(*page)

    def _refuse(self, page: RefusedPage) -> None:
        self._journal.write(Event.PAGE_REFUSED, reason=str(page.reason))
        self._parts.panel.sound(Sound.REFUSED)
        self._rest(Notice(f"page.{page.reason}", dict(page.details)))

    def _receive(self, counting: Counting, page: Page) -> None:
        """The page says which contest it is of. With the last page of a contest, the reading begins."""
        self._take_up(counting.race.id)
        if page.number in counting.held:
            counting.hold(page)
            return self._rest(None)
        counting.take(page)
        self._journal.write(Event.PAGE_TAKEN, contest=counting.race.id, page=page.number, sha256=page.frame.sha256)
        if counting.complete:
            self._read(counting)
        return self._rest(None if counting.complete else Notice("screen.page-good", {"page": page.number}, good=True))

    def choose(self, replace: bool) -> Answer:
        """A person says which of two pictures of a page stays; the other one is kept on disk."""
        return self._at_once(
            lambda: self._work(self._may(BRINGING, choosing=True), State.READING, lambda: self._choose(replace))
        )

    def _choose(self, replace: bool) -> None:
        hand = self._in_hand()
        if replace:
            assert hand.pending is not None
            number = hand.pending.number
            old, new = hand.take_new()
            self._journal.write(Event.PAGE_REPLACED, page=number, old=old, sha256=new)
        else:
            hand.keep_old()
        self._rest(None)

    # --- Page -> Reading -> Tally -----------------------------------------------------------------------------------

    def _read(self, counting: Counting) -> None:
        asked = counting.read()
        self._journal.write(Event.PAGES_READ, contest=counting.race.id, asked=asked)

    # --- Tally -> Confirmation --------------------------------------------------------------------------------------

    def accept(self, fields: Sequence[str]) -> Answer:
        """A person says that the machine's reading of these fields is right."""
        return self._decide(Event.SETTLED, lambda review: review.accept(*fields), fields=",".join(fields))

    def correct(self, field: str, value: int | None) -> Answer:
        """A person types what is written; None: nothing is."""
        return self._decide(Event.SETTLED, lambda review: review.correct(field, value), fields=field)

    def undo(self) -> Answer:
        """Takes the last step of the review back."""
        return self._decide(Event.UNDONE, Review.undo)

    def _decide(self, event: Event, change: Callable[[Review], None], **told: str) -> Answer:
        """One step of the review: on disk, then on the screen. Refused: nothing has changed."""

        def step() -> Answer:
            answer = self._may({State.REVIEWING})
            if answer is not Answer.ACCEPTED:
                return answer
            try:
                self._in_hand().decide(change)
            except ReviewRefused as refusal:
                _log.warning("review.refused", code=refusal.code)
                return Answer.REFUSED
            self._journal.write(event, **told)
            self._notice = None
            self._publish()
            return Answer.ACCEPTED

        return self._at_once(step)

    # --- Confirmation -> Record -> (on disk) ------------------------------------------------------------------------

    def seal(self, role: str, pin: str) -> Answer:
        """Signs what was confirmed by `role`, commits it to disk, then prints."""
        return self._at_once(lambda: self._work(self._may_seal(role, pin), State.SEALING, lambda: self._seal(role)))

    def _may_seal(self, role: str, pin: str) -> Answer:
        answer = self._may({State.REVIEWING})
        if answer is not Answer.ACCEPTED:
            return answer
        hand = self._in_hand()
        if hand.review is None or hand.review.open:
            return Answer.UNSETTLED
        if role not in ROLES:
            return Answer.REFUSED
        return Answer.UNCHANGED if hand.changes_nothing() else self._judge(pin)

    def _seal(self, role: str) -> None:
        hand = self._in_hand()
        hand.draft(hand.confirmation(self._place, role))
        self._sign_and_store(hand)

    def _sign_and_store(self, hand: Counting) -> None:
        hand.sign_and_store()
        self._note_seal(hand)
        self._parts.panel.sound(Sound.DONE)
        self._enter(State.PRINTING)
        self._print(again=False)

    def _note_seal(self, hand: Counting) -> None:
        """Written down at least once, wherever the power goes."""
        assert hand.stored is not None
        sealed = hand.stored.sealed
        self._journal.write(Event.SEALED, sequence=sealed.sequence, sha256=sealed.sha256.hex())
        hand.note()

    # --- after the seal: a correction is a new record ---------------------------------------------------------------

    def amend(self, reason: Reason) -> Answer:
        """Begins to correct the sealed record at hand: the same pages and numbers, open to change."""
        return self._command(
            {State.IDLE}, State.READING, lambda: self._amend(reason), lambda: only_if(self._hand is not None)
        )

    def _amend(self, reason: Reason) -> None:
        hand = self._in_hand()
        self._today.put(hand.correct(reason, self._place))
        self._journal.write(Event.CORRECTION_BEGUN, contest=hand.race.id, reason=str(reason))
        self._rest(None)

    def drop_correction(self) -> Answer:
        """The sealed record stands as it is."""
        return self._command(
            {State.REVIEWING}, State.READING, self._drop_correction, lambda: only_if(self._in_hand().correcting)
        )

    def _drop_correction(self) -> None:
        hand = self._in_hand()
        self._today.put(hand.drop_correction(self._place))
        self._journal.write(Event.CORRECTION_DROPPED, contest=hand.race.id)
        self._rest(None)

    # --- after a kill, and the way out of a fault -------------------------------------------------------------------

    def retry(self) -> Answer:
        """Out of a fault: goes on at the last durable step."""
        return self._command({State.FAULT}, State.STARTING, self._resume)

    def _begin(self) -> None:
        self._journal.write(Event.STARTED, tps=self._place.tps, contests=len(self._place.races))
        self._parts.ledger.doubt_unfinished_prints("restart")
        self._resume()

    def _resume(self) -> None:
        """Makes everything in memory again from what is on disk, and goes on with the step after it."""
        self._parts.agree()
        self._today.load()
        hand = self._hand
        if hand is None:
            return self._woken(self._today.day.open)
        if hand.stored is not None and not hand.noted:
            self._note_seal(hand)
        if hand.drafted:
            self._enter(State.SEALING)
            return self._sign_and_store(hand)
        if hand.complete and hand.review is None:
            self._enter(State.READING)
            self._read(hand)
        return self._woken(True)

    def _woken(self, told: bool) -> None:
        self._print_problem = self._today.unprinted()
        self._rest(Notice("screen.resumed", good=True) if told else None)

    def _in_hand(self) -> Counting:
        hand = self._hand
        assert hand is not None
        return hand

    def _publish(self) -> None:
        self._shown = self._look()
        self._light()

    def _look(self) -> SessionView:
        today, hand, document = self._today, self._hand, self._today.document()
        return SessionView(
            version="",
            state=self._state,
            mode=self._place.mode,
            tps=self._place.tps,
            place=self._place.name,
            day=show.day_view(today.day, self._checks),
            contests=tuple(show.contest_view(entry) for entry in today.countings.values()),
            contest=today.day.contest,
            correcting=Reason(hand.session.reason) if hand and hand.correcting else None,
            pending=hand.pending.number if hand and hand.pending else None,
            notice=self._notice,
            fields=show.field_views(hand.race.layout, hand.review) if hand and hand.review else (),
            failed=show.failed_views(hand.race.layout, hand.review, hand.race.limits) if hand and hand.review else (),
            can_undo=bool(hand and hand.stored is None and hand.review and hand.review.settled),
            prints=show.print_view(self._parts.receipts, *document, self._print_problem) if document else None,
        )
