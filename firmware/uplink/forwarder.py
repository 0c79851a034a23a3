"""Forwarding: what is offered when, and what an attempt changes in the outbox.

Records are found in the ledger, opened for reading: what is not on disk cannot be sent. An attempt is written down
before it begins, an acknowledgement before the record counts as delivered; being killed in between costs a repetition,
which the collector answers alike. No picture moves while a record could: every round offers all records that are due,
then sends at most one piece of one picture.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from firmware.errors import LedgerRefused
from firmware.ledger.outbox import Outbox, PictureDelivery
from firmware.records import Delivery, DeliveryState, StoredRecord
from firmware.uplink.backoff import LONGEST_OF_ALL_SECONDS, OUT_OF_REACH, backoff
from firmware.uplink.outcome import Attempt, Outcome, judge
from firmware.uplink.pictures import PictureSender
from firmware.uplink.transport import Transport
from firmware.uplink.wire import put_record


class Records(Protocol):
    """What forwarding needs of a ledger."""

    def record_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of every record in the order of the chain."""

    def record(self, sha256: bytes) -> StoredRecord:
        """The record of that hash."""

    def pictures_of(self, sha256: bytes) -> dict[bytes, int]:
        """The pictures that a record speaks of: SHA-256 and size in bytes."""

    def picture(self, sha256: str) -> bytes:
        """The picture of that hash (hexadecimal)."""


class Forwarder:
    """Forwards one ledger to one collector. `verify(acknowledgement, record)` raises VerificationRefused; `clock` gives
    Unix seconds; `tell` hears of every attempt and of what: a record's or a picture's hash. With `anywhere` a record
    that any collector has acknowledged is done; without `pictures` none is sent. `routed`: is there any network?"""

    def __init__(
        self,
        ledger: Records,
        outbox: Outbox,
        collector: str,
        transport: Transport,
        verify: Callable[[bytes, bytes], object],
        clock: Callable[[], float],
        rng: random.Random,
        tell: Callable[[bytes, Attempt], None],
        *,
        anywhere: bool = False,
        pictures: bool = True,
        routed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._collector = collector
        self._transport = transport
        self._verify = verify
        self._clock = clock
        self._rng = rng
        self._tell = tell
        self._anywhere = anywhere
        self._routed = routed
        self._pictures = PictureSender(ledger.picture, outbox, collector, transport) if pictures else None

    def round(self) -> bool:
        """Takes in new records, offers each that is due once, then sends a piece of a picture; ends early when the
        collector is out of reach. True when there is more to send at once. Raises LedgerRefused when a disk does not do
        its part, but only after the other records had their turn."""
        self._outbox.adopt(self._ledger.record_hashes(), self._collector, self._ledger.pictures_of)
        fault: LedgerRefused | None = None
        for delivery in self._outbox.due(
            self._collector, self._clock(), LONGEST_OF_ALL_SECONDS, anywhere=self._anywhere
        ):
            try:
                if self._offer(delivery) in OUT_OF_REACH:
                    return False
            except LedgerRefused as refusal:
                fault = refusal
        more = self._send_piece()
        if fault:
            raise fault
        return more

    def hasten(self) -> None:
        """There is another network: nothing waits for the last one's failures, nor for its connections."""
        self._transport.renew()
        self._outbox.hasten(self._collector)

    def _offer(self, delivery: Delivery) -> Outcome:
        record = delivery.record
        cose = self._ledger.record(record).sealed.cose
        self._outbox.sending(record, self._collector)
        answer = self._transport.exchange(put_record(record, cose))
        attempt = judge(answer, lambda acknowledgement: self._verify(acknowledgement, record))
        if attempt.acknowledgement is not None:
            self._outbox.acknowledged(record, self._collector, attempt.acknowledgement)
        else:
            state = DeliveryState.REFUSED if attempt.outcome is Outcome.REFUSED else DeliveryState.WAITING
            next_try = self._next_try(attempt.outcome, delivery.attempts)
            self._outbox.failed(record, self._collector, state, str(attempt.outcome), attempt.detail, next_try)
        self._tell(record, attempt)
        return attempt.outcome

    def _send_piece(self) -> bool:
        due = self._outbox.due_picture(self._collector, self._clock(), LONGEST_OF_ALL_SECONDS)
        if due is None or self._pictures is None:
            return False
        try:
            attempt = self._pictures.step(due)
        except LedgerRefused as refusal:
            self._picture_failed(due, Attempt(Outcome.REFUSED, detail=refusal.code))
            raise
        if attempt.outcome is Outcome.PROGRESS:
            return True
        self._picture_failed(due, attempt)
        self._tell(due.picture, attempt)
        return attempt.outcome not in OUT_OF_REACH

    def _picture_failed(self, due: PictureDelivery, attempt: Attempt) -> None:
        next_try = self._next_try(attempt.outcome, due.attempts)
        self._outbox.picture_failed(due.picture, self._collector, str(attempt.outcome), attempt.detail, next_try)

    def _next_try(self, outcome: Outcome, attempts: int) -> float:
        """When to try again; postpones everything where the collector is out of reach."""
        next_try = self._clock() + backoff(outcome, attempts + 1, self._rng, routed=self._routed())
        if outcome in OUT_OF_REACH:
            self._outbox.postpone(self._collector, next_try)
        return next_try
