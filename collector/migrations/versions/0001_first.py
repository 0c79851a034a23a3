"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Forward; there is no way back: nothing is taken away from a store of evidence."""
    _records()
    _pictures()
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
        "records",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("cose", sa.LargeBinary, nullable=False),
        sa.Column("kid", sa.LargeBinary(8), nullable=False),
        sa.Column("device", sa.String(40), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("previous", sa.LargeBinary(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("election", sa.LargeBinary(32), nullable=False),
        sa.Column("tps", sa.String(13), nullable=False),
        sa.Column("contest", sa.String(64), nullable=False),
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("supersedes", sa.LargeBinary(32)),
        sa.Column("results", sa.JSON, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("kid", "sequence", name="records_one_chain"),
    )
    op.create_index("records_by_tps", "records", ["tps", "contest"])
    op.create_index("records_by_supersedes", "records", ["supersedes"])
    op.create_table(
        "acknowledgements",
        sa.Column("record", sa.LargeBinary(32), sa.ForeignKey("records.sha256"), primary_key=True),
        sa.Column("cose", sa.LargeBinary, nullable=False),
    )


def _pictures() -> None:
    op.create_table(
        "pages",
        sa.Column("position", sa.Integer, sa.ForeignKey("records.position"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("picture", sa.LargeBinary(32), nullable=False),
    )
    op.create_index("pages_by_picture", "pages", ["picture"])
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
