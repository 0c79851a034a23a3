"""The collector's own log: what it acknowledged it cannot drop, change or reorder without being seen."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import tree
from collector.app import create_app
from collector.notes import origin_of
from collector.store import RecordStore
from collector.tables import log_nodes, meta
from firmware.errors import VerificationRefused
from firmware.signing import checkpoint, merkle
from firmware.signing.keys import public_key_of
from firmware.signing.proof import MAX_HASHES, inclusion, parse_proof
from tests.collectors import put, refusal
from tests.sealing import World, make_world

NATIONAL = 823_236 * 5
"""Records of a national night of 2024."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def client(world: World, tmp_path: Path) -> FlaskClient:
    store = RecordStore.open(tmp_path / "collector")
    return create_app(store, world.trust, world.collector_key, lambda: 1_866_000_600).test_client()


def head(world: World, note: bytes) -> checkpoint.Checkpoint:
    certificate = x509.load_der_x509_certificate(world.collector_key.certificate)
    return checkpoint.verify_note(note, origin_of(certificate), public_key_of(certificate))


def test_a_collector_that_has_nothing(client: FlaskClient, world: World) -> None:
    found = head(world, client.get("/v1/log/checkpoint").data)
    assert (found.size, found.root) == (0, merkle.EMPTY_ROOT)
    assert found.origin == "c1kiosk.id/collector.kota-contoh"
    assert refusal(client.get("/v1/log/consistency?old=1")) == (404, "collector-log-size")
    assert refusal(client.get("/v1/log/proof?record=" + "0" * 64)) == (404, "collector-unknown-record")


def test_every_record_is_proven_to_be_in_the_log(client: FlaskClient, world: World) -> None:
    sealed = [world.seal(number) for number in (1, 2, 3, 4, 5)]
    heads = []
    for record in sealed:
        put(client, record)
        heads.append(head(world, client.get("/v1/log/checkpoint").data))
    for index, record in enumerate(sealed):
        proof = parse_proof(client.get(f"/v1/log/proof?record={record.sha256.hex()}").data)
        found = head(world, proof.checkpoint)
        assert (proof.number, found) == (index, heads[-1])
        merkle.verify_inclusion(record.sha256, index, found.size, found.root, proof.hashes)
        grown = parse_proof(client.get(f"/v1/log/consistency?old={index + 1}").data)
        merkle.verify_consistency(index + 1, 5, heads[index].root, heads[-1].root, grown.hashes)


def test_a_refused_record_is_not_in_the_log(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    put(client, sealed)
    put(client, world.forge(sealed, tps="3171010001003"))
    put(client, sealed)
    assert head(world, client.get("/v1/log/checkpoint").data).size == 1


def a_country_reported(store: RecordStore) -> bytes:
    """NATIONAL records are in the log, as far as what comes after them has to know; returns the root."""
    whole = [(level, (NATIONAL >> level) - 1) for level in range(NATIONAL.bit_length()) if NATIONAL >> level & 1]
    nodes = {place: hashlib.sha256(repr(place).encode()).digest() for place in [*whole, (0, NATIONAL - 1)]}
    with store.engine.begin() as connection:
        rows = [{"level": level, "number": number, "hash": node} for (level, number), node in nodes.items()]
        connection.execute(log_nodes.insert(), rows)
        return tree.log_root(connection, NATIONAL)


def test_a_country_has_more_records_than_six_digits(world: World, tmp_path: Path) -> None:
    store = RecordStore.open(tmp_path / "collector")
    client = create_app(store, world.trust, world.collector_key, lambda: 1_866_000_600).test_client()
    old_root = a_country_reported(store)
    sealed = [world.seal(number) for number in (1, 2)]
    for record in sealed:
        assert put(client, record).status_code == 201
    for index, record in enumerate(sealed, start=NATIONAL):
        proof = parse_proof(client.get(f"/v1/log/proof?record={record.sha256.hex()}").data)
        found = head(world, proof.checkpoint)
        assert (proof.number, found.size) == (index, NATIONAL + 2)
        merkle.verify_inclusion(record.sha256, index, found.size, found.root, proof.hashes)
    grown = parse_proof(client.get(f"/v1/log/consistency?old={NATIONAL}").data)
    merkle.verify_consistency(NATIONAL, found.size, old_root, found.root, grown.hashes)


def test_the_largest_log_fits_into_a_proof() -> None:
    """Of any place in it."""
    largest = 999_999_999
    checkpoint.Checkpoint("c1kiosk.id/x", largest, bytes(32)).text()
    hashes = tuple(bytes([number]) * 32 for number in range(MAX_HASHES))
    assert largest.bit_length() + 1 == MAX_HASHES
    assert parse_proof(inclusion(largest - 1, hashes, b"note").text()).hashes == hashes


def test_a_checkpoint_of_another_collector(client: FlaskClient, tmp_path: Path) -> None:
    note = client.get("/v1/log/checkpoint").data
    with pytest.raises(VerificationRefused, match="checkpoint-signature"):
        head(make_world(tmp_path / "elsewhere"), note)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_the_stored_tree_is_that_of_the_verifier(turns: list[int], data: st.DataObject) -> None:
    """However many records a transaction brings."""
    engine = sa.create_engine("sqlite://")
    meta.create_all(engine)
    entries: list[bytes] = []
    with engine.begin() as connection:
        for added in turns:
            log = tree.GrowingLog(connection)
            for _ in range(added):
                entries.append(hashlib.sha256(bytes([len(entries)])).digest())
                assert log.append(entries[-1]) == len(entries) - 1
            log.write()
        size = data.draw(st.integers(1, len(entries)))
        index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        assert tree.log_size(connection) == len(entries)
        assert tree.log_root(connection, size) == merkle.root(entries[:size])
        assert tree.inclusion_proof(connection, index, size) == merkle.inclusion_proof(entries[:size], index)
        assert tree.consistency_proof(connection, old, size) == merkle.consistency_proof(entries[:size], old)
    engine.dispose()
