"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from collector.provinces import PROVINCES
from collector.tables import BY_PROVINCE

revision = "0001"
down_revision = None

PARTS = "provinces"
"""The schema of the parts on PostgreSQL: nobody but the tables they are parts of has to name them."""


def upgrade() -> None:
    """Forward; there is no way back: nothing is taken away from a store of evidence."""
    _records()
    _pictures()
    _receipts()
    op.create_table(
        "forks",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("cose", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.String(40), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("against", sa.LargeBinary(32), nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "set_aside",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("set_aside_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "refusals",
        sa.Column("code", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(80), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("last_path", sa.String(160), nullable=False),
    )
    op.create_table(
        "log_nodes",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )


def _records() -> None:
    op.create_table(
        "entries",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("province", sa.String(2), nullable=False),
        sa.Column("kid", sa.LargeBinary(8), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("previous", sa.LargeBinary(32), nullable=False),
        sa.Column("supersedes", sa.LargeBinary(32)),
        sa.UniqueConstraint("kid", "sequence", name="entries_one_chain"),
        sa.UniqueConstraint("position", "province", name="entries_one_province"),
    )
    corrections = sa.text("supersedes IS NOT NULL")
    op.create_index(
        "entries_by_supersedes", "entries", ["supersedes"], postgresql_where=corrections, sqlite_where=corrections
    )
    op.create_table(
        "records",
        *_of_a_province("records_entry"),
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
        sa.CheckConstraint("province = substr(tps, 1, 2)", name="records_in_their_province"),
        postgresql_partition_by=BY_PROVINCE,
    )
    op.create_index("records_by_tps", "records", ["tps", "contest"])
    op.create_table(
        "pages",
        *_of_a_province("pages_entry"),
        sa.Column("page", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("picture", sa.LargeBinary(32), nullable=False),
        postgresql_partition_by=BY_PROVINCE,
    )
    if op.get_bind().dialect.name == "postgresql":
        _divide("records", "pages")


def _of_a_province(name: str) -> tuple[sa.schema.SchemaItem, ...]:
    """The columns by which a row belongs to its entry."""
    return (
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("province", sa.String(2), primary_key=True),
        sa.ForeignKeyConstraint(["position", "province"], ["entries.position", "entries.province"], name=name),
    )


def _divide(*tables: str) -> None:
    """A part for every province, and one for what is in none; they have a schema of their own."""
    op.execute(f"CREATE SCHEMA {PARTS}")
    for table in tables:
        for code in PROVINCES:
            op.execute(f"CREATE TABLE {PARTS}.{table}_{code} PARTITION OF {table} FOR VALUES IN ('{code}')")
        op.execute(f"CREATE TABLE {PARTS}.{table}_other PARTITION OF {table} DEFAULT")


def _pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("picture", sa.LargeBinary(32), primary_key=True),
        sa.Column("record", sa.LargeBinary(32), nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("offset", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )


def _receipts() -> None:
    op.create_table(
        "receipts",
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
    )
    op.create_index("receipts_by_tps", "receipts", ["tps", "contest"])
    op.create_index("receipts_by_chain", "receipts", ["kid", "sequence"])
