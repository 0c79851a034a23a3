"""Pictures in a real S3 server: nothing is overwritten, and nothing is taken for kept that is not."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import obstore
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from obstore.store import S3Store

from collector.app import create_app
from collector.pictures import named
from collector.s3_pictures import S3Pictures
from collector.settings import PicturesSettings
from collector.store import RecordStore
from collector.submission import CollectorRefused
from collector.tables import pictures
from collector.uploads import Uploads
from tests.collectors import Sender, put, refusal
from tests.sealing import World, make_world, pictures_of
from tests.system.s3_server import SECRET, S3Server, bad_line, program, running

pytestmark = pytest.mark.system

NOW = 1_866_000_600
DATA = b"\xff\xd8\xff" + bytes(100_000)
NAME = hashlib.sha256(DATA).digest()
BEFORE_THE_KILL = 15


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    weed = program()
    if weed is None:
        pytest.skip("SeaweedFS is not installed")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), weed) as started:
        yield started


@pytest.fixture
def keeper(server: S3Server) -> S3Pictures:
    return S3Pictures.open(server.settings, server.folder)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    with closing(RecordStore.open(tmp_path / "collector")) as opened:
        yield opened


@pytest.fixture
def client(world: World, store: RecordStore, keeper: S3Pictures) -> FlaskClient:
    return create_app(store, world.trust, world.collector_key, lambda: NOW, keeper=keeper).test_client()


def raw(said: PicturesSettings) -> S3Store:
    """The bucket, as somebody else would write to it."""
    return S3Store(
        said.bucket,
        endpoint=said.endpoint,
        region=said.region,
        access_key_id=said.key,
        secret_access_key=SECRET,
        client_options={"allow_http": True},
    )


def dies(*_: object) -> None:
    raise OSError("the collector is gone")


def patiently(keeper: S3Pictures, name: bytes) -> bytes | None:
    """A store that was killed finds its disks again a moment after it answers."""
    until = time.monotonic() + 30
    while True:
        try:
            return keeper.read(name)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def whole(folder: Path, data: bytes = DATA) -> Path:
    path = folder / "whole"
    path.write_bytes(data)
    return path


def test_a_picture_comes_twice(keeper: S3Pictures, tmp_path: Path) -> None:
    for _ in range(2):
        keeper.keep(NAME, whole(tmp_path))
        assert not (tmp_path / "whole").exists()
        assert keeper.read(NAME) == DATA
    assert keeper.read(bytes(32)) is None


def test_something_else_has_the_name_of_a_picture(keeper: S3Pictures, server: S3Server, tmp_path: Path) -> None:
    """It is neither overwritten nor taken for the picture, and what came stays where it was."""
    other = hashlib.sha256(b"picture").digest()
    obstore.put(raw(server.settings), named(other), b"something else")
    with pytest.raises(OSError, match="not the picture"):
        keeper.keep(other, whole(tmp_path, b"picture"))
    assert (tmp_path / "whole").read_bytes() == b"picture"
    with pytest.raises(OSError, match="not the picture"):
        keeper.read(other)


def test_a_file_that_changed_on_the_collectors_disk(keeper: S3Pictures, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not the picture"):
        keeper.keep(hashlib.sha256(b"other").digest(), whole(tmp_path))


def test_a_byte_changes_on_the_way_to_the_store(server: S3Server, keeper: S3Pictures, tmp_path: Path) -> None:
    """The server compares the checksum: nothing is kept, and what came stays where it was."""
    data = b"in the middle of it: MARK" * 1_000
    name = hashlib.sha256(data).digest()
    with bad_line(server.settings, b"it: MARK", b"it: MURK") as said:
        beyond = S3Pictures.open(said, server.folder)
        with pytest.raises(OSError, match="the picture store"):
            beyond.keep(name, whole(tmp_path, data))
        beyond.keep(NAME, whole(tmp_path))
    assert keeper.read(name) is None
    assert keeper.read(NAME) == DATA


@pytest.mark.parametrize(
    "wrong",
    [{"bucket": "another"}, {"key": "nobody"}, {"secret": "nothing"}, {"endpoint": "http://127.0.0.1:9"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_collector_starts_without_its_picture_store(server: S3Server, wrong: dict[str, str]) -> None:
    said = msgspec.structs.replace(server.settings, **wrong)
    with pytest.raises(CollectorRefused, match="collector-pictures"):
        S3Pictures.open(said, server.folder)


def test_a_collector_dies_between_the_store_and_its_own_note(
    client: FlaskClient, world: World, keeper: S3Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender comes again with the last piece, and finds it done."""
    sealed = world.seal(1)
    put(client, sealed)
    name, data = next(iter(pictures_of(1).items()))
    sender = Sender(client, sealed.sha256.hex())
    with monkeypatch.context() as patch:
        patch.setattr(Uploads, "_note", dies)
        assert [answer.status_code for answer in sender.send(name, data)] == [201, 204, 204, 503]
    assert keeper.read(bytes.fromhex(name)) == data
    answer = client.head(f"/v1/pictures/{name}")
    offset = int(answer.headers["Upload-Offset"])
    assert offset < len(data)
    again = sender.add(name, data[offset:], offset)
    assert (again.status_code, again.headers["Upload-Offset"]) == (204, str(len(data)))
    assert client.get(f"/v1/pictures/{name}").data == data


def test_the_store_is_killed_while_pictures_come(
    client: FlaskClient, world: World, store: RecordStore, server: S3Server, keeper: S3Pictures
) -> None:
    """Every picture that was answered for is there, byte for byte; the others come again and are there then."""
    expected: dict[str, bytes] = {}
    told: set[str] = set()
    refused: list[tuple[int, str]] = []
    some, go_on = threading.Event(), threading.Event()
    records = [world.seal(number) for number in range(2, 22)]
    for record in records:
        assert put(client, record).status_code == 201

    def send(numbers: range) -> None:
        mine = client.application.test_client()
        for number in numbers:
            sender = Sender(mine, records[number - 2].sha256.hex())
            for name, data in pictures_of(number).items():
                expected[name] = data
                last = list(sender.send(name, data))[-1]
                if last.status_code == 204:
                    told.add(name)
                    if len(told) == BEFORE_THE_KILL:
                        some.set()
                else:
                    refused.append(refusal(last))
                    go_on.wait(1)

    threads = [threading.Thread(target=send, args=(range(first, 22, 4),)) for first in range(2, 6)]
    for thread in threads:
        thread.start()
    some.wait(30)
    server.kill()
    for thread in threads:
        thread.join()
    assert told and refused
    assert set(refused) == {(503, "collector-unavailable")}
    server.start()
    with store.reading.connect() as connection:
        noted = {bytes(row.sha256).hex() for row in connection.execute(sa.select(pictures.c.sha256))}
    assert noted == told
    for name in told:
        assert patiently(keeper, bytes.fromhex(name)) == expected[name]
    for number, record in enumerate(records, start=2):
        sender = Sender(client, record.sha256.hex())
        for name, data in pictures_of(number).items():
            if name not in told:
                offset = int(client.head(f"/v1/pictures/{name}").headers["Upload-Offset"])
                assert sender.add(name, data[offset:], offset).status_code == 204
            assert client.get(f"/v1/pictures/{name}").data == data
    print(f"{len(told)} pictures before the kill, {len(refused)} refused, all {len(expected)} there afterwards")
