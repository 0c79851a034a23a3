"""What alembic runs: the migrations on the connection that collector/migrate.py hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from collector.tables import meta

context.configure(connection=context.config.attributes["connection"], target_metadata=meta)
context.run_migrations()
