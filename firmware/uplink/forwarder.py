"""Forwarding: which record is offered when, and what an attempt changes in the outbox.

Records are found in the ledger, opened for reading: what is not on disk cannot be sent. An attempt is written down
before it begins, an acknowledgement before the record counts as delivered; being killed in between costs a repetition,
which the collector answers alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from firmware.errors import LedgerRefused
from firmware.ledger.outbox import Outbox
from firmware.records import Delivery, DeliveryState, StoredRecord
from firmware.uplink.outcome import Attempt, Outcome, judge
from firmware.uplink.transport import Transport

FIRST_WAIT_SECONDS = 2.0
"""Upper bound of the wait after the first failure; it doubles with each further one."""

LONGEST_WAIT_SECONDS = {
    Outcome.NO_NETWORK: 10.0,  # costs nobody anything, and a network may be there for a few seconds only
    Outcome.NOT_AN_ACKNOWLEDGEMENT: 30.0,  # somebody is logging in at the portal, perhaps
    Outcome.TIMEOUT: 120.0,  # a collector out of breath is not helped by thousands of kiosks at once
    Outcome.SERVER_ERROR: 300.0,  # likewise
    Outcome.REFUSED: 900.0,  # until an operator has looked; never given up
}
"""The cap of the backoff by what went wrong, in seconds."""

_OUT_OF_REACH = (Outcome.NO_NETWORK, Outcome.NOT_AN_ACKNOWLEDGEMENT, Outcome.TIMEOUT)
"""What concerns the way to the collector and therefore every record."""
_MOST_DOUBLINGS = 16


class Records(Protocol):
    """What forwarding needs of a ledger."""

    def record_hashes(self) -> tuple[bytes, ...]:
        """The SHA-256 of every record in the order of the chain."""

    def record(self, sha256: bytes) -> StoredRecord:
        """The record of that hash."""


def backoff(outcome: Outcome, attempts: int, rng: random.Random) -> float:
    """Seconds to wait after the `attempts`-th attempt (from 1) failed: full jitter, so that no two kiosks march in
    step; the upper bound doubles up to the outcome's cap."""
    bound = FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    return rng.uniform(0.0, min(bound, LONGEST_WAIT_SECONDS[outcome]))


class Forwarder:
    """Forwards one ledger's records to one collector. `verify(acknowledgement, record)` raises VerificationRefused;
    `clock` gives Unix seconds; `tell` hears of every attempt."""

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
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._collector = collector
        self._transport = transport
        self._verify = verify
        self._clock = clock
        self._rng = rng
        self._tell = tell

    def round(self) -> None:
        """Takes in new records and offers each that is due once; ends early when the collector is out of reach.
        Raises LedgerRefused when a disk does not do its part, but only after the other records had their turn."""
        self._outbox.adopt(self._ledger.record_hashes(), self._collector)
        fault: LedgerRefused | None = None
        for delivery in self._outbox.due(self._collector, self._clock(), max(LONGEST_WAIT_SECONDS.values())):
            try:
                if self._offer(delivery) in _OUT_OF_REACH:
                    break
            except LedgerRefused as refusal:
                fault = refusal
        if fault:
            raise fault

    def _offer(self, delivery: Delivery) -> Outcome:
        record = delivery.record
        cose = self._ledger.record(record).sealed.cose
        self._outbox.sending(record, self._collector)
        answer = self._transport.put_record(record, cose)
        attempt = judge(answer, lambda acknowledgement: self._verify(acknowledgement, record))
        if attempt.acknowledgement is not None:
            self._outbox.acknowledged(record, self._collector, attempt.acknowledgement)
        else:
            self._failed(delivery, attempt)
        self._tell(record, attempt)
        return attempt.outcome

    def _failed(self, delivery: Delivery, attempt: Attempt) -> None:
        state = DeliveryState.REFUSED if attempt.outcome is Outcome.REFUSED else DeliveryState.WAITING
        next_try = self._clock() + backoff(attempt.outcome, delivery.attempts + 1, self._rng)
        self._outbox.failed(delivery.record, self._collector, state, str(attempt.outcome), attempt.detail, next_try)
        if attempt.outcome in _OUT_OF_REACH:
            self._outbox.postpone(self._collector, next_try)
