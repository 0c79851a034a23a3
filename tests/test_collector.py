"""The collector: what it acknowledges it holds, and what does not hold it does not take."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from collector.app import create_app
from collector.main import main
from collector.store import RecordStore
from firmware.records import SealedRecord
from firmware.signing.encoding import MAX_BYTES
from firmware.signing.verification import verify_acknowledgement
from tests.collectors import put, refusal
from tests.sealing import LAYOUT, TPS, World, make_world

NOW = 1_866_000_600


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore.open(tmp_path / "collector")


@pytest.fixture
def client(world: World, store: RecordStore) -> FlaskClient:
    return create_app(store, world.trust, world.collector_key, lambda: NOW).test_client()


def status(client: FlaskClient) -> dict[str, int]:
    counts = client.get("/v1/status").json
    assert isinstance(counts, dict)
    return {name: counts[name] for name in ("records", "standing", "devices", "forks")}


def test_record_is_stored_and_acknowledged(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    response = put(client, sealed)
    assert response.status_code == 201
    proof = verify_acknowledgement(response.data, world.trust, sealed.sha256)
    assert (proof.record, proof.unix) == (sealed.sha256, NOW)
    assert client.get(f"/v1/records/{sealed.sha256.hex()}").data == sealed.cose
    assert status(client) == {"records": 1, "standing": 1, "devices": 1, "forks": 0}


def test_same_record_again_gets_the_same_acknowledgement(
    client: FlaskClient, world: World, store: RecordStore, tmp_path: Path
) -> None:
    sealed = world.seal(1)
    first = put(client, sealed)
    store.close()
    restarted = create_app(RecordStore.open(tmp_path / "collector"), world.trust, world.collector_key, lambda: NOW + 60)
    again = put(restarted.test_client(), sealed)
    assert (again.status_code, again.data) == (200, first.data)
    assert status(client)["records"] == 1


def test_collector_dies_before_the_commit(
    client: FlaskClient, world: World, store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = world.seal(1)
    with monkeypatch.context() as patch:
        patch.setattr("collector.tree.GrowingLog.write", _killed)
        with pytest.raises(KeyboardInterrupt):
            put(client, sealed)
    assert store.record(sealed.sha256) is None
    assert store.acknowledgement(sealed.sha256) is None
    response = put(client, sealed)
    assert response.status_code == 201
    verify_acknowledgement(response.data, world.trust, sealed.sha256)


def _killed(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_bytes_that_are_not_the_named_record(client: FlaskClient, world: World) -> None:
    first, second = world.seal(1), world.seal(2)
    response = client.put(f"/v1/records/{first.sha256.hex()}", data=second.cose)
    assert refusal(response) == (422, "collector-hash")
    assert status(client)["records"] == 0


@pytest.mark.parametrize("name", ["zz", "00", "A" * 64, "0" * 62 + " 0"])
def test_address_that_is_no_hash(client: FlaskClient, name: str) -> None:
    assert refusal(client.put(f"/v1/records/{name}", data=b"x")) == (422, "collector-hash")
    assert refusal(client.get(f"/v1/records/{name}")) == (422, "collector-hash")


def test_signature_that_does_not_hold(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    cose = sealed.cose[:-1] + bytes([sealed.cose[-1] ^ 1])
    response = client.put(f"/v1/records/{hashlib.sha256(cose).hexdigest()}", data=cose)
    assert refusal(response) == (422, "cose-signature")


def test_bytes_that_are_no_message(client: FlaskClient) -> None:
    for body in (b"", b"\x00", b"<html>", b"\xd2" * 100):
        response = client.put(f"/v1/records/{hashlib.sha256(body).hexdigest()}", data=body)
        assert response.status_code == 422
        assert refusal(response)[1].startswith(("cbor-", "cose-"))


def test_record_of_a_device_that_nobody_provisioned(client: FlaskClient, tmp_path: Path) -> None:
    stranger = make_world(tmp_path / "elsewhere")
    assert refusal(put(client, stranger.seal(1))) == (422, "device-unknown")


def test_record_that_is_too_large(client: FlaskClient) -> None:
    body = bytes(MAX_BYTES + 1)
    response = client.put(f"/v1/records/{hashlib.sha256(body).hexdigest()}", data=body)
    assert refusal(response) == (413, "collector-too-large")


def test_records_arrive_out_of_order(client: FlaskClient, world: World) -> None:
    first, second, third = (world.seal(number) for number in (1, 2, 3))
    assert [put(client, sealed).status_code for sealed in (third, first, second)] == [201, 201, 201]


def test_stolen_key_signs_a_second_record_with_the_same_number(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    put(client, sealed)
    forged = world.forge(sealed, tps=TPS[2])
    assert refusal(put(client, forged)) == (409, "collector-fork")
    assert refusal(put(client, forged)) == (409, "collector-fork")
    assert status(client) == {"records": 1, "standing": 1, "devices": 1, "forks": 1}
    assert client.get(f"/v1/records/{forged.sha256.hex()}").status_code == 404


@pytest.mark.parametrize("first_to_arrive", [0, 1])
def test_record_that_does_not_follow_its_neighbour(client: FlaskClient, world: World, first_to_arrive: int) -> None:
    first, second = world.seal(1), world.seal(2)
    pair = [first, world.forge(second, previous=hashlib.sha256(b"other").digest())]
    assert put(client, pair[first_to_arrive]).status_code == 201
    assert refusal(put(client, pair[1 - first_to_arrive])) == (409, "collector-fork")


def test_correction_supersedes_and_both_versions_stay(client: FlaskClient, world: World, store: RecordStore) -> None:
    wrong = world.seal(1)
    right = world.seal(1, supersedes=wrong.sha256, reason="angka 7 terbaca 1")
    assert [put(client, sealed).status_code for sealed in (right, wrong)] == [201, 201]
    assert store.standing(TPS[1], LAYOUT.contest) == (right.sha256,)
    assert status(client) == {"records": 2, "standing": 1, "devices": 1, "forks": 0}
    assert client.get(f"/v1/records/{wrong.sha256.hex()}").data == wrong.cose


def test_correction_of_another_polling_station(client: FlaskClient, world: World, store: RecordStore) -> None:
    theirs, ours = world.seal(1), world.seal(2)
    put(client, theirs)
    forged = world.forge(ours, supersedes=theirs.sha256, reason="x")
    assert refusal(put(client, forged)) == (422, "collector-supersedes")
    assert store.standing(TPS[1], LAYOUT.contest) == (theirs.sha256,)


def test_unknown_record_and_unknown_address(client: FlaskClient) -> None:
    assert refusal(client.get(f"/v1/records/{'0' * 64}")) == (404, "collector-unknown-record")
    assert refusal(client.get("/v2/anything")) == (404, "collector-address")
    assert refusal(client.delete("/v1/status")) == (405, "collector-address")


def test_database_that_fails_is_not_the_records_fault(
    client: FlaskClient, world: World, store: RecordStore, tmp_path: Path
) -> None:
    put(client, world.seal(1))
    with sa.create_engine(f"sqlite:///{tmp_path / 'collector' / 'collector.sqlite'}").begin() as raw:
        raw.exec_driver_sql("DROP TABLE forks")
        raw.exec_driver_sql("ALTER TABLE pages RENAME TO elsewhere")
    assert refusal(put(client, world.seal(2))) == (503, "collector-unavailable")


def serve(data: Path, trust: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "collector.main", "--data", str(data), "--port", str(port), "--trust", str(trust)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}"
    return process


def deliver(port: int, sealed: SealedRecord) -> bytes:
    """The answer's body, once the server listens."""
    while True:
        with suppress(httpx.ConnectError):
            address = f"http://127.0.0.1:{port}/v1/records/{sealed.sha256.hex()}"
            return httpx.put(address, content=sealed.cose).raise_for_status().content
        time.sleep(0.05)


def test_power_fails_right_after_an_acknowledgement(world: World, tmp_path: Path) -> None:
    data, sealed = tmp_path / "collector", world.seal(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = serve(data, world.trust_folder, port)
    given = deliver(port, sealed)
    process.kill()
    process.wait()
    process = serve(data, world.trust_folder, port)
    assert deliver(port, sealed) == given
    process.terminate()
    process.communicate()
    assert process.returncode == 0
    verify_acknowledgement(given, world.trust, sealed.sha256)


def test_collector_without_a_trust_folder_does_not_start(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--data", str(tmp_path / "data"), "--port", "1"])
    assert result.exit_code == 1
    assert "trust-unreadable" in str(result.exception) + result.output
