"""The collector's tables and turns: what every database has to keep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from collector.database import open_engine
from collector.migrate import migrate
from collector.store import Arrival, Held, RecordStore
from collector.submission import CollectorRefused, Submission, submission_of
from collector.tables import meta
from collector.turns import Turns
from firmware.records import SealedRecord
from tests.sealing import LAYOUT, TPS, World, make_world

OpenStore = Callable[[], RecordStore]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def open_store(tmp_path: Path) -> OpenStore:
    return lambda: RecordStore.open(tmp_path / "collector")


def submission(world: World, sealed: SealedRecord) -> Submission:
    return submission_of(sealed.sha256.hex(), sealed.cose, world.trust)


def receive(store: RecordStore, record: Submission, text: bytes = b"acknowledged") -> Held:
    return store.receive(Arrival(record, text, 1_866_000_600))


def check_the_tables_are_those_of_the_migrations(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), meta) == []


def check_many_threads_hand_in(open_store: OpenStore, world: World) -> None:
    """Each record twice, by two processes' worth of stores: none lost, none doubled, one acknowledgement each."""
    stores = [open_store(), open_store()]
    records = [submission(world, world.seal(number)) for number in range(1, 9)]
    given: dict[tuple[int, bytes], bytes] = {}

    def hand_in(worker: int, record: Submission) -> None:
        given[worker, record.sha256] = receive(stores[worker], record, f"{worker}".encode()).acknowledgement

    threads = [threading.Thread(target=hand_in, args=(worker, record)) for record in records for worker in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = stores[0].counts()
    assert (counts["records"], counts["forks"]) == (len(records), 0)
    for record in records:
        assert given[0, record.sha256] == given[1, record.sha256] == stores[0].acknowledgement(record.sha256)
    proven = [stores[1].prove(record.sha256) for record in records]
    assert sorted(entry.position for entry in proven if entry) == list(range(len(records)))
    for store in stores:
        store.close()


def check_a_fork_and_a_correction(open_store: OpenStore, world: World) -> None:
    store = open_store()
    first = world.seal(1)
    corrected = world.seal(1, supersedes=first.sha256, reason="x")
    forged = world.forge(first, tps=TPS[2])
    assert receive(store, submission(world, first)).new
    assert receive(store, submission(world, corrected)).new
    assert not receive(store, submission(world, first), b"later").new
    with pytest.raises(CollectorRefused, match="collector-fork"):
        receive(store, submission(world, forged))
    assert store.standing(TPS[1], LAYOUT.contest) == (corrected.sha256,)
    found = store.counts()
    assert (found["records"], found["standing"], found["forks"]) == (2, 1, 1)
    assert store.missing_pictures(first.sha256) == [page["sha256"] for page in first.payload["pages"]]
    store.close()


CONTRACT = (check_many_threads_hand_in, check_a_fork_and_a_correction)
"""What a store on any database has to pass."""


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_the_store_on_sqlite(check: Callable[[OpenStore, World], None], open_store: OpenStore, world: World) -> None:
    check(open_store, world)


def test_a_migration_is_forgotten(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    migrate(engine)
    migrate(engine)
    check_the_tables_are_those_of_the_migrations(engine)
    engine.dispose()


def test_another_kind_of_database(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL"):
        open_engine(tmp_path, "mysql://localhost/x")


def test_threads_that_wait_share_a_turn() -> None:
    turns_taken: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int | Exception]:
        turns_taken.append(len(items))
        begun.set()
        go.wait(10)
        return [ValueError(str(item)) if item == 3 else item * 2 for item in items]

    turns: Turns[int, int] = Turns(work)
    found: dict[int, int | str] = {}

    def ask(item: int) -> None:
        try:
            found[item] = turns.take(item)
        except ValueError as error:
            found[item] = str(error)

    threads = [threading.Thread(target=ask, args=(item,)) for item in range(1, 6)]
    threads[0].start()
    begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while turns.waiting < 4:
        pass
    go.set()
    for thread in threads:
        thread.join()
    assert turns_taken == [1, 4]
    assert found == {1: 2, 2: 4, 3: "3", 4: 8, 5: 10}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_nobody_waits_for_ever_for_a_turn_that_failed(error: type[BaseException]) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(_items: Sequence[int]) -> list[int | Exception]:
        begun.set()
        go.wait(10)
        raise error

    turns: Turns[int, int] = Turns(work)
    problems: list[type[BaseException]] = []

    def ask() -> None:
        try:
            turns.take(1)
        except BaseException as problem:  # noqa: BLE001
            problems.append(type(problem))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(problems) == 3
