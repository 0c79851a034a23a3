"""The collector on a real PostgreSQL: the same contract as on SQLite, and what only a server can do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from collector.app import create_app
from collector.database import open_engine
from collector.migrate import migrate
from collector.store import RecordStore
from tests import test_collector_store
from tests.collectors import deliver, put, refusal
from tests.sealing import World, make_world
from tests.system.postgres import Postgres, programs, running
from tests.test_collector_store import CONTRACT, OpenStore

pytestmark = pytest.mark.system


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    where = programs()
    if where is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "cluster", where) as cluster:
            yield cluster


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def open_store(tmp_path: Path, postgres: Postgres) -> OpenStore:
    return lambda: RecordStore.open(tmp_path / "collector", postgres.url)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_the_store_on_postgres(check: Callable[[OpenStore, World], None], open_store: OpenStore, world: World) -> None:
    check(open_store, world)


def test_a_migration_is_forgotten(postgres: Postgres, tmp_path: Path) -> None:
    engine = open_engine(tmp_path, postgres.url)
    migrate(engine)
    test_collector_store.check_the_tables_are_those_of_the_migrations(engine)
    engine.dispose()


def test_the_database_restarts_in_the_middle_of_the_night(
    postgres: Postgres, open_store: OpenStore, world: World
) -> None:
    with closing(open_store()) as store:
        client = create_app(store, world.trust, world.collector_key, lambda: 1_866_000_600).test_client()
        first, second = world.seal(1), world.seal(2)
        deliver(client, first, 1)
        given = put(client, first).data
        postgres.stop("immediate")
        assert refusal(put(client, second)) == (503, "collector-unavailable")
        postgres.start()
        assert put(client, first).data == given
        assert put(client, second).status_code == 201
        assert client.get(f"/v1/records/{first.sha256.hex()}/pictures").json == {"missing": []}


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SQLAlchemyError):
        RecordStore.open(tmp_path / "collector", f"postgresql:///x?host={tmp_path}")
