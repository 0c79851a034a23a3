"""What the API answers from: the ledger (reading only), the trust folder, and the station's word on the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.endpoint.answers import ContestEntry, DeliveryEntry, RecordEntry, Session
from firmware.endpoint.problems import ApiRefused
from firmware.endpoint.station_client import StationAway, StationClient
from firmware.ledger.store import Ledger
from firmware.panel.view import ContestView
from firmware.records import StoredRecord
from firmware.signing.cose import parse
from firmware.signing.keys import Device
from firmware.signing.trust import TrustRoots


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the API reads. The signer's socket is not among it: whoever reaches it can have records signed."""

    station: StationClient
    ledger_folder: Path
    trust: Path

    def ledger(self) -> Ledger:
        """The ledger, opened for reading. Raises LedgerRefused."""
        return Ledger.open(self.ledger_folder, readonly=True)

    def session(self) -> Session | None:
        """How the station stands; None when it does not answer."""
        try:
            view = self.station.view()
        except StationAway:
            return None
        contests = tuple(map(_contest, view.contests))
        return Session(view.state, view.mode, view.tps, view.day.stage, view.contest, contests)

    def device(self) -> Device:
        """The device whose key signed the newest record. Raises ApiRefused("no-record-yet"), LedgerRefused, and
        VerificationRefused when the trust folder does not hold it."""
        with self.ledger() as ledger:
            hashes = ledger.record_hashes()
            if not hashes:
                raise ApiRefused("no-record-yet")
            newest = ledger.record(hashes[-1]).sealed.cose
        return TrustRoots.load(self.trust).device(parse(newest).kid)


def _contest(view: ContestView) -> ContestEntry:
    deliveries = (DeliveryEntry(entry.collector, entry.state, entry.attempts) for entry in view.deliveries)
    return ContestEntry(view.id, view.stage, view.record.sha256 if view.record else None, tuple(deliveries))


def entry_of(stored: StoredRecord) -> RecordEntry:
    """A record as the list shows it."""
    payload, sealed = stored.sealed.payload, stored.sealed
    supersedes = payload["supersedes"]
    return RecordEntry(
        sealed.sequence,
        sealed.sha256.hex(),
        stored.stored_at.isoformat(),
        payload["mode"],
        payload["tps"],
        payload["contest"],
        supersedes.hex() if supersedes else None,
    )


def pictures_of(stored: StoredRecord) -> dict[int, str]:
    """SHA-256 of the picture of each page that the record names."""
    return {page["page"]: page["sha256"].hex() for page in stored.sealed.payload["pages"]}


def first(hashes: Sequence[bytes], size: int) -> Sequence[bytes]:
    """The log of the first `size` records. Raises ApiRefused("log-smaller") when there are not so many."""
    if size > len(hashes):
        raise ApiRefused("log-smaller", size=size, records=len(hashes))
    return hashes[:size]
