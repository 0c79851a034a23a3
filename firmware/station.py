"""The station: one session from the first press to the delivery, one thing at a time.

    Press -> Frame -> Page -> Reading -> Tally -> Confirmation -> Record -> (on disk) -> Receipt
                                                                                   \\----> Delivery

The order sign, commit to disk, print, forward is never changed. Every step is on disk before it is shown, so that a
kiosk that is killed at any moment goes on at the last durable step: pictures are kept as they come, the review after
every decision, the draft record before the signer sees it (the same draft always gives the same record).

Whatever is asked while the station works is answered `busy`, never queued. Commands return at once; the work runs in
`parts.start`. What goes wrong is a notice with a sentence where a person can just go on, else the state FAULT, and
`retry` does then what a new start does.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from firmware import session as sessions
from firmware.capture.camera import CameraFault
from firmware.errors import Refused
from firmware.events import Event, Journal
from firmware.live import LOOK_SECONDS, Live
from firmware.panel import show
from firmware.panel.panel import Sound
from firmware.panel.view import WORKING, Answer, Notice, SessionView, State
from firmware.parts import Parts, Place
from firmware.receipts import INTERRUPTED
from firmware.records import Page, Press, RefusedPage, StoredRecord, Tally
from firmware.session import Session
from firmware.signing.encoding import decode, encode
from firmware.slots import Slots
from firmware.taking import belonging, best_page
from firmware.tally.review import ROLES, Review, ReviewRefused

VERSION_DIGITS = 16
"""Hexadecimal digits of a view's version: two views of one day do not share 64 bits of hash by chance."""

WATCHED_SECONDS = 3.0
"""A screen that shows the live view asks more often than this, even without a script."""

_WAITING = frozenset({State.IDLE, State.REVIEWING})
"""States in which a person may bring a page."""

_log = structlog.get_logger(__name__)


class Station:
    """The session of one contest at one TPS. Threads may share it; make it with `open`."""

    def __init__(self, place: Place, parts: Parts) -> None:
        self._place = place
        self._parts = parts
        self._journal = Journal(parts.ledger.append_event)
        self._lock = threading.Lock()
        self._state = State.IDLE
        self._session = Session(place.layout.contest)
        self._slots = Slots(place.layout, parts.upright)
        self._pending: Page | None = None
        self._review: Review | None = None
        self._stored: StoredRecord | None = None
        self._print_problem: str | None = None
        self._notice: Notice | None = None
        self._live = Live(parts.camera, place.layout, parts.layouts, parts.clock)
        self._watched_until = 0.0
        self._shown = self._look()

    @classmethod
    def open(cls, place: Place, parts: Parts) -> Station:
        """A station that goes on where the last one stopped."""
        station = cls(place, parts)
        station._guarded(station._start)
        return station

    # --- what the screen shows ------------------------------------------------------------------------------------

    def view(self, watching: bool = False) -> SessionView:
        """The session as it stands. Never waits for work. `watching`: somebody looks at the live view."""
        if watching:
            self._watched_until = self._parts.clock() + WATCHED_SECONDS
        shown = self._shown
        if shown.record is not None:
            deliveries = self._parts.deliveries(bytes.fromhex(shown.record.sha256))
            shown = msgspec.structs.replace(shown, deliveries=show.delivery_views(deliveries))
        digest = hashlib.sha256(msgspec.json.encode(shown)).hexdigest()
        live = self._live.view if self._takes_pages else None
        return msgspec.structs.replace(shown, version=digest[:VERSION_DIGITS], live=live)

    def strip(self, field: str) -> bytes | None:
        """The picture (PNG) of a field's boxes."""
        return self._slots.strip(field)

    def picture(self, number: int) -> bytes | None:
        """The upright picture (JPEG) of a page."""
        return self._slots.picture(number)

    def pending_picture(self) -> bytes | None:
        """The upright picture (JPEG) of the page that waits for a choice."""
        pending = self._pending
        return self._parts.upright(pending) if pending else None

    def live_picture(self) -> bytes | None:
        """What lies under the camera (JPEG)."""
        return self._live.picture if self._takes_pages else None

    # --- before a press -------------------------------------------------------------------------------------------

    def watch(self) -> float:
        """One look at what lies under the camera, for screen and lamp; gives the seconds until the next one."""
        wait = LOOK_SECONDS
        if self._takes_pages:
            wait = self._live.look(() if self._slots.complete else self._slots.numbers)
        else:
            self._live.rest()
        self._light()
        return wait

    @property
    def _takes_pages(self) -> bool:
        """True while a page may be brought: in the review only when somebody wants to take one again."""
        if self._pending is not None:
            return False
        return self._state is State.IDLE or (
            self._state is State.REVIEWING and self._parts.clock() < self._watched_until
        )

    def _light(self) -> None:
        live = self._live.view if self._takes_pages else None
        self._parts.panel.lamp(show.lamp(msgspec.structs.replace(self._shown, live=live)))

    # --- Press -> Frame -> Page -------------------------------------------------------------------------------------

    def press(self, press: Press) -> Answer:
        """The button: one picture."""
        with self._lock:
            return self._work(self._may(_WAITING), State.CAPTURING, lambda: self._capture(press))

    def _capture(self, press: Press) -> None:
        shots = self._live.capture()
        if isinstance(shots, CameraFault):
            self._journal.write(Event.CAMERA_FAULT, fault=str(shots))
            self._parts.panel.sound(Sound.REFUSED)
            return self._rest(Notice(self._live.sentence(shots)))
        self._parts.panel.sound(Sound.TAKEN)
        self._enter(State.READING)
        page = belonging(best_page(shots, press, self._parts, self._journal), self._place.layout.id, self._slots)
        if isinstance(page, RefusedPage):
            return self._refuse(page)
        if page.number not in self._slots.numbers:
            return self._take(page)
        self._pending = page
        self._save(pending=sessions.of_frame(page.frame))
        return self._rest(None)

    def _refuse(self, page: RefusedPage) -> None:
        self._journal.write(Event.PAGE_REFUSED, reason=str(page.reason))
        self._parts.panel.sound(Sound.REFUSED)
        self._rest(Notice(f"page.{page.reason}", dict(page.details)))

    def _take(self, page: Page) -> None:
        """Puts a page into its free slot; with the last one, the reading begins."""
        self._slots.put(page)
        self._save(pages={**self._session.pages, page.number: sessions.of_frame(page.frame)})
        self._journal.write(Event.PAGE_TAKEN, page=page.number, sha256=page.frame.sha256)
        if self._slots.complete:
            self._read()
        self._rest(None if self._slots.complete else Notice("screen.page-good", {"page": page.number}, good=True))

    def choose(self, replace: bool) -> Answer:
        """A person says which of two pictures of a page stays; the other one is kept on disk."""
        with self._lock:
            return self._work(self._may(_WAITING, choosing=True), State.READING, lambda: self._choose(replace))

    def _choose(self, replace: bool) -> None:
        pending = self._pending
        assert pending is not None
        new = sessions.of_frame(pending.frame)
        old = self._session.pages[pending.number]
        if replace:
            self._replace(pending, new, old)
        else:
            self._save(replaced=(*self._session.replaced, new), pending=None)
        self._pending = None
        self._rest(None)

    def _replace(self, page: Page, new: sessions.Picture, old: sessions.Picture) -> None:
        """One durable step: the new picture, and the numbers of its page to be settled again."""
        self._slots.put(page)
        changes: dict[str, Any] = {"pages": {**self._session.pages, page.number: new}}
        changes |= {"replaced": (*self._session.replaced, old), "pending": None}
        if self._slots.complete:
            fields = {field.id for field in self._place.layout.page(page.number).fields}
            self._review = sessions.carried_over(self._session.review, self._tally(), without=fields)
            changes["review"] = self._review.to_json()
        self._save(**changes)
        self._journal.write(Event.PAGE_REPLACED, page=page.number, old=old.sha256, sha256=new.sha256)

    # --- Page -> Reading -> Tally -----------------------------------------------------------------------------------

    def _read(self) -> None:
        tally = self._tally()
        self._review = Review(tally)
        self._save(review=self._review.to_json())
        self._journal.write(Event.PAGES_READ, asked=sum(bool(field.doubts) for field in tally.fields.values()))

    def _tally(self) -> Tally:
        return self._parts.read(self._slots.pages)

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
        with self._lock:
            answer = self._may({State.REVIEWING})
            if answer is not Answer.ACCEPTED:
                return answer
            review = Review.from_json(self._session.review)
            try:
                change(review)
            except ReviewRefused as refusal:
                _log.warning("review.refused", code=refusal.code)
                return Answer.REFUSED
            self._save(review=review.to_json())
            self._journal.write(event, **told)
            self._review, self._notice = review, None
            self._publish()
        return Answer.ACCEPTED

    # --- Confirmation -> Record -> (on disk) ------------------------------------------------------------------------

    def seal(self, role: str) -> Answer:
        """Signs what was confirmed by `role`, commits it to disk, then prints."""
        with self._lock:
            answer = self._may({State.REVIEWING})
            if answer is Answer.ACCEPTED and (self._review is None or self._review.open):
                answer = Answer.UNSETTLED
            if role not in ROLES:
                answer = Answer.REFUSED
            return self._work(answer, State.SEALING, lambda: self._seal(role))

    def _seal(self, role: str) -> None:
        place, review = self._place, self._review
        assert review is not None
        confirmation = review.confirmation(place.tps, role, self._slots.pages, place.layout, place.limits)
        self._save(sealing=encode(self._parts.draft(confirmation)))
        self._sign_and_store()

    def _sign_and_store(self) -> None:
        sealed = self._parts.signer.seal(decode(self._session.sealing))
        pictures = {page.frame.sha256: page.frame.data for page in self._slots.pages}
        self._stored = self._parts.ledger.commit(sealed, pictures)
        self._save(record=sealed.sha256.hex())
        self._journal.write(Event.SEALED, sequence=sealed.sequence, sha256=sealed.sha256.hex())
        self._parts.panel.sound(Sound.DONE)
        self._print(again=False)

    # --- Record -> Receipt ------------------------------------------------------------------------------------------

    def reprint(self) -> Answer:
        """Prints what is not certainly on paper; when everything is, all of it again."""
        with self._lock:
            return self._work(self._may({State.DONE}), State.PRINTING, lambda: self._print(again=True))

    def _print(self, again: bool) -> None:
        """Prints only what is stored. A printer that needs a person never takes anything from the record."""
        stored = self._stored
        assert stored is not None
        self._print_problem = None
        self._enter(State.PRINTING)
        document, receipts = self._parts.document(stored), self._parts.receipts
        for copy in receipts.doubtful(document.name) if again else ():
            receipts.answer(document.name, copy, whole=False)
        problem = receipts.print(document, again, self._publish)
        self._print_problem = problem
        if problem is None:
            self._journal.write(Event.PRINTED, sha256=stored.sealed.sha256.hex())
        else:
            self._journal.write(Event.PRINT_FAILED, sha256=stored.sealed.sha256.hex(), problem=problem)
        self._enter(State.DONE)

    # --- after a kill, and the way out of a fault -------------------------------------------------------------------

    def retry(self) -> Answer:
        """Out of a fault: goes on at the last durable step."""
        with self._lock:
            return self._work(self._may({State.FAULT}), State.READING, self._resume)

    def _start(self) -> None:
        self._journal.write(Event.STARTED, tps=self._place.tps, contest=self._place.layout.contest)
        self._parts.ledger.doubt_unfinished_prints("restart")
        self._resume()

    def _resume(self) -> None:
        """Makes everything in memory again from what is on disk, and goes on with the step after it."""
        saved = sessions.load(self._parts.ledger)
        if saved is None:
            return self._rest(None)
        if saved.contest != self._place.layout.contest:
            raise Refused("session-contest", contest=saved.contest)
        self._session, self._slots = saved, Slots(self._place.layout, self._parts.upright)
        for picture in saved.pages.values():
            self._slots.put(self._recognised(picture))
        self._pending = self._recognised(saved.pending) if saved.pending else None
        self._review = Review.from_json(saved.review) if saved.review else None
        return self._go_on()

    def _go_on(self) -> None:
        if self._session.record:
            self._stored = stored = self._parts.ledger.record(bytes.fromhex(self._session.record))
            document = self._parts.document(stored)
            whole = self._parts.receipts.printed(document.name) == document.copies
            self._print_problem = None if whole else INTERRUPTED
            return self._enter(State.DONE)
        if self._session.sealing:
            self._enter(State.SEALING)
            return self._sign_and_store()
        if self._slots.complete and self._review is None:
            self._read()
        return self._rest(Notice("screen.resumed", good=True))

    def _recognised(self, picture: sessions.Picture) -> Page:
        """A page again from its picture. Raises LedgerRefused, or Refused when it is no page any more."""
        page = self._parts.recognise(sessions.frame_of(picture, self._parts.ledger))
        if isinstance(page, RefusedPage):
            raise Refused("session-picture", picture=picture.sha256, reason=str(page.reason))
        return page

    def remark(self, notice: Notice, **told: str) -> None:
        """What a person must know about the button or the pedal: written down, and shown unless work or a fault is."""
        with self._lock:
            self._journal.write(Event.PANEL, **told)
            if self._state not in WORKING and self._state is not State.FAULT:
                self._notice = notice
                self._publish()

    # --- states -----------------------------------------------------------------------------------------------------

    def _may(self, states: Collection[State], choosing: bool = False) -> Answer:
        """Whether this is the time for a command; while two pictures wait for a choice, only for the choice."""
        if self._state in WORKING:
            return Answer.BUSY
        if self._state not in states or (self._pending is not None) is not choosing:
            return Answer.NOT_NOW
        return Answer.ACCEPTED

    def _work(self, answer: Answer, state: State, work: Callable[[], None]) -> Answer:
        """Begins work aside when the answer so far is `accepted`."""
        if answer is Answer.ACCEPTED:
            self._notice = None
            self._enter(state)
            self._parts.start(lambda: self._guarded(work))
        return answer

    def _guarded(self, work: Callable[[], None]) -> None:
        """Runs work to its end; whatever goes wrong is shown as a fault, and written down if the disk lets us."""
        try:
            work()
        except Refused as refusal:
            self._fault(refusal.code, Notice(f"error.{refusal.code}", _plain(refusal.details)))
        except Exception as problem:  # noqa: BLE001 - the end of a thread: a person must see it, whatever it is
            _log.exception("station.broken")
            self._fault(type(problem).__name__, Notice("error.internal", {"problem": type(problem).__name__}))

    def _fault(self, code: str, notice: Notice) -> None:
        self._state, self._notice = State.FAULT, notice
        self._publish()
        _log.error("station.fault", code=code)
        try:
            self._journal.write(Event.FAULT, code=code)
        except Refused as refusal:
            _log.error("journal.lost", code=refusal.code)

    def _rest(self, notice: Notice | None) -> None:
        """Back to waiting for a person."""
        self._notice = notice
        self._enter(State.REVIEWING if self._review is not None else State.IDLE)

    def _enter(self, state: State) -> None:
        self._journal.write(Event.STATE, before=str(self._state), after=str(state))
        self._state = state
        self._publish()

    def _save(self, **changes: Any) -> None:
        """The next durable step."""
        session = msgspec.structs.replace(self._session, **changes)
        sessions.save(session, self._parts.ledger)
        self._session = session

    def _publish(self) -> None:
        self._shown = self._look()
        self._light()

    def _look(self) -> SessionView:
        place, review, stored = self._place, self._review, self._stored
        receipts, document = self._parts.receipts, self._parts.document
        return SessionView(
            version="",
            state=self._state,
            mode=place.mode,
            tps=place.tps,
            place=place.name,
            contest=place.layout.contest,
            title=dict(place.layout.title),
            pages=self._slots.views(),
            pending=self._pending.number if self._pending else None,
            notice=self._notice,
            fields=show.field_views(place.layout, review) if review else (),
            failed=show.failed_views(place.layout, review, place.limits) if review else (),
            can_undo=bool(review and review.settled) and stored is None,
            record=show.record_view(stored) if stored else None,
            prints=show.print_view(receipts, document(stored), self._print_problem) if stored else None,
            deliveries=(),
        )


def _plain(details: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {name: value if isinstance(value, str | int | float) else str(value) for name, value in details.items()}
