"""The tables, for queries. They are made and changed by the migrations alone; a test compares the two.

Rows are added and never changed, but for `uploads` (how far a picture has come) and `refusals` (counters).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def _where(condition: str) -> dict[str, Any]:
    """An index of some rows, on both databases."""
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


meta = sa.MetaData()

BY_PROVINCE = "LIST (province)"
"""How PostgreSQL divides what a province brings in volume; SQLite keeps it in one piece."""

entries = sa.Table(
    "entries",
    meta,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("province", sa.String(2), nullable=False),
    sa.Column("kid", sa.LargeBinary(8), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("previous", sa.LargeBinary(32), nullable=False),
    sa.Column("supersedes", sa.LargeBinary(32)),
    sa.UniqueConstraint("kid", "sequence", name="entries_one_chain"),
    sa.UniqueConstraint("position", "province", name="entries_one_province"),
    sa.Index("entries_by_supersedes", "supersedes", **_where("supersedes IS NOT NULL")),
)
"""One narrow row a record, in one piece for the whole country, because here is what must be unique in all of it: the
record's hash, the place in a key's chain, and `position`, which counts from 0 in the order of commits and is the
record's place in the collector's log. On PostgreSQL a key of a divided table has to contain the province; a record and
its pages refer to position and province of its entry, so they are there once, too, and in this province."""

records = sa.Table(
    "records",
    meta,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("province", sa.String(2), primary_key=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
    sa.Column("acknowledgement", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("election", sa.LargeBinary(32), nullable=False),
    sa.Column("tps", sa.String(13), nullable=False),
    sa.Column("contest", sa.String(64), nullable=False),
    sa.Column("form", sa.String(64), nullable=False),
    sa.Column("results", sa.JSON, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(["position", "province"], ["entries.position", "entries.province"], name="records_entry"),
    sa.CheckConstraint("province = substr(tps, 1, 2)", name="records_in_their_province"),
    sa.Index("records_by_tps", "tps", "contest"),
    postgresql_partition_by=BY_PROVINCE,
)
"""`tps` is read from the signed bytes in `cose`, and the province from it: a hash belongs to one province."""

pages = sa.Table(
    "pages",
    meta,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("province", sa.String(2), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("picture", sa.LargeBinary(32), nullable=False),
    sa.ForeignKeyConstraint(["position", "province"], ["entries.position", "entries.province"], name="pages_entry"),
    postgresql_partition_by=BY_PROVINCE,
)

forks = sa.Table(
    "forks",
    meta,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("against", sa.LargeBinary(32), nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
)

set_aside = sa.Table(
    "set_aside",
    meta,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),
    sa.Column("set_aside_at", sa.BigInteger, nullable=False),
)
"""What came out of the queue and is no record that can be stored, as it came (drain.py); `sha256` is the message's."""

pictures = sa.Table(
    "pictures",
    meta,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
)
"""Pictures that are whole and stored; `number` counts from 0 in the order of commits."""

uploads = sa.Table(
    "uploads",
    meta,
    sa.Column("picture", sa.LargeBinary(32), primary_key=True),
    sa.Column("record", sa.LargeBinary(32), nullable=False),
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("offset", sa.Integer, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
)
"""Pictures on their way: the first `offset` bytes are on disk and were checked."""

receipts = sa.Table(
    "receipts",
    meta,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    sa.Column("cose", sa.LargeBinary, nullable=False),
    sa.Column("record", sa.LargeBinary(32), nullable=False),
    sa.Column("kid", sa.LargeBinary(8), nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("tps", sa.String(13), nullable=False),
    sa.Column("contest", sa.String(64), nullable=False),
    sa.Column("results", sa.JSON, nullable=False),
    sa.Column("sealed_at", sa.BigInteger, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Index("receipts_by_tps", "tps", "contest"),
    sa.Index("receipts_by_chain", "kid", "sequence"),
)
"""Receipt codes that anybody brought (receipts.py): what a device signed about a record, without its pictures. They
are never summed. `record` and `sequence` are those of the record that the code speaks of, which may not be here."""

refusals = sa.Table(
    "refusals",
    meta,
    sa.Column("code", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(80), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
    sa.Column("last_path", sa.String(160), nullable=False),
)

log_nodes = sa.Table(
    "log_nodes",
    meta,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
)
"""The complete subtrees of the collector's log: level 0 are its leaves (tree.py)."""
