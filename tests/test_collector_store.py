"""The collector's tables and turns: what every database has to keep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from collector.database import open_engine
from collector.migrate import migrate
from collector.receiving import Arrival, Held
from collector.store import RecordStore
from collector.submission import CollectorRefused, Submission, submission_of
from collector.tables import entries, meta, records
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


ELSEWHERE = ("1101010001001", "7371010001001", "9601010001001", "9901010001001")
"""TPS of other provinces; the last one is abroad, in no province."""


def made_up(world: World, number: int, tps: str, **changes: Any) -> Submission:
    """A record of any TPS: the store asks nobody whether it is in the election. The hash is that of its number."""
    like = submission(world, world.seal(1))
    own: dict[str, Any] = {"sha256": bytes([number]) * 32, "kid": bytes([number]) * 8, "sequence": 1, "tps": tps}
    return replace(like, **own | changes)


def check_records_of_every_province_are_found(open_store: OpenStore, world: World) -> None:
    with closing(open_store()) as store:
        for number, tps in enumerate(ELSEWHERE):
            record = made_up(world, number, tps)
            assert receive(store, record, b"first").new
            assert receive(store, record, b"again") == Held(False, b"first")
            assert store.record(record.sha256) == record.cose
            assert store.standing(tps, record.contest) == (record.sha256,)
            assert store.missing_pictures(record.sha256) == list(record.pictures.values())
            assert store.names_picture(record.sha256, record.pictures[1])
            proven = store.prove(record.sha256)
            assert proven and proven.position == number
        assert store.counts()["records"] == len(ELSEWHERE)


def check_one_key_in_two_provinces(open_store: OpenStore, world: World) -> None:
    """What is unique is so in the whole country."""
    with closing(open_store()) as store:
        first = made_up(world, 1, ELSEWHERE[0])
        receive(store, first)
        with pytest.raises(CollectorRefused, match="collector-fork"):
            receive(store, made_up(world, 2, ELSEWHERE[1], kid=first.kid))
        with pytest.raises(CollectorRefused, match="collector-supersedes"):
            receive(store, made_up(world, 3, ELSEWHERE[1], supersedes=first.sha256))
        assert store.counts()["records"] == 1


def check_a_program_that_errs_is_stopped_by_the_database(open_store: OpenStore, world: World) -> None:
    """Two entries of one hash or chain place, a record of another province than its TPS or its entry."""
    with closing(open_store()) as store:
        receive(store, made_up(world, 1, ELSEWHERE[0]))
        with store.reading.connect() as connection:
            entry = connection.execute(sa.select(entries)).one()._asdict() | {"position": 1}
            record = connection.execute(sa.select(records)).one()._asdict()
        other = {"sha256": b"o" * 32, "province": "73"}
        wrong = [
            entries.insert().values(entry | {"province": "73", "sequence": 2}),
            entries.insert().values(entry | other),
            records.insert().values(record | {"province": "73"}),
            records.insert().values(record | {"province": "73", "tps": ELSEWHERE[1]}),
            records.insert().values(record | {"position": 1}),
        ]
        for statement in wrong:
            with pytest.raises(IntegrityError), store.engine.begin() as connection:
                connection.execute(statement)


CONTRACT = (
    check_many_threads_hand_in,
    check_a_fork_and_a_correction,
    check_records_of_every_province_are_found,
    check_one_key_in_two_provinces,
    check_a_program_that_errs_is_stopped_by_the_database,
)
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
