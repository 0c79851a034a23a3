"""The views for other programs, version 1 (collector/views.py)."""

from __future__ import annotations

from alembic import op

from collector import views

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What reads them is given to c1_reader by collector/share.py: roles belong to a server, not to a database."""
    for statement in views.statements(op.get_bind().dialect.name):
        op.execute(statement)
