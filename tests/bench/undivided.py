"""The collector's tables on PostgreSQL without their division by province: what that costs is the difference."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from collector.database import open_engine
from collector.migrate import MIGRATIONS
from collector.tables import meta


def make_undivided(folder: Path, url: str) -> None:
    """The tables as the program knows them, and the note that all migrations were applied."""
    plain = sa.MetaData()
    for table in meta.sorted_tables:
        table.to_metadata(plain).dialect_options["postgresql"]["partition_by"] = None
    engine = open_engine(folder, url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        plain.create_all(connection)
        config.attributes["connection"] = connection
        command.stamp(config, "head")
    engine.dispose()
