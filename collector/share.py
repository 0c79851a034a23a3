"""Gives the role `c1_reader` the views of VIEWS.md, takes everything else from it, and says what it may.

    python -m collector.share --database URL [--dry-run]

For whoever administers the PostgreSQL server, after every update of the collector; it may be run again at any time.
Everybody may do more in a new database than read, so this is taken from everybody in this database: temporary tables,
new tables in `public`, large objects (they would fill the disk) and advisory locks (the collector's writers wait for
one). The collector keeps what it needs. Compiling queries is switched off: with 39 parts of each table it takes many
times as long as the query. Taking functions away needs a superuser.
"""

from __future__ import annotations

from pathlib import Path

import click
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from collector.database import open_engine
from collector.submission import CollectorRefused
from collector.views import VERSION, VIEWS
from firmware.messages import both

READER = "c1_reader"
_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'pg_catalog' AND (p.proname ~ '^(lo_|lowrite|pg_advisory|pg_try_advisory)')
"""
"""What writes or blocks, and everybody may call."""
_OWNER = "SELECT quote_ident(viewowner) FROM pg_views WHERE schemaname = :schema LIMIT 1"
_READABLE = """
SELECT c.oid::regclass::text, has_table_privilege(:reader, c.oid, 'SELECT'),
       has_table_privilege(:reader, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1
"""


def sharing(connection: sa.Connection) -> list[str]:
    """The statements. Raises CollectorRefused("collector-share") where the views are not."""
    owner = connection.execute(sa.text(_OWNER), {"schema": VERSION}).scalar()
    if owner is None:
        raise CollectorRefused("collector-share", problem=f"there is no schema {VERSION}: run collector.migrate first")
    database = connection.execute(sa.text("SELECT quote_ident(current_database())")).scalar_one()
    known = connection.execute(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :reader"), {"reader": READER}).first()
    functions = connection.execute(sa.text(_FUNCTIONS)).scalars().all()
    return [
        *([] if known else [f"CREATE ROLE {READER} NOLOGIN"]),
        f"ALTER DATABASE {database} SET jit = off",
        f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        *(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC" for function in functions),
        *(f"GRANT EXECUTE ON FUNCTION {function} TO {owner}" for function in functions if "advisory" in function),
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public, {VERSION} FROM {READER}",
        f"GRANT USAGE ON SCHEMA {VERSION} TO {READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {VERSION} TO {READER}",
    ]


def beyond(connection: sa.Connection) -> list[str]:
    """What the reader may do and should not, and what it should and may not."""
    views = {f"{VERSION}.{view}" for view in VIEWS}
    reader = {"reader": READER}
    found = []
    for name, reads, writes in connection.execute(sa.text(_READABLE), reader):
        if reads != (name in views):
            found.append(f"{'may' if reads else 'may not'} read {name}")
        if writes:
            found.append(f"may change {name}")
    callable_ = sa.text("SELECT has_function_privilege(:reader, :function, 'EXECUTE')")
    for function in connection.execute(sa.text(_FUNCTIONS)).scalars().all():
        if connection.execute(callable_, reader | {"function": function}).scalar():
            found.append(f"may call {function}")
    allowed = sa.text("SELECT has_database_privilege(:reader, current_database(), :what)")
    for what in ("TEMPORARY", "CREATE"):
        if connection.execute(allowed, reader | {"what": what}).scalar():
            found.append(f"has {what} on the database")
    return found


def share(engine: sa.Engine) -> None:
    """All of it in one transaction. Raises CollectorRefused("collector-share"); then nothing is changed."""
    try:
        with engine.begin() as connection:
            for statement in sharing(connection):
                connection.exec_driver_sql(statement)
            found = beyond(connection)
            if found:
                raise CollectorRefused("collector-share", problem="; ".join(found))
    except SQLAlchemyError as error:
        raise CollectorRefused("collector-share", problem=str(error).splitlines()[0]) from error


@click.command()
@click.option("--database", required=True, help="postgresql://..., as a superuser.")
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
def main(database: str, dry_run: bool) -> None:
    """Let others read the views, and only them."""
    engine = open_engine(Path(), database)
    try:
        if dry_run:
            with engine.connect() as connection:
                click.echo(";\n".join([*sharing(connection), ""]))
            return
        share(engine)
    except CollectorRefused as refusal:
        raise SystemExit(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}") from refusal
    except SQLAlchemyError as error:
        raise SystemExit(
            f"collector-share: {both('error.collector-share', problem=str(error).splitlines()[0])}"
        ) from error
    finally:
        engine.dispose()
    click.echo(f"{READER} may read {', '.join(f'{VERSION}.{view}' for view in VIEWS)}, and do nothing else here.")


if __name__ == "__main__":
    main()
