"""Brings the tables to the state that this program knows: at every start, and by hand before a rollout.

    python -m collector.migrate --data DIR [--database URL]

One process migrates at a time (database.writing); a step is applied completely or not at all.
"""

from __future__ import annotations

from pathlib import Path

import click
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from collector.database import open_engine, writing

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: sa.Engine) -> None:
    """Applies every step that is missing. Raises SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for everything.")
@click.option("--database", default="", help="postgresql://...; without it a SQLite file in the folder.")
def main(data: Path, database: str) -> None:
    """Bring the tables up to date."""
    data.mkdir(parents=True, exist_ok=True)
    engine = open_engine(data, database)
    migrate(engine)
    engine.dispose()


if __name__ == "__main__":
    main()
