"""Receipt codes that anybody brings: signed results without pictures, kept apart and shown as such.

A code is verified as `c1kiosk verify` does (firmware/signing/verification.py) and kept once. It is never summed: no
number counts without its picture. It stands beside the record that it speaks of as soon as that is here:

    alone       the record is not here yet: "dari kode struk, tanpa foto"
    agrees      the record is here and says the same
    corrected   so does one that was corrected since
    differs     the record is not here, and what stands for this TPS has other numbers
    disagrees   it cannot be true beside what else its device signed (contradictions.py): an alarm
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from collector.contradictions import hash_of_receipt, note_contradictions
from collector.database import writing
from collector.store import RecordStore
from collector.submission import CollectorRefused
from collector.tables import entries, forks, receipts
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_receipt

MOST_OF_A_KEY = 200
"""Codes of one key that are kept: a signer seals at most 100 records a day. Who has a stolen key fills no disk."""


class Judged(StrEnum):
    """How a code stands to what is here; sentences under `struk.<value>` in messages/."""

    ALONE = "alone"
    AGREES = "agrees"
    CORRECTED = "corrected"
    DIFFERS = "differs"
    DISAGREES = "disagrees"


@dataclass(frozen=True, slots=True)
class Code:
    """A verified receipt code."""

    sha256: bytes
    cose: bytes
    record: bytes
    kid: bytes
    device: str
    sequence: int
    tps: str
    contest: str
    results: Mapping[str, int | None]
    """The contest's result fields in form order."""
    sealed_at: int


_COLUMNS = tuple(receipts.c[name] for name in Code.__slots__)


def code_of(cose: bytes, trust: TrustRoots) -> Code:
    """The receipt in `cose`; raises VerificationRefused."""
    found = verify_receipt(cose, trust)
    said = found.statement
    return Code(
        sha256=hash_of_receipt(cose),
        cose=cose,
        record=said.record,
        kid=found.kid,
        device=found.device.claims.serial,
        sequence=said.log.size + 1,
        tps=said.tps,
        contest=said.contest,
        results=dict(found.results),
        sealed_at=said.unix,
    )


class ReceiptStore:
    """The codes in the collector's database. A failing one raises SQLAlchemyError."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def keep(self, code: Code, now: int) -> bool:
        """Keeps a code once, durable on return; true when it is new. Raises CollectorRefused("receipt-too-many")."""
        known = sa.select(receipts.c.sha256).where(receipts.c.sha256 == code.sha256)
        of_key = sa.select(sa.func.count()).select_from(receipts).where(receipts.c.kid == code.kid)
        with writing(self._store.engine) as connection:
            if connection.execute(known).first() is not None:
                return False
            if connection.execute(of_key).scalar_one() >= MOST_OF_A_KEY:
                raise CollectorRefused("receipt-too-many", device=code.device, most=MOST_OF_A_KEY)
            values = {name: getattr(code, name) for name in Code.__slots__} | {"results": dict(code.results)}
            connection.execute(receipts.insert().values(received_at=now, **values))
            note_contradictions(connection, [code.kid], now)
        return True

    def cose(self, sha256: bytes) -> bytes | None:
        """The bytes of a code."""
        with self._store.reading.connect() as connection:
            found = connection.execute(sa.select(receipts.c.cose).where(receipts.c.sha256 == sha256)).scalar()
        return None if found is None else bytes(found)

    def of_station(self, tps: str) -> Sequence[Code]:
        """The codes of a TPS, in the order in which they came."""
        query = sa.select(*_COLUMNS).where(receipts.c.tps == tps).order_by(receipts.c.received_at, receipts.c.sha256)
        with self._store.reading.connect() as connection:
            return [_code(row) for row in connection.execute(query)]

    def alarmed(self, code: Code) -> bool:
        """Whether it is among the forks, as what came second or as what that contradicts."""
        query = sa.select(forks.c.sha256).where(sa.or_(forks.c.sha256 == code.sha256, forks.c.against == code.sha256))
        with self._store.reading.connect() as connection:
            return connection.execute(query).first() is not None

    def has_record(self, code: Code) -> bool:
        """Whether the record of which it speaks is stored."""
        query = sa.select(entries.c.position).where(entries.c.sha256 == code.record)
        with self._store.reading.connect() as connection:
            return connection.execute(query).first() is not None


@dataclass(frozen=True, slots=True)
class Standing:
    """A record that stands for the TPS and contest of a code."""

    sha256: bytes
    supersedes: bytes | None
    results: Mapping[str, int | None]


def judge(code: Code, alarmed: bool, has_record: bool, standing: Sequence[Standing]) -> Judged:
    """How a code stands to what is here."""
    if alarmed:
        return Judged.DISAGREES
    if any(code.record == record.sha256 for record in standing):
        return Judged.AGREES
    if has_record or any(code.record == record.supersedes for record in standing):
        return Judged.CORRECTED
    if any(dict(record.results) != dict(code.results) for record in standing):
        return Judged.DIFFERS
    return Judged.ALONE


def _code(row: sa.Row[tuple[object, ...]]) -> Code:
    values = {name: getattr(row, name) for name in Code.__slots__}
    for name in ("sha256", "cose", "record", "kid"):
        values[name] = bytes(values[name])
    return Code(**values)
