"""Pictures on their way to the collector: broken off, damaged, sent twice, not asked for."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from collector.app import create_app
from collector.store import RecordStore
from collector.uploads import PIECE_BYTES_MAX, Uploads
from firmware.records import SealedRecord
from tests.collectors import TUS, Sender, announcing, put, refusal
from tests.sealing import World, make_world, pictures_of

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


@pytest.fixture
def sealed(world: World, client: FlaskClient) -> SealedRecord:
    sealed = world.seal(1)
    put(client, sealed)
    return sealed


@pytest.fixture
def sender(client: FlaskClient, sealed: SealedRecord) -> Sender:
    return Sender(client, sealed.sha256.hex())


NAME, DATA = next(iter(pictures_of(1).items()))


def offset(client: FlaskClient, name: str = NAME) -> tuple[int, int]:
    answer = client.head(f"/v1/pictures/{name}", headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"]), int(answer.headers["Upload-Length"])


def missing(client: FlaskClient, sealed: SealedRecord) -> list[str]:
    answer = client.get(f"/v1/records/{sealed.sha256.hex()}/pictures")
    assert answer.json is not None
    return list(answer.json["missing"])


def test_a_picture_arrives_in_pieces(client: FlaskClient, sender: Sender, sealed: SealedRecord) -> None:
    assert missing(client, sealed) == list(pictures_of(1))
    answers = list(sender.send(NAME, DATA))
    assert [answer.status_code for answer in answers] == [201, 204, 204, 204]
    assert [answer.headers["Upload-Offset"] for answer in answers] == ["0", "700", "1400", str(len(DATA))]
    assert answers[0].headers["Location"] == f"/v1/pictures/{NAME}"
    assert all(answer.headers["Tus-Resumable"] == "1.0.0" for answer in answers)
    assert offset(client) == (len(DATA), len(DATA))
    assert client.get(f"/v1/pictures/{NAME}").data == DATA
    assert missing(client, sealed) == list(pictures_of(1))[1:]


def test_it_is_sent_again_after_it_was_stored(client: FlaskClient, sender: Sender) -> None:
    list(sender.send(NAME, DATA))
    again = sender.announce(NAME, len(DATA))
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, str(len(DATA)))
    assert refusal(sender.add(NAME, DATA[:10], 0)) == (409, "collector-offset")


def test_the_network_goes_away_and_the_collector_restarts(
    sender: Sender, world: World, store: RecordStore, tmp_path: Path
) -> None:
    sender.announce(NAME, len(DATA))
    sender.add(NAME, DATA[:900], 0)
    store.close()
    fresh = create_app(RecordStore.open(tmp_path / "collector"), world.trust, world.collector_key, lambda: NOW)
    resumed = Sender(fresh.test_client(), sender.record)
    assert offset(resumed.client) == (900, len(DATA))
    assert resumed.announce(NAME, len(DATA)).headers["Upload-Offset"] == "900"
    assert resumed.add(NAME, DATA[900:], 900).status_code == 204
    assert resumed.client.get(f"/v1/pictures/{NAME}").data == DATA


def test_bytes_written_but_not_counted_before_a_kill(client: FlaskClient, sender: Sender, store: RecordStore) -> None:
    sender.announce(NAME, len(DATA))
    sender.add(NAME, DATA[:900], 0)
    with (store.folder / "incoming" / NAME).open("ab") as file:
        file.write(b"torn" * 500)
    assert offset(client) == (900, len(DATA))
    assert sender.add(NAME, DATA[900:], 900).status_code == 204
    assert client.get(f"/v1/pictures/{NAME}").data == DATA


def test_killed_between_keeping_the_picture_and_writing_that_down(
    client: FlaskClient, sender: Sender, sealed: SealedRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.announce(NAME, len(DATA))
    sender.add(NAME, DATA[:900], 0)

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Uploads, "_note", killed)
        with pytest.raises(KeyboardInterrupt):
            sender.add(NAME, DATA[900:], 900)
    assert NAME in missing(client, sealed)
    again = sender.add(NAME, DATA[900:], 900)
    assert (again.status_code, again.headers["Upload-Offset"]) == (204, str(len(DATA)))
    assert NAME not in missing(client, sealed)
    assert client.get(f"/v1/pictures/{NAME}").data == DATA


def test_the_incoming_folder_was_emptied(client: FlaskClient, sender: Sender, store: RecordStore) -> None:
    sender.announce(NAME, len(DATA))
    sender.add(NAME, DATA[:900], 0)
    (store.folder / "incoming" / NAME).unlink()
    assert refusal(sender.add(NAME, DATA[900:], 900)) == (409, "collector-offset")
    assert offset(client) == (0, len(DATA))
    assert sender.add(NAME, DATA, 0).status_code == 204


def test_a_piece_is_damaged_on_its_way(client: FlaskClient, sender: Sender) -> None:
    sender.announce(NAME, len(DATA))
    damaged = sender.add(NAME, DATA[:700], 0, Upload_Checksum="sha256 " + "A" * 43 + "=")
    assert refusal(damaged) == (460, "collector-checksum")
    assert offset(client) == (0, len(DATA))


@pytest.mark.parametrize("start", [0, 10, 1500])
def test_a_piece_begins_at_another_byte(client: FlaskClient, sender: Sender, start: int) -> None:
    sender.announce(NAME, len(DATA))
    sender.add(NAME, DATA[:700], 0)
    assert refusal(sender.add(NAME, DATA[:300], start)) == (409, "collector-offset")
    assert offset(client) == (700, len(DATA))


def test_a_piece_goes_beyond_the_end(client: FlaskClient, sender: Sender) -> None:
    sender.announce(NAME, 500)
    assert refusal(sender.add(NAME, DATA[:700], 0)) == (413, "collector-picture-size")
    assert offset(client) == (0, 500)


def test_two_connections_send_the_same_picture(sender: Sender, store: RecordStore) -> None:
    sender.announce(NAME, len(DATA))
    with (store.folder / "incoming" / NAME).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert refusal(sender.add(NAME, DATA[:700], 0)) == (409, "collector-upload-busy")
    assert sender.add(NAME, DATA[:700], 0).status_code == 204


def test_the_whole_is_another_picture(client: FlaskClient, sender: Sender, sealed: SealedRecord) -> None:
    answers = list(sender.send(NAME, bytes(len(DATA)), len(DATA)))
    assert refusal(answers[-1]) == (422, "collector-picture-hash")
    assert NAME in missing(client, sealed)
    assert client.get(f"/v1/pictures/{NAME}").status_code == 404
    assert [answer.status_code for answer in sender.send(NAME, DATA)][-1] == 204


def test_a_picture_that_the_record_does_not_name(sender: Sender) -> None:
    stray = hashlib.sha256(b"cat").hexdigest()
    assert refusal(sender.announce(stray, 3)) == (422, "collector-picture-unnamed")


def test_the_record_is_not_here_yet(client: FlaskClient, sender: Sender) -> None:
    assert refusal(Sender(client, "0" * 64).announce(NAME, 3)) == (404, "collector-unknown-record")


def test_a_picture_that_nobody_announced(client: FlaskClient, sender: Sender) -> None:
    assert refusal(sender.add(NAME, DATA, 0)) == (404, "collector-picture-unknown")
    assert client.head(f"/v1/pictures/{NAME}").status_code == 404
    assert refusal(client.get(f"/v1/records/{'0' * 64}/pictures")) == (404, "collector-unknown-record")


@pytest.mark.parametrize("length", ["0", str(64 * 1024 * 1024 + 1)])
def test_a_picture_of_an_impossible_size(client: FlaskClient, sender: Sender, length: str) -> None:
    headers = announcing(NAME, sender.record, 1) | {"Upload-Length": length}
    assert refusal(client.post("/v1/pictures", headers=headers)) == (413, "collector-picture-size")


@pytest.mark.parametrize("change", [{"Upload-Length": "x"}, {"Upload-Length": "-1"}, {"Upload-Metadata": "sha256 !"}])
def test_headers_that_make_no_sense(client: FlaskClient, sender: Sender, change: dict[str, str]) -> None:
    answer = client.post("/v1/pictures", headers=announcing(NAME, sender.record, 9) | change)
    assert refusal(answer) == (400, "collector-upload-header")


def test_a_piece_without_its_checksum(sender: Sender) -> None:
    sender.announce(NAME, len(DATA))
    assert refusal(sender.add(NAME, DATA, 0, Upload_Checksum="")) == (400, "collector-upload-header")
    assert refusal(sender.add(NAME, DATA, 0, Content_Type="image/jpeg")) == (400, "collector-upload-header")


def test_a_sender_that_speaks_another_version(client: FlaskClient, sender: Sender) -> None:
    headers = announcing(NAME, sender.record, 9) | {"Tus-Resumable": "0.2.2"}
    assert refusal(client.post("/v1/pictures", headers=headers)) == (412, "collector-upload-version")
    said = client.options("/v1/pictures").headers
    assert (said["Tus-Version"], said["Tus-Extension"]) == ("1.0.0", "creation,checksum")


def test_a_piece_that_is_too_large(sender: Sender) -> None:
    sender.announce(NAME, PIECE_BYTES_MAX + 1)
    assert refusal(sender.add(NAME, bytes(PIECE_BYTES_MAX + 1), 0)) == (413, "collector-too-large")


def test_the_disk_is_full(client: FlaskClient, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.announce(NAME, len(DATA))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        answer = sender.add(NAME, DATA[:700], 0)
    assert refusal(answer) == (503, "collector-unavailable")
    assert answer.headers["Retry-After"]
    assert offset(client) == (0, len(DATA))
    assert sender.add(NAME, DATA, 0).status_code == 204
