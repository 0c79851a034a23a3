"""The outbox: per record and collector, how far the delivery has come. Its own file, written by the uplink alone.

Records come here only from the ledger's list, so nothing can be forwarded that is not on disk. The acknowledgement and
the state `acknowledged` are one write, and final: the file itself refuses one without the other. Pictures are taken in
with their record and are due only when that record is acknowledged; a picture that several records show is sent once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware.errors import LedgerRefused
from firmware.ledger.database import Database
from firmware.records import Delivery, DeliveryState

_SCHEMA = Path(__file__).with_name("outbox.sql")
_DELIVERY = """
    SELECT record, collector, state, attempts, acknowledgement, problem, detail,
           (SELECT count(*) FROM pictures p
            WHERE p.record = d.record AND p.collector = d.collector AND stored = 0),
           (SELECT coalesce(sum(bytes - coalesce(sent, 0)), 0) FROM pictures p
            WHERE p.record = d.record AND p.collector = d.collector AND stored = 0)
    FROM deliveries d"""
_NOWHERE_ELSE = """AND NOT EXISTS (SELECT 1 FROM deliveries other
                                   WHERE other.record = d.record AND other.state = 'acknowledged')"""


@dataclass(frozen=True, slots=True)
class PictureDelivery:
    """How far a picture has come on its way to one collector."""

    record: bytes
    """An acknowledged record that shows it."""
    picture: bytes
    """Its SHA-256."""
    size: int
    """Bytes."""
    sent: int | None
    """Bytes that the collector said it has; None while no upload was begun."""
    attempts: int
    """Failures since a byte last arrived."""


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

    # --- records ------------------------------------------------------------------------------------------------

    def adopt(
        self,
        records: Sequence[bytes],
        collector: str,
        pictures_of: Callable[[bytes], Mapping[bytes, int]] = lambda _record: {},
    ) -> int:
        """Takes in the ledger's records (SHA-256, in the order of the chain) that are new here, with their pictures
        (SHA-256 and size); returns how many."""
        rows = self._database.rows("SELECT record FROM deliveries WHERE collector = ?", (collector,))
        known = {row[0] for row in rows}
        new = [(record, collector, place) for place, record in enumerate(records) if record not in known]
        if not new:
            return 0
        shown = [(record, collector, *entry) for record, _, _ in new for entry in pictures_of(record).items()]
        with self._database.transaction() as transaction:
            transaction.executemany(
                """INSERT INTO deliveries (record, collector, place, state, attempts, next_try)
                   VALUES (?, ?, ?, 'waiting', 0, 0)""",
                new,
            )
            transaction.executemany(
                """INSERT INTO pictures (record, collector, picture, bytes, sent, stored)
                   SELECT ?1, ?2, ?3, ?4, iif(there, ?4, NULL), there FROM
                   (SELECT EXISTS (SELECT 1 FROM pictures WHERE collector = ?2 AND picture = ?3 AND stored) AS there)
                """,
                shown,
            )
        return len(new)

    def due(self, collector: str, now: float, longest_wait: float, *, anywhere: bool = False) -> tuple[Delivery, ...]:
        """What should be tried now: least tried first, then in the order of the chain; with `anywhere`, only what no
        other collector has acknowledged. A next try further away than `longest_wait` seconds was set by a clock that
        has since been put back, and is due."""
        return self._deliveries(
            f"""WHERE collector = ? AND (next_try <= ? OR next_try > ?) AND state <> 'acknowledged'
                {_NOWHERE_ELSE if anywhere else ""} ORDER BY attempts, place""",
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

    def acknowledged(self, record: bytes, collector: str, acknowledgement: bytes) -> None:
        """Keeps a verified acknowledgement; final."""
        change = "state = 'acknowledged', problem = NULL, detail = '', acknowledgement = ?"
        self._update(change, (acknowledgement,), record, collector)

    # --- the way to a collector -----------------------------------------------------------------------------------

    def postpone(self, collector: str, next_try: float) -> None:
        """Nothing open is tried before `next_try`: the collector is out of reach, for everything alike."""
        with self._database.transaction() as transaction:
            for change in (
                "deliveries SET next_try = ?2 WHERE collector = ?1 AND next_try < ?2 AND state <> 'acknowledged'",
                "pictures SET next_try = ?2 WHERE collector = ?1 AND next_try < ?2 AND stored = 0",
            ):
                transaction.execute(f"UPDATE {change}", (collector, next_try))

    def hasten(self, collector: str) -> None:
        """Everything that waits for a better network is due now: there is another one. What the collector refused
        waits for an operator."""
        with self._database.transaction() as transaction:
            for change in (
                "deliveries SET next_try = 0 WHERE collector = ? AND state IN ('waiting', 'sent')",
                "pictures SET next_try = 0 WHERE collector = ? AND stored = 0 AND problem IS NOT 'refused'",
            ):
                transaction.execute(f"UPDATE {change}", (collector,))

    # --- pictures ---------------------------------------------------------------------------------------------------

    def due_picture(self, collector: str, now: float, longest_wait: float) -> PictureDelivery | None:
        """The picture to go on with: of an acknowledged record, one that was begun before one that was not, in the
        order of the chain. None when nothing is due; see `due` for `longest_wait`."""
        rows = self._database.rows(
            """SELECT p.record, p.picture, p.bytes, p.sent, p.attempts FROM pictures p
               JOIN deliveries d ON d.record = p.record AND d.collector = p.collector
               WHERE p.collector = ? AND d.state = 'acknowledged' AND p.stored = 0
                 AND (p.next_try <= ? OR p.next_try > ?)
               ORDER BY p.sent IS NULL, d.place, p.picture LIMIT 1""",
            (collector, now, now + longest_wait),
        )
        return PictureDelivery(*rows[0]) if rows else None

    def picture_progress(self, picture: bytes, collector: str, sent: int | None) -> None:
        """The collector has `sent` bytes; None: it knows of no upload, which begins anew. Failures are forgotten only
        when there are more bytes than before."""
        change = "attempts = iif(? > coalesce(sent, 0), 0, attempts), sent = ?, problem = NULL, detail = ''"
        self._update_picture(change, (sent, sent), picture, collector)

    def picture_stored(self, picture: bytes, collector: str) -> None:
        """The collector has the whole picture and found it to be the one of its name; final."""
        change = "stored = 1, sent = bytes, attempts = 0, problem = NULL, detail = ''"
        self._update_picture(change, (), picture, collector)

    def picture_failed(self, picture: bytes, collector: str, problem: str, detail: str, next_try: float) -> None:
        """No byte arrived, or the collector does not want them: the code of the problem."""
        change = "attempts = attempts + 1, problem = ?, detail = ?, next_try = ?"
        self._update_picture(change, (problem, detail, next_try), picture, collector)

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

    def _update_picture(self, change: str, values: Sequence[object], picture: bytes, collector: str) -> None:
        with self._database.transaction() as transaction:
            cursor = transaction.execute(
                f"UPDATE pictures SET {change} WHERE picture = ? AND collector = ? AND stored = 0",  # noqa: S608
                (*values, picture, collector),
            )
            if cursor.rowcount < 1:
                raise LedgerRefused("ledger-picture-missing", picture=picture.hex())
