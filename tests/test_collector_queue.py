"""Records by way of a queue: what is acknowledged, what is stored, and what is kept apart."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError

from collector import aside
from collector import drain as drain_module
from collector.app import create_app
from collector.drain import Worker
from collector.intake import Intake, Waiting, read, write
from collector.settings import QueueSettings
from collector.store import RecordStore
from collector.submission import submission_of
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement
from tests.collectors import announcing, put, refusal
from tests.sealing import TPS, World, make_world, pictures_of
from tests.simulators.queue import SimulatedQueue

NOW = 1_866_000_600


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    with closing(RecordStore.open(tmp_path / "collector")) as store:
        yield store


@pytest.fixture
def queue() -> SimulatedQueue:
    return SimulatedQueue()


@pytest.fixture
def client(world: World, store: RecordStore, queue: SimulatedQueue) -> FlaskClient:
    app = create_app(store, world.trust, world.collector_key, lambda: NOW, intake=Intake(queue))
    return app.test_client()


@pytest.fixture
def worker(world: World, store: RecordStore, queue: SimulatedQueue) -> Worker:
    return Worker(queue, store.engine, world.trust, lambda: NOW, lambda seconds: None)


def drain(worker: Worker) -> int:
    return worker.round(threading.Event())


def apart(store: RecordStore) -> dict[str, int]:
    return {kept.code: kept.count for kept in aside.kept_by_code(store.reading)}


def test_a_record_is_acknowledged_before_the_database_has_it(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    sealed = world.seal(1)
    answer = put(client, sealed)
    assert answer.status_code == 201
    verify_acknowledgement(answer.data, world.trust, sealed.sha256)
    assert store.record(sealed.sha256) is None
    assert drain(worker) == 1
    assert store.record(sealed.sha256) == sealed.cose
    assert store.acknowledgement(sealed.sha256) == answer.data
    assert queue.waiting == {}


def test_a_record_is_sent_again_while_it_waits_and_afterwards(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    sealed = world.seal(1)
    first, second = put(client, sealed), put(client, sealed)
    assert (first.status_code, second.status_code) == (201, 200)
    drain(worker)
    queue.remembered.clear()  # what a restarted node does not know any more
    third = put(client, sealed)
    assert third.status_code == 201
    drain(worker)
    for answer in (first, second, third):
        verify_acknowledgement(answer.data, world.trust, sealed.sha256)
    assert store.acknowledgement(sealed.sha256) == first.data
    assert store.counts()["records"] == 1


def test_the_queue_does_not_answer(client: FlaskClient, world: World, queue: SimulatedQueue) -> None:
    queue.away = True
    answer = put(client, world.seal(1))
    assert refusal(answer) == (503, "collector-unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_nobody_hears_that_the_queue_took_it(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    sealed = world.seal(1)
    queue.lossy = True
    assert put(client, sealed).status_code == 503
    queue.lossy = False
    assert put(client, sealed).status_code == 200
    drain(worker)
    assert store.counts()["records"] == 1


def test_a_bad_record_does_not_reach_the_queue(client: FlaskClient, world: World, queue: SimulatedQueue) -> None:
    sealed = world.seal(1)
    broken = replace(sealed, cose=sealed.cose[:-1] + b"\0")
    assert refusal(put(client, broken)) == (422, "collector-hash")
    assert queue.waiting == {}


def test_a_picture_comes_before_its_record_is_drained(
    client: FlaskClient, world: World, worker: Worker, queue: SimulatedQueue
) -> None:
    """The kiosk is told to come again, not that it is wrong."""
    sealed = world.seal(1)
    put(client, sealed)
    picture, data = next(iter(pictures_of(1).items()))
    headers = announcing(picture, sealed.sha256.hex(), len(data))
    answer = client.post("/v1/pictures", headers=headers)
    assert refusal(answer) == (503, "collector-not-yet")
    assert int(answer.headers["Retry-After"]) < 5
    queue.away = True
    assert refusal(client.get(f"/v1/records/{sealed.sha256.hex()}")) == (503, "collector-not-yet")
    queue.away = False
    drain(worker)
    assert client.post("/v1/pictures", headers=headers).status_code == 201
    unknown = world.seal(2).sha256.hex()
    assert refusal(client.get(f"/v1/records/{unknown}")) == (404, "collector-unknown-record")


def test_the_database_is_away(
    client: FlaskClient, world: World, store: RecordStore, queue: SimulatedQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker keeps what it has, asks again and again, and sets nothing aside."""
    pauses: list[float] = []
    refuse = _refusing(OperationalError("COMMIT", {}, Exception("connection refused")))

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            event.remove(store.engine, "before_cursor_execute", refuse)

    put(client, world.seal(1))
    event.listen(store.engine, "before_cursor_execute", refuse)
    assert Worker(queue, store.engine, world.trust, lambda: NOW, pause).round(threading.Event()) == 1
    assert len(pauses) == 3
    assert store.counts()["records"] == 1
    assert apart(store) == {}


def test_a_worker_has_to_end_while_the_database_is_away(
    client: FlaskClient, world: World, store: RecordStore, queue: SimulatedQueue
) -> None:
    sealed, stop = world.seal(1), threading.Event()
    put(client, sealed)
    refuse = _refusing(OperationalError("COMMIT", {}, Exception("connection refused")))
    event.listen(store.engine, "before_cursor_execute", refuse)
    assert Worker(queue, store.engine, world.trust, lambda: NOW, lambda seconds: stop.set()).round(stop) == 0
    assert list(queue.waiting) == [sealed.sha256.hex()]


def test_the_database_does_not_take_one_of_many(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    """The others are stored, this one is kept apart as it came, and taken when the cause is gone."""
    records = [world.seal(number) for number in range(1, 5)]
    for sealed in records:
        put(client, sealed)
    message = queue.waiting[records[-1].sha256.hex()]
    refuse = _refusing(IntegrityError("INSERT", {}, Exception("no part")), records[-1].sha256)
    event.listen(store.engine, "before_cursor_execute", refuse)
    drain(worker)
    event.remove(store.engine, "before_cursor_execute", refuse)
    assert queue.waiting == {}
    assert [store.record(sealed.sha256) is not None for sealed in records] == [True, True, True, False]
    assert apart(store) == {"collector-queue-database": 1}
    assert aside.kept(store.engine) == [(records[-1].sha256.hex(), message)]
    assert worker.again() == (1, 0)
    assert store.record(records[-1].sha256) == records[-1].cose


def _refusing(error: Exception, sha256: bytes | None = None) -> Any:
    """A database that refuses every statement, or those that store this record."""

    def refuse(_c: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        rows = parameters if isinstance(parameters, list) else [parameters]
        if sha256 is None or (statement.startswith("INSERT INTO entries") and any(sha256 in row for row in rows)):
            raise error

    return refuse


def test_messages_that_are_no_records(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    good, other = world.seal(1), world.seal(2)
    put(client, good)
    queue.waiting["a" * 70] = b"\xc1 nonsense"
    third, given = world.seal(3), read(queue.waiting[good.sha256.hex()]).acknowledgement
    queue.waiting[third.sha256.hex()] = write(Waiting(third.cose, given, NOW))
    queue.waiting[other.sha256.hex()] = write(Waiting(good.cose, b"", NOW))
    tampered = bytearray(read(queue.waiting[good.sha256.hex()]).cose)
    tampered[-1] ^= 1
    queue.waiting[hashlib.sha256(tampered).hexdigest()] = write(Waiting(bytes(tampered), b"", NOW))
    assert drain(worker) == 5
    assert queue.waiting == {}
    assert store.counts()["records"] == 1
    assert apart(store) == {
        "acknowledgement-other-record": 1,
        "collector-hash": 1,
        "collector-queue-message": 1,
        "cose-signature": 1,
    }


def test_a_fork_comes_out_of_the_queue(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    """Its kiosk has an acknowledgement that is true: the collector holds it, among the forks."""
    first = world.seal(1)
    forged = world.forge(first, tps=TPS[2])
    for sealed in (first, forged):
        assert put(client, sealed).status_code == 201
    drain(worker)
    assert [fork.sha256 for fork in store.forks()] == [forged.sha256]
    assert (store.counts()["records"], apart(store), queue.waiting) == (1, {}, {})


def test_a_correction_of_another_station_comes_out_of_the_queue(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker
) -> None:
    theirs, ours = world.seal(1), world.seal(2)
    for sealed in (theirs, world.forge(ours, supersedes=theirs.sha256, reason="x")):
        assert put(client, sealed).status_code == 201
    drain(worker)
    assert (store.counts()["records"], apart(store)) == (1, {"collector-supersedes": 1})


def test_an_error_of_ours_concerns_one_message(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that stumbles over one record must not come back to it for ever."""
    good, other = world.seal(1), world.seal(2)

    def stumble(name: str, cose: bytes, trust: TrustRoots) -> object:
        if name == other.sha256.hex():
            raise ZeroDivisionError
        return submission_of(name, cose, trust)

    monkeypatch.setattr(drain_module, "submission_of", stumble)
    for sealed in (good, other):
        put(client, sealed)
    drain(worker)
    assert (store.counts()["records"], apart(store)) == (1, {"collector-queue-unexpected": 1})


def test_the_operator_sees_the_queue(
    client: FlaskClient, world: World, store: RecordStore, worker: Worker, queue: SimulatedQueue
) -> None:
    put(client, world.seal(1))
    shown = client.get("/operator").get_data(as_text=True)
    assert "1 rekaman sudah aman di antrean" in shown
    queue.waiting["a" * 64] = b"nonsense"
    drain(worker)
    shown = client.get("/operator").get_data(as_text=True)
    assert "rekaman sudah aman" not in shown
    assert "collector-queue-message" in shown
    queue.away = True
    assert "Antrean tidak menjawab" in client.get("/operator").get_data(as_text=True)


def test_the_operator_sees_the_queue_while_the_database_is_away(
    client: FlaskClient, world: World, store: RecordStore
) -> None:
    put(client, world.seal(1))
    event.listen(
        store.engine,
        "before_cursor_execute",
        _refusing(OperationalError("SELECT", {}, Exception("connection refused"))),
    )
    answer = client.get("/operator")
    assert answer.status_code == 503
    assert "1 rekaman sudah aman di antrean" in answer.get_data(as_text=True)


def test_a_queue_in_the_clear_is_elsewhere() -> None:
    QueueSettings(("nats://127.0.0.1:4222",))
    with pytest.raises(ValueError, match="loopback"):
        QueueSettings(("nats://127.0.0.1:4222", "nats://queue2:4222"), ca="ca.pem")
