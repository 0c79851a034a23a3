"""The views that others read, on a real PostgreSQL: what they hold, and what a reader may not do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.exc import DBAPIError

from collector.database import open_engine
from collector.receiving import Arrival
from collector.share import READER, main
from collector.store import RecordStore
from collector.submission import submission_of
from collector.views import VERSION, VIEWS
from tests.database_sharing import CONTRACT, Column, a_night, documented
from tests.sealing import World, make_world
from tests.system.postgres import Postgres, programs, running

pytestmark = pytest.mark.system

FORBIDDEN = (
    "SELECT * FROM public.records",
    "SELECT * FROM public.entries",
    "SELECT * FROM provinces.records_31",
    "SELECT * FROM public.forks",
    "SELECT * FROM public.refusals",
    f"INSERT INTO {VERSION}.pages VALUES ('x', 1, 'x', 1)",
    f"UPDATE {VERSION}.records SET device = 'x'",
    f"DELETE FROM {VERSION}.records",
    "DELETE FROM public.records",
    f"CREATE TABLE {VERSION}.mine (x integer)",
    "CREATE TABLE public.mine (x integer)",
    "CREATE TABLE provinces.mine (x integer)",
    "CREATE TEMPORARY TABLE mine (x integer)",
    "CREATE SCHEMA mine",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_advisory_lock(18912219150897988)",
    "SELECT pg_advisory_xact_lock_shared(18912219150897988)",
    "SELECT pg_try_advisory_lock(1)",
    f"LOCK TABLE {VERSION}.records IN EXCLUSIVE MODE",
    "LOCK TABLE public.records IN ACCESS SHARE MODE",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SET ROLE postgres",
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "cluster", where) as cluster:
            yield cluster


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty one, owned by a collector that is nobody special."""
    engine = open_engine(Path(), postgres.url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE collector LOGIN")
        connection.exec_driver_sql("CREATE DATABASE night OWNER collector")
    yield str(sa.make_url(postgres.url).set(database="night"))
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE night WITH (FORCE)")
        connection.exec_driver_sql("DROP ROLE IF EXISTS partner, collector")
        connection.exec_driver_sql(f"DROP ROLE IF EXISTS {READER}")
    engine.dispose()


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[RecordStore]:
    with closing(RecordStore.open(tmp_path / "collector", as_user(database, "collector"))) as opened:
        yield opened


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def as_user(database: str, name: str) -> str:
    return database.replace("user=postgres", f"user={name}")


def share(database: str, *options: str) -> str:
    result = CliRunner().invoke(main, ["--database", database, *options])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__.removeprefix("check_"))
def test_on_postgres(check: Callable[[RecordStore, World], None], store: RecordStore, world: World) -> None:
    check(store, world)


def test_a_column_has_another_type_than_documented(store: RecordStore) -> None:
    query = sa.text(
        "SELECT table_name, column_name, split_part(data_type, ' ', 1) FROM information_schema.columns "
        f"WHERE table_schema = '{VERSION}' ORDER BY ordinal_position"
    )
    found: dict[str, list[tuple[str, str]]] = {view: [] for view in VIEWS}
    with store.reading.connect() as connection:
        for view, name, type_ in connection.execute(query):
            found[view].append((name, type_))
    said: dict[str, list[Column]] = documented()
    short = {"character": "varchar"}
    assert {view: [(name, short.get(type_, type_)) for name, type_ in columns] for view, columns in found.items()} == {
        view: [(column.name, column.type) for column in columns] for view, columns in said.items()
    }


def test_a_reader_does_more_than_read(store: RecordStore, world: World, database: str) -> None:
    """And the collector goes on as before."""
    a_night(store, world)
    assert READER in share(database)
    share(database)
    admin = open_engine(Path(), database)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE partner LOGIN IN ROLE {READER}")
    admin.dispose()
    reader = open_engine(Path(), as_user(database, "partner"))
    with reader.connect() as connection:
        for view in VIEWS:
            assert connection.exec_driver_sql(f"SELECT * FROM {VERSION}.{view}").all(), view
    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError, match=r"permission denied|must be|cannot"), reader.begin() as connection:
            connection.exec_driver_sql(statement)
    reader.dispose()
    late = world.seal(9)
    assert store.receive(Arrival(submission_of(late.sha256.hex(), late.cose, world.trust), b"late", 1)).new


def test_a_dry_run_changes_something(store: RecordStore, database: str) -> None:
    said = share(database, "--dry-run")
    assert f"GRANT SELECT ON ALL TABLES IN SCHEMA {VERSION} TO {READER}" in said
    with store.reading.connect() as connection:
        assert not connection.execute(sa.text(f"SELECT 1 FROM pg_roles WHERE rolname = '{READER}'")).first()


def test_somebody_shares_who_may_not(store: RecordStore, database: str) -> None:
    """The collector's own role cannot take functions from everybody: then nothing is shared."""
    result = CliRunner().invoke(main, ["--database", as_user(database, "collector")])
    assert result.exit_code == 1
    assert "collector-share" in str(result.exception) + result.output


def test_a_database_without_the_views(postgres: Postgres) -> None:
    result = CliRunner().invoke(main, ["--database", postgres.url])
    assert result.exit_code == 1
    assert "collector.migrate" in str(result.exception) + result.output
