"""What a receipt code says that cannot be true beside what else its device signed: found out whichever comes first.

A device signs one statement about each of its records, and one log. Two messages of one key that do not fit together
(another record under the same number, other values of the same record, another log before it) prove that the key made
two histories, as in `c1kiosk verify` (firmware/signing/history.py). The code is then kept among the forks, in the
transaction that stores what came second, and stands there for the operator. A record that contradicts a code is stored
all the same: it has pictures, the code has none.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from collector.tables import entries, forks, receipts, records
from firmware.errors import VerificationRefused
from firmware.signing.cose import parse
from firmware.signing.encoding import decode
from firmware.signing.history import Told, check_history
from firmware.signing.schema import check_record
from firmware.signing.statement import Statement, read_statement, statement_of


@dataclass(frozen=True, slots=True)
class _Said:
    """A stored message, whose signature was verified when it came."""

    name: bytes
    """Its SHA-256."""
    told: Told
    statement: Statement


def note_contradictions(connection: sa.Connection, kids: Collection[bytes], now: int) -> None:
    """Within the transaction that stores receipts or records of these keys."""
    rows = connection.execute(sa.select(receipts).where(receipts.c.kid.in_(kids)).order_by(receipts.c.received_at))
    by_key: defaultdict[bytes, list[sa.Row[tuple[object, ...]]]] = defaultdict(list)
    for row in rows:
        by_key[bytes(row.kid)].append(row)
    for kid, codes in by_key.items():
        said = _records(connection, kid)
        for row in codes:
            code = _receipt(bytes(row.cose), kid)
            against = _contradicted(code, said)
            said.append(code)
            if against is not None:
                _keep(connection, row, against, now)


def _contradicted(code: _Said, said: Sequence[_Said]) -> bytes | None:
    """The name of a message that cannot be true beside this one."""
    for other in said:
        same = other.statement.record == code.statement.record
        if (same and other.statement != code.statement) or not _fit(code, other):
            return other.name
    return None if _fit(code, *said) else said[-1].name


def _fit(*said: _Said) -> bool:
    try:
        check_history([entry.told for entry in said])
    except VerificationRefused:
        return False
    return True


def _records(connection: sa.Connection, kid: bytes) -> list[_Said]:
    """Those of a key, in the order of their numbers."""
    query = (
        sa.select(entries.c.sha256, records.c.cose)
        .join(records, sa.and_(entries.c.position == records.c.position, entries.c.province == records.c.province))
        .where(entries.c.kid == kid)
        .order_by(entries.c.sequence)
    )
    return [_record(bytes(row.sha256), bytes(row.cose), kid) for row in connection.execute(query)]


def _record(sha256: bytes, cose: bytes, kid: bytes) -> _Said:
    entry = check_record(decode(parse(cose).payload))
    return _Said(sha256, Told(kid, entry.log.size, entry.log.root, sha256, entry.previous), statement_of(sha256, entry))


def _receipt(cose: bytes, kid: bytes) -> _Said:
    statement = read_statement(decode(parse(cose).payload))
    told = Told(kid, statement.log.size, statement.log.root, statement.record)
    return _Said(hash_of_receipt(cose), told, statement)


def hash_of_receipt(cose: bytes) -> bytes:
    """The name of a receipt code."""
    return hashlib.sha256(cose).digest()


def _keep(connection: sa.Connection, row: sa.Row[tuple[object, ...]], against: bytes, now: int) -> None:
    known = sa.select(forks.c.sha256).where(forks.c.sha256 == row.sha256)
    if connection.execute(known).first() is None:
        values = {"sha256": row.sha256, "cose": row.cose, "device": row.device, "sequence": row.sequence}
        connection.execute(forks.insert().values(**values, against=against, received_at=now))
