"""One contest in hand: its pages, its review, its record. Every change is on disk before anybody sees it.

    Page -> Reading -> Tally -> Confirmation -> Record -> (on disk)

The station decides when; here is what. Raises LedgerRefused and SignerRefused as their rooms do, Refused when a kept
picture is no page any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from firmware.errors import Refused
from firmware.parts import Parts, Place, Race
from firmware.records import Confirmation, Page, Reason, RefusedPage, StoredRecord
from firmware.session import session as sessions
from firmware.session.session import Session
from firmware.session.slots import Slots
from firmware.signing.encoding import decode, encode
from firmware.tally.review import Review


class Counting:
    """The count of one contest, or the correction of one that is sealed. One thread works; others may look."""

    def __init__(self, race: Race, key: str, parts: Parts, session: Session) -> None:
        self.race = race
        self.slots = Slots(race.layout, lambda page: parts.upright(page, race.layout))
        self.session = session
        self.pending: Page | None = None
        """A second picture of a page, which waits for a choice."""
        self.review: Review | None = None
        self.stored: StoredRecord | None = None
        """The sealed record; None while it is counted or corrected."""
        self.standing: StoredRecord | None = None
        """The record that stands, also while it is being corrected."""
        self._key = key
        self._parts = parts

    @classmethod
    def resume(cls, race: Race, place: Place, parts: Parts) -> Counting:
        """As the disk has it: begun, sealed, or untouched; asleep, so that a day with many contests starts at once."""
        records = parts.ledger.records_of(place.tps, race.id)
        key = sessions.key_of(place.tps, race.id, len(records))
        session = sessions.load(key, parts.ledger)
        if session is None and records:
            key = sessions.key_of(place.tps, race.id, len(records) - 1)
            counting = cls(race, key, parts, sessions.load(key, parts.ledger) or Session(race.id))
            counting.stored = records[-1]
        else:
            counting = cls(race, key, parts, session or Session(race.id))
        counting.standing = records[-1] if records else None
        return counting

    def wake(self) -> None:
        """Pages and review again from what the session names: takes as long as to recognise its pages."""
        if self.slots.numbers == self.held:
            return
        for picture in self.session.pages.values():
            self.slots.put(self._recognised(picture))
        self.pending = self._recognised(self.session.pending) if self.session.pending else None
        self.review = Review.from_json(self.session.review) if self.session.review else None

    def _recognised(self, picture: sessions.Picture) -> Page:
        page = self._parts.recognise(sessions.frame_of(picture, self._parts.ledger))
        if isinstance(page, RefusedPage):
            raise Refused("session-picture", picture=picture.sha256, reason=str(page.reason))
        return page

    # --- how far it is ----------------------------------------------------------------------------------------------

    @property
    def held(self) -> frozenset[int]:
        """The pages that are there."""
        return frozenset(self.session.pages)

    @property
    def complete(self) -> bool:
        """Every page is there."""
        return len(self.held) == len(self.race.layout.pages)

    @property
    def correcting(self) -> bool:
        """This count corrects a record and is not sealed yet."""
        return bool(self.session.supersedes) and self.stored is None

    # --- pages ------------------------------------------------------------------------------------------------------

    def take(self, page: Page) -> None:
        """Puts a page into its free slot."""
        self.slots.put(page)
        self._save(pages={**self.session.pages, page.number: sessions.of_frame(page.frame)})

    def hold(self, page: Page) -> None:
        """A second picture of a page waits for a person's choice."""
        self._save(pending=sessions.of_frame(page.frame))
        self.pending = page

    def keep_old(self) -> None:
        """The picture in the slot stays; the other one is kept beside it."""
        assert self.pending is not None
        self._save(replaced=(*self.session.replaced, sessions.of_frame(self.pending.frame)), pending=None)
        self.pending = None

    def take_new(self) -> tuple[str, str]:
        """The new picture comes in, and the numbers of its page are settled again. Gives both hashes, old and new."""
        page = self.pending
        assert page is not None
        new, old = sessions.of_frame(page.frame), self.session.pages[page.number]
        self.slots.put(page)
        changes: dict[str, Any] = {"pages": {**self.session.pages, page.number: new}, "pending": None}
        changes["replaced"] = (*self.session.replaced, old)
        if self.complete:
            fields = {field.id for field in self.race.layout.page(page.number).fields}
            tally = self._parts.read(self.slots.pages, self.race)
            self.review = sessions.carried_over(self.session.review, tally, without=fields)
            changes["review"] = self.review.to_json()
        self._save(**changes)
        self.pending = None
        return old.sha256, new.sha256

    # --- reading and review -----------------------------------------------------------------------------------------

    def read(self) -> int:
        """All pages -> a review. Gives how many numbers are asked."""
        tally = self._parts.read(self.slots.pages, self.race)
        review = Review(tally)
        self._save(review=review.to_json())
        self.review = review
        return sum(bool(field.doubts) for field in tally.fields.values())

    def decide(self, change: Callable[[Review], None]) -> None:
        """One step of the review. Raises ReviewRefused, and then nothing has changed."""
        review = Review.from_json(self.session.review)
        change(review)
        self._save(review=review.to_json())
        self.review = review

    def correct(self, reason: Reason, place: Place) -> Counting:
        """A new count that corrects this sealed one: the same pages, every number as sealed, open to change."""
        assert self.stored is not None
        records = self._parts.ledger.records_of(place.tps, self.race.id)
        session = msgspec.structs.replace(
            self.session,
            sealing=b"",
            record="",
            pending=None,
            supersedes=self.stored.sealed.sha256.hex(),
            reason=str(reason),
        )
        key = sessions.key_of(place.tps, self.race.id, len(records))
        sessions.save(session, key, self._parts.ledger)
        return self._again(place)

    def drop_correction(self, place: Place) -> Counting:
        """The sealed count again; what was changed since is forgotten, its pictures stay."""
        self._parts.ledger.clear_draft(self._key)
        return self._again(place)

    def _again(self, place: Place) -> Counting:
        counting = Counting.resume(self.race, place, self._parts)
        counting.wake()
        return counting

    # --- the seal ---------------------------------------------------------------------------------------------------

    def confirmation(self, place: Place, role: str) -> Confirmation:
        """What can be sealed. Raises ReviewRefused while a number is open."""
        assert self.review is not None
        made = self.review.confirmation(place.tps, role, self.slots.pages, self.race.layout, self.race.limits)
        supersedes = bytes.fromhex(self.session.supersedes) or None
        return replace(made, supersedes=supersedes, reason=self.session.reason)

    def changes_nothing(self) -> bool:
        """True for a correction that has the numbers and pictures of the record that it corrects."""
        if not self.correcting or self.review is None:
            return False
        sealed = self._parts.ledger.record(bytes.fromhex(self.session.supersedes)).sealed.payload
        values = {field["id"]: field["value"] for field in sealed["fields"]}
        pictures = {page["sha256"].hex() for page in sealed["pages"]}
        return values == self.review.values and pictures == {page.frame.sha256 for page in self.slots.pages}

    def draft(self, confirmation: Confirmation) -> None:
        """What the signer will be asked, on disk before it is asked."""
        self._save(sealing=encode(self._parts.draft(confirmation)))

    @property
    def drafted(self) -> bool:
        """The signer may have been asked; it is asked again with the same words."""
        return bool(self.session.sealing) and self.stored is None

    def sign_and_store(self) -> StoredRecord:
        """Signs, commits to disk. The same again after a power cut, whenever it came."""
        sealed = self._parts.signer.seal(decode(self.session.sealing))
        pictures = {page.frame.sha256: page.frame.data for page in self.slots.pages}
        self.stored = self.standing = self._parts.ledger.commit(sealed, pictures)
        return self.stored

    @property
    def noted(self) -> bool:
        """The session knows its record; false when the power went in the moment after the commit."""
        return bool(self.session.record)

    def note(self) -> None:
        """The session knows its record."""
        assert self.stored is not None
        self._save(record=self.stored.sealed.sha256.hex())

    def _save(self, **changes: Any) -> None:
        session = msgspec.structs.replace(self.session, **changes)
        sessions.save(session, self._key, self._parts.ledger)
        self.session = session
