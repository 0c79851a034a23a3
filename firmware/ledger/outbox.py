"""The outbox: per record and collector, how far the delivery has come. Its own file, written by the uplink alone.

Records come here only from the ledger's list, so nothing can be forwarded that is not on disk. The acknowledgement and
the state `acknowledged` are one write, and final: the file itself refuses one without the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware.errors import LedgerRefused
from firmware.ledger.database import Database
from firmware.records import Delivery, DeliveryState

_SCHEMA = Path(__file__).with_name("outbox.sql")
_DELIVERY = "SELECT record, collector, state, attempts, acknowledgement, problem, detail FROM deliveries"


class Outbox:
    """The open outbox in `<folder>/outbox.sqlite`. Times are Unix seconds. Disk faults: LedgerRefused."""

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self._database = Database(folder / "outbox.sqlite", _SCHEMA, readonly=readonly)

    @classmethod
    def open(cls, folder: Path, readonly: bool = False) -> Self:
        """Opens the outbox, making it unless `readonly`. Raises LedgerRefused, see database.py."""
        return cls(folder, readonly=readonly)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._database.close()

    def adopt(self, records: Sequence[bytes], collector: str) -> int:
        """Takes in the ledger's records (SHA-256, in the order of the chain) that are new here; returns how many."""
        rows = self._database.rows("SELECT record FROM deliveries WHERE collector = ?", (collector,))
        known = {row[0] for row in rows}
        new = [(record, collector, place) for place, record in enumerate(records) if record not in known]
        if not new:
            return 0
        with self._database.transaction() as transaction:
            transaction.executemany(
                """INSERT INTO deliveries (record, collector, place, state, attempts, next_try)
                   VALUES (?, ?, ?, 'waiting', 0, 0)""",
                new,
            )
        return len(new)

    def due(self, collector: str, now: float, longest_wait: float) -> tuple[Delivery, ...]:
        """What should be tried now: least tried first, then in the order of the chain. A next try further away than
        `longest_wait` seconds was set by a clock that has since been put back, and is due."""
        return self._deliveries(
            """WHERE collector = ? AND (next_try <= ? OR next_try > ?) AND state <> 'acknowledged'
               ORDER BY attempts, place""",
            (collector, now, now + longest_wait),
        )

    def deliveries(self, record: bytes | None = None) -> tuple[Delivery, ...]:
        """Every delivery, or those of one record, in the order of the chain."""
        if record is None:
            return self._deliveries("ORDER BY place, collector", ())
        return self._deliveries("WHERE record = ? ORDER BY collector", (record,))

    def acknowledgement(self, record: bytes) -> bytes | None:
        """The verified acknowledgement of any collector for the record, or None."""
        kept = (delivery.acknowledgement for delivery in self.deliveries(record))
        return next((cose for cose in kept if cose is not None), None)

    def sending(self, record: bytes, collector: str) -> None:
        """An attempt begins; written before the first byte leaves."""
        self._update("state = 'sent', attempts = attempts + 1", (), record, collector)

    def failed(
        self, record: bytes, collector: str, state: DeliveryState, problem: str, detail: str, next_try: float
    ) -> None:
        """The attempt brought no acknowledgement: `waiting` or `refused`, with the code of the problem."""
        change = "state = ?, problem = ?, detail = ?, next_try = ?"
        self._update(change, (str(state), problem, detail, next_try), record, collector)

    def postpone(self, collector: str, next_try: float) -> None:
        """Nothing open is tried before `next_try`: the collector is out of reach, for every record alike."""
        with self._database.transaction() as transaction:
            transaction.execute(
                """UPDATE deliveries SET next_try = ?
                   WHERE collector = ? AND next_try < ? AND state <> 'acknowledged'""",
                (next_try, collector, next_try),
            )

    def acknowledged(self, record: bytes, collector: str, acknowledgement: bytes) -> None:
        """Keeps a verified acknowledgement; final."""
        change = "state = 'acknowledged', problem = NULL, detail = '', acknowledgement = ?"
        self._update(change, (acknowledgement,), record, collector)

    def check(self) -> None:
        """Reads the whole file. Raises LedgerRefused (ledger-fault) when it is damaged."""
        self._database.check()

    def _deliveries(self, condition: str, parameters: Sequence[object]) -> tuple[Delivery, ...]:
        rows = self._database.rows(f"{_DELIVERY} {condition}", parameters)
        return tuple(Delivery(row[0], row[1], DeliveryState(row[2]), *row[3:]) for row in rows)

    def _update(self, change: str, values: Sequence[object], record: bytes, collector: str) -> None:
        with self._database.transaction() as transaction:
            cursor = transaction.execute(
                f"UPDATE deliveries SET {change} WHERE record = ? AND collector = ?",  # noqa: S608 - our own words
                (*values, record, collector),
            )
            if cursor.rowcount != 1:
                raise LedgerRefused("ledger-unknown-record", record=record.hex())
