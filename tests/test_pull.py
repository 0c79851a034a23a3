"""A laptop pulls a kiosk's records over real TLS: cut lines, wrong bytes, strangers, and a kiosk that forgets."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from firmware.cli import cli
from firmware.endpoint.cheroot_server import TlsServer, mutual_tls
from firmware.endpoint.lan import create_lan_app
from firmware.http import LOOPBACK
from firmware.uplink import lan_kiosk, pull
from firmware.uplink.lan_kiosk import address_of
from tests.apis import SealedRoom
from tests.sealing import make_world, pictures_of
from tests.test_endpoint_lan import AUTHORITY, KIOSK_TLS, LAPTOP, STRANGER, Party, party

RECORDS = 2
CUT_AFTER = 700
"""Bytes of a picture of 2,000."""

Change = Callable[[str, bytes], bytes | None]


@dataclass
class Line:
    """What stands between the kiosk's API and its TLS: sees every request, and may change what is answered."""

    app: Any
    change: Change = field(init=False)
    cut: Callable[[str], bool] = field(init=False)
    asked: list[tuple[str, str]] = field(init=False)
    """Address and Range of every request."""

    def __post_init__(self) -> None:
        self.be_straight()

    def be_straight(self) -> None:
        """Changes and cuts nothing, and forgets what was asked."""
        self.change, self.cut, self.asked = lambda _path, _body: None, lambda _path: False, []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        answer: dict[str, Any] = {}
        self.asked.append((path, environ.get("HTTP_RANGE", "")))
        body = b"".join(self.app(environ, lambda *head: answer.update(status=head[0], headers=dict(head[1]))))
        changed = self.change(path, body)
        if changed is not None:
            body = changed
            answer["headers"]["Content-Length"] = str(len(body))
        start(answer["status"], list(answer["headers"].items()))
        return [body[:CUT_AFTER]] if self.cut(path) else [body]


class Room:
    """A kiosk that serves, and a laptop beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kiosk = SealedRoom(folder / "kiosk", RECORDS)
        certificate, key = KIOSK_TLS.write(folder, "kiosk")
        self.ca, _ = AUTHORITY.write(folder, "authority")
        self.line = Line(create_lan_app(self.kiosk.sources))
        self.server = TlsServer(self.line, LOOPBACK, 0, mutual_tls(certificate, key, self.ca))

    def pull(self, out: Path, who: Party = LAPTOP, **other: Any) -> Result:
        """`c1kiosk pull` of the laptop with that certificate; `other` options replace the usual ones."""
        certificate, key = who.write(out.parent, "laptop")
        usual = {"certificate": certificate, "key": key, "ca": self.ca, "trust": self.kiosk.folder / "trust"}
        host = f"{LOOPBACK}:{other.pop('port', self.server.bind_addr[1])}"
        options = [text for name, value in (usual | other).items() for text in (f"--{name}", str(value))]
        return CliRunner().invoke(cli, ["pull", host, *options, "--out", str(out)])

    @property
    def names(self) -> list[str]:
        return [self.kiosk.name(number) for number in range(1, RECORDS + 1)]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("pull"))
    room.server.prepare()
    thread = threading.Thread(target=room.server.serve)
    thread.start()
    yield room
    room.server.stop()
    thread.join()


@pytest.fixture
def room(serving: Room) -> Room:
    serving.line.be_straight()
    return serving


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def all_pictures() -> dict[str, bytes]:
    return {name: data for number in range(1, RECORDS + 1) for name, data in pictures_of(number).items()}


def kept(out: Path, kind: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (out / kind).iterdir()}


def everything(room: Room, out: Path) -> bool:
    """Whether the folder holds all that the kiosk has, byte for byte, and nothing else."""
    records = {f"{name}.cose": sealed.cose for name, sealed in zip(room.names, room.kiosk.sealed, strict=True)}
    proofs = {f"{name}.json" for name in room.names}
    device = len(list(out.glob("device-*.pem")))
    return (kept(out, "records"), kept(out, "pictures"), set(kept(out, "proofs")), device) == (
        records, all_pictures(), proofs, 1
    )  # fmt: skip


def first_picture(room: Room) -> str:
    return f"/v1/records/{room.names[0]}/images/1"


def refused(result: Result, code: str) -> bool:
    return result.exit_code == 1 and [line.split(":")[0] for line in result.stderr.splitlines()] == [code]


# --- all of it


def test_a_laptop_pulls_everything_and_asks_for_nothing_twice(room: Room, out: Path) -> None:
    first = room.pull(out)
    assert (first.exit_code, first.stderr) == (0, "")
    assert everything(room, out)
    room.line.asked.clear()
    assert room.pull(out).exit_code == 0
    assert room.line.asked == [("/v1/records", "")]


def test_the_list_comes_in_many_parts(room: Room, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "PAGE_MOST", 1)
    assert room.pull(out).exit_code == 0
    assert everything(room, out)
    assert [path for path, _ in room.line.asked].count("/v1/records") == RECORDS


# --- the line breaks


def test_the_kiosk_is_unplugged_in_the_middle_of_a_picture(room: Room, out: Path) -> None:
    room.line.cut = lambda path: path == first_picture(room)
    assert refused(room.pull(out), "pull-cut")
    name, whole = next(iter(pictures_of(1).items()))
    assert kept(out, "pictures") == {f"{name}.part": whole[:CUT_AFTER]}
    room.line.be_straight()
    assert room.pull(out).exit_code == 0
    assert (first_picture(room), f"bytes={CUT_AFTER}-") in room.line.asked
    assert everything(room, out)


@pytest.mark.parametrize(
    ("part", "ranges"),
    [
        (b"x" * 100, ["bytes=100-", ""]),
        (b"x" * 1_984, ["bytes=1984-", ""]),
        (b"x" * 5_000, ["bytes=5000-", ""]),
        (next(iter(pictures_of(1).values())), []),
        (b"", [""]),
    ],
    ids=["torn", "torn, as long as the whole", "longer than the whole", "whole, not yet named", "empty"],
)
def test_the_laptop_lost_power_while_a_picture_came(room: Room, out: Path, part: bytes, ranges: list[str]) -> None:
    (out / "pictures").mkdir(parents=True)
    (out / "pictures" / f"{next(iter(pictures_of(1)))}.part").write_bytes(part)
    assert room.pull(out).exit_code == 0
    assert everything(room, out)
    assert [range_ for path, range_ in room.line.asked if path == first_picture(room)] == ranges


def test_nobody_is_at_the_address(room: Room, out: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as gone:
        port = gone.getsockname()[1]
    assert refused(room.pull(out, port=port), "pull-unreachable")


# --- wrong bytes


def test_a_picture_has_other_bytes(room: Room, out: Path) -> None:
    room.line.change = lambda path, body: b"x" + body[1:] if path == first_picture(room) else None
    assert refused(room.pull(out), "pull-picture-hash")
    name = next(iter(pictures_of(1)))
    assert kept(out, "pictures") == {key: data for key, data in all_pictures().items() if key != name}
    room.line.be_straight()
    assert room.pull(out).exit_code == 0
    assert everything(room, out)


def test_a_record_has_other_bytes(room: Room, out: Path) -> None:
    room.line.change = lambda path, body: body + b"x" if path == f"/v1/records/{room.names[0]}" else None
    assert refused(room.pull(out), "pull-record-hash")
    assert set(kept(out, "records")) == {f"{room.names[1]}.cose"}, "the good one is not held up"


def test_the_records_are_signed_by_a_key_that_nobody_knows(room: Room, out: Path, tmp_path: Path) -> None:
    result = room.pull(out, trust=make_world(tmp_path / "other").trust_folder)
    assert result.exit_code == 1
    assert result.stderr.count("device-unknown:") == RECORDS
    assert kept(out, "records") == kept(out, "pictures") == {}


def test_a_signed_record_is_shown_in_another_place(room: Room, out: Path) -> None:
    room.line.change = lambda path, body: swapped(body) if path == "/v1/records" else None
    result = room.pull(out)
    assert (result.exit_code, result.stderr.count("pull-record-place:")) == (1, RECORDS)
    assert kept(out, "records") == {}


def swapped(body: bytes) -> bytes:
    """The list with its two records in the other order, numbered as if it were the right one."""
    told = json.loads(body)
    first, second = told["records"]
    first["sha256"], second["sha256"] = second["sha256"], first["sha256"]
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("root", "ab" * 32, "pull-proof"), ("leaf_index", 1, "pull-proof"), ("path", [], "log-inclusion")],
)
def test_a_proof_does_not_hold(room: Room, out: Path, name: str, value: Any, code: str) -> None:
    about = f"/v1/records/{room.names[0]}/proof"
    room.line.change = lambda path, body: changed(body, name, value) if path == about else None
    assert refused(room.pull(out), code)
    assert set(kept(out, "proofs")) == {f"{room.names[1]}.json"}


def changed(body: bytes, name: str, value: Any) -> bytes:
    return json.dumps(json.loads(body) | {name: value}).encode()


def test_the_kiosk_shows_another_device_certificate(room: Room, out: Path) -> None:
    other = (room.folder / "kiosk.pem").read_bytes()
    room.line.change = lambda path, _body: other if path == "/v1/device/certificate" else None
    assert refused(room.pull(out), "pull-device")
    assert not list(out.glob("device-*"))


def test_a_picture_without_end(room: Room, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan_kiosk, "PICTURE_BYTES_MAX", 2_500)
    room.line.change = lambda path, body: body * 2 if path == first_picture(room) else None
    assert refused(room.pull(out), "pull-too-large")


def test_a_picture_is_lost_on_the_kiosk(room: Room, out: Path) -> None:
    lost = room.kiosk.folder / "ledger"
    name = next(iter(pictures_of(1)))
    (file,) = (path for path in lost.rglob("*") if path.is_file() and name in path.name)
    data = file.read_bytes()
    file.unlink()
    try:
        result = room.pull(out)
    finally:
        file.write_bytes(data)
    assert refused(result, "pull-kiosk")
    assert len(kept(out, "pictures")) == len(all_pictures()) - 1


@pytest.mark.parametrize("kind", ["records", "pictures", "proofs"])
def test_the_laptops_disk_spoils_a_file(room: Room, out: Path, kind: str) -> None:
    assert room.pull(out).exit_code == 0
    spoilt = min((out / kind).iterdir())
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    assert refused(room.pull(out), "pull-file-damaged")
    spoilt.unlink()
    assert room.pull(out).exit_code == 0
    assert everything(room, out)


def test_the_folder_on_the_laptop_cannot_be_written(room: Room, out: Path) -> None:
    out.mkdir()
    (out / "records").write_bytes(b"a file where a folder should be")
    assert refused(room.pull(out), "pull-folder")


# --- who is who


@pytest.mark.parametrize("who", [STRANGER, party("laptop", STRANGER)], ids=["by its own word", "another authority"])
def test_a_strangers_certificate(room: Room, out: Path, who: Party) -> None:
    assert refused(room.pull(out, who), "pull-turned-away")
    assert not room.line.asked


def test_another_machine_answers_for_the_kiosk(room: Room, out: Path, tmp_path: Path) -> None:
    believed, _ = STRANGER.write(tmp_path, "other-authority")
    assert refused(room.pull(out, ca=believed), "pull-other-kiosk")


# --- a kiosk that forgets


def test_the_kiosk_shows_fewer_records_than_before(room: Room, out: Path) -> None:
    assert room.pull(out).exit_code == 0
    room.line.change = lambda path, body: without_the_last(body) if path == "/v1/records" else None
    room.line.asked.clear()
    assert refused(room.pull(out), "pull-shrunk")
    assert room.line.asked == [("/v1/records", "")], "nothing is fetched"
    assert everything(room, out), "what is kept stays"


def without_the_last(body: bytes) -> bytes:
    told = json.loads(body)
    return json.dumps(told | {"records": told["records"][:-1]}).encode()


def test_the_kiosk_takes_back_what_it_listed_before_it_was_fetched(room: Room, out: Path) -> None:
    room.line.cut = lambda path: path == first_picture(room)
    assert refused(room.pull(out), "pull-cut")
    room.line.change = lambda path, body: without_the_last(body) if path == "/v1/records" else None
    assert refused(room.pull(out), "pull-shrunk")


def test_the_kiosk_shows_another_past(room: Room, out: Path) -> None:
    assert room.pull(out).exit_code == 0
    room.line.change = lambda path, body: swapped(body) if path == "/v1/records" else None
    assert refused(room.pull(out), "pull-rewritten")


def test_a_kiosk_seals_more_records_between_two_pulls(room: Room, out: Path) -> None:
    room.line.change = lambda path, body: without_the_last(body) if path == "/v1/records" else None
    assert room.pull(out).exit_code == 0
    assert len(kept(out, "records")) == RECORDS - 1
    room.line.be_straight()
    assert room.pull(out).exit_code == 0
    assert everything(room, out)


@pytest.mark.parametrize(
    "body", [b"<html>Welcome to the hotel</html>", b"{}", b'{"records":[{"sha256":"../x"}],"next":null}']
)
def test_the_list_is_none(room: Room, out: Path, body: bytes) -> None:
    room.line.change = lambda _path, _body: body
    assert refused(room.pull(out), "pull-answer")


def test_the_list_has_a_gap(room: Room, out: Path) -> None:
    room.line.change = lambda path, body: body.replace(b'"sequence":2', b'"sequence":3') if "/records" in path else None
    assert refused(room.pull(out), "pull-list")


# --- what is typed


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("kiosk.local", "https://kiosk.local:8443"),
        ("192.168.4.1:9000", "https://192.168.4.1:9000"),
        ("[fe80::1]", "https://[fe80::1]:8443"),
    ],
)
def test_an_address_is_typed(typed: str, address: str) -> None:
    assert address_of(typed) == address


@pytest.mark.parametrize("typed", ["", "https://kiosk", "kiosk/v1", "me@kiosk", "kiosk:port", "kiosk:99999", "kiosk?x"])
def test_no_address_is_typed(typed: str) -> None:
    with pytest.raises(ValueError):
        address_of(typed)


def test_the_names_in_the_folder_are_those_of_the_bytes(room: Room, out: Path) -> None:
    assert room.pull(out).exit_code == 0
    for kind in ("records", "pictures"):
        for name, data in kept(out, kind).items():
            assert hashlib.sha256(data).hexdigest() == name.partition(".")[0]
