"""What this kiosk prints: the receipts of a record, and the strips that frame a day. Made from what is on disk alone.

Printed again a year later, a strip says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from firmware.day.day import Day, Moment
from firmware.day.findings import found
from firmware.ledger.store import Ledger
from firmware.parts import Place
from firmware.receipt.day import CheckLine, ClosingFacts, ClosingRecord, OpeningFacts
from firmware.receipts import Document, closing_document, opening_document, record_document
from firmware.records import StoredRecord
from firmware.signing.cose import parse
from firmware.signing.keys import DeviceClaims
from firmware.signing.merkle import root

LANGUAGE = "id"
"""Of the strips of a day: one language, as the receipts."""
ONE_STRIP = 1
"""Opening and closing are framed with the TPS's papers: one strip each."""


@dataclass(frozen=True, slots=True)
class DayStrips:
    """The documents of one kiosk; `device` tells whose key signs, None when nobody knows it."""

    place: Place
    election: str
    election_sha256: bytes
    ledger: Ledger
    device: Callable[[bytes | None], DeviceClaims | None]
    """By the key id of a record; None: of the key that signs now."""
    checkpoint: Callable[[], str | None]
    """The signed note of the log as it is now."""
    width_dots: int

    def record(self, stored: StoredRecord, copies: int) -> Document:
        """The receipts of a record."""
        race = self.place.race(stored.sealed.payload["contest"])
        assert race is not None
        device = self.device(parse(stored.sealed.cose).kid)
        return record_document(stored, race.layout, self.place.name, device, copies, self.width_dots)

    def opening(self, day: Day) -> Document:
        """What the kiosk was when the day began."""
        return opening_document(str(day.number), lambda: self._opening(day), ONE_STRIP, self.width_dots)

    def closing(self, day: Day) -> Document:
        """Everything that was sealed, and the root of the log."""
        return closing_document(str(day.number), lambda: self._closing(day), ONE_STRIP, self.width_dots)

    def _opening(self, day: Day) -> OpeningFacts:
        at, clock = _moment(day.opened_at)
        return OpeningFacts(
            mode=self.place.mode,
            tps=self.place.tps,
            place=self.place.name,
            election=self.election,
            election_sha256=self.election_sha256,
            contests=tuple(race.layout.title[LANGUAGE] for race in self.place.races),
            at=at,
            clock=clock,
            device=self.device(None),
            checks=tuple(CheckLine(found(entry, self.place.tps, LANGUAGE), entry.ok) for entry in day.checks),
            log_size=day.sealed_before,
            log_root=root(self.ledger.record_hashes()[: day.sealed_before]),
        )

    def _closing(self, day: Day) -> ClosingFacts:
        at, clock = _moment(day.closed_at)
        everything = self.ledger.records()
        return ClosingFacts(
            mode=self.place.mode,
            tps=self.place.tps,
            place=self.place.name,
            at=at,
            clock=clock,
            device=self.device(None),
            records=self._sealed(everything[day.sealed_before :]),
            contests_open=tuple(
                race.layout.title[LANGUAGE]
                for race in self.place.races
                if not self.ledger.records_of(self.place.tps, race.id)
            ),
            log_size=len(everything),
            log_root=root([stored.sealed.sha256 for stored in everything]),
            checkpoint=self.checkpoint(),
        )

    def _sealed(self, records: tuple[StoredRecord, ...]) -> tuple[ClosingRecord, ...]:
        replaced = {stored.sealed.payload["supersedes"] for stored in records}
        return tuple(
            ClosingRecord(
                stored.sealed.sequence,
                self._title(stored.sealed.payload["contest"]),
                stored.sealed.sha256,
                stored.sealed.sha256 in replaced,
            )
            for stored in records
        )

    def _title(self, contest: str) -> str:
        race = self.place.race(contest)
        return race.layout.title[LANGUAGE] if race else contest


def _moment(moment: Moment | None) -> tuple[datetime, str]:
    assert moment is not None
    return datetime.fromtimestamp(moment.unix, UTC), moment.clock
