"""The collector on a real PostgreSQL: the same contract as on SQLite, and what only a server can do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from collector.app import create_app
from collector.database import open_engine
from collector.migrate import migrate
from collector.provinces import PROVINCES
from collector.receiving import Place
from collector.store import RecordStore
from collector.tables import pages, records
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


def test_a_province_has_no_part_of_its_own(postgres: Postgres, open_store: OpenStore, world: World) -> None:
    """All 38 have one, and what is in none of them lies in the rest."""
    with closing(open_store()) as store:
        for number, code in enumerate([*PROVINCES, "99", "20"], start=1):
            test_collector_store.receive(store, test_collector_store.made_up(world, number, f"{code}01010001001"))
        for table in ("records", "pages"):
            query = sa.text(f"SELECT DISTINCT tableoid::regclass::text, province FROM {table}")
            with store.reading.connect() as connection:
                found = {province: part for part, province in connection.execute(query)}
            assert found == {code: f"provinces.{table}_{code}" for code in PROVINCES} | dict.fromkeys(
                ("99", "20"), f"provinces.{table}_other"
            )


def test_a_record_is_looked_for_in_every_province(postgres: Postgres, open_store: OpenStore) -> None:
    """Each statement that knows its province opens one part."""
    place = Place(0, "31")
    with closing(open_store()) as store, store.reading.connect() as connection:
        for column in (records.c.cose, pages.c.picture):
            text = str(place.select(column).compile(connection, compile_kwargs={"literal_binds": True}))
            plan = "\n".join(connection.execute(sa.text(f"EXPLAIN {text}")).scalars())
            assert f"{column.table.name}_31" in plan
            assert "Append" not in plan


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
