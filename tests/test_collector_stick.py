"""Bundles on sticks, imported by a collector: brought twice, half, spoiled, hostile, and killed on the way."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import random
import signal
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from collector import stick_files
from collector.bundles import Imported, Importer
from collector.pictures import PictureFolder
from collector.receiving import Arrival
from collector.refusals import Refusals
from collector.stick import main
from collector.stick_files import shown
from collector.store import RecordStore
from collector.submission import submission_of
from collector.uploads import Uploads
from firmware.signing import archive
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.trust import TrustRoots, write_trust
from firmware.uplink.stick import StickState, put
from tests import sealing
from tests.sticks import EveningKiosk, make_kiosk, pictures_of

RECORDS, PAGES = 3, len(sealing.LAYOUT.pages)
SIZE = 60_000
KILLS = 20


@dataclass(frozen=True)
class Office:
    """A collector's folder, and what is in it."""

    folder: Path
    trust_folder: Path

    @property
    def store(self) -> RecordStore:
        return RecordStore.open(self.folder)

    def importer(self, store: RecordStore) -> Importer:
        world = sealing.open_collector_key(self.folder / "key", sealing.COLLECTOR)
        uploads = Uploads(store, PictureFolder(self.folder / "pictures"))
        return Importer(store, uploads, TrustRoots.load(self.trust_folder), world, lambda: 1_866_009_000.0)

    def take(self, path: Path) -> Imported:
        store = self.store
        try:
            return self.importer(store).take(path)
        finally:
            store.close()

    def counts(self) -> tuple[int, int]:
        """Records and pictures."""
        store = self.store
        counts = store.counts()
        store.close()
        return counts["records"], counts["pictures"]

    def command(self, *arguments: str) -> tuple[int, str]:
        options = ["--data", str(self.folder), "--trust", str(self.trust_folder), "--name", sealing.COLLECTOR]
        done = CliRunner().invoke(main, [*options, *arguments])
        return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> EveningKiosk:
    return make_kiosk(tmp_path_factory.mktemp("kiosk"), RECORDS, SIZE)


@pytest.fixture(scope="module")
def bundle(kiosk: EveningKiosk, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("made")
    assert put(kiosk.parcel(), folder) is StickState.WRITTEN
    (path,) = folder.iterdir()
    return path.read_bytes()


@pytest.fixture
def stick(tmp_path: Path, bundle: bytes) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "bundle.tar").write_bytes(bundle)
    return folder


@pytest.fixture
def office(memory: Path, kiosk: EveningKiosk) -> Office:
    return Office(memory / "collector", kiosk.world.trust_folder)


def codes(done: Imported) -> list[str]:
    return [refusal.code for refusal in done.refused]


# --- what comes, once


def test_a_bundle_comes_twice(office: Office, stick: Path) -> None:
    first = office.take(stick / "bundle.tar")
    assert (first.new, first.here, first.pictures, first.missing, first.refused) == (3, 0, 3 * PAGES, 0, [])
    again = office.take(stick / "bundle.tar")
    assert (again.new, again.here, again.pictures, again.missing, again.refused) == (0, 3, 0, 0, [])
    assert office.counts() == (3, 3 * PAGES)


def test_the_kiosk_has_sent_a_part_already(office: Office, stick: Path, kiosk: EveningKiosk) -> None:
    """One record with a picture and a half."""
    store = office.store
    record = kiosk.ledger.records()[0].sealed
    sent = submission_of(record.sha256.hex(), record.cose, kiosk.world.trust)
    word = acknowledge(record.sha256, 5, kiosk.world.collector_key)
    store.receive(Arrival(sent, word, 5))
    uploads = Uploads(store, PictureFolder(office.folder / "pictures"))
    (first, whole), (second, half), *_ = pictures_of(1, SIZE).items()
    for name, data in ((first, whole), (second, half[: SIZE // 2])):
        picture = bytes.fromhex(name)
        uploads.announce(picture, record.sha256, SIZE, 5)
        uploads.add(picture, 0, data, bytes.fromhex(sealing.sha256_hex(data)), 5)
    done = office.take(stick / "bundle.tar")
    assert (done.new, done.here, done.pictures, done.missing, done.refused) == (2, 1, 3 * PAGES - 1, 0, [])
    assert store.acknowledgement(record.sha256) == word
    for name, data in pictures_of(1, SIZE).items():
        assert PictureFolder(office.folder / "pictures").read(bytes.fromhex(name)) == data
    store.close()


def test_bundles_of_two_kiosks_and_of_a_stranger(tmp_path: Path, stick: Path, kiosk: EveningKiosk) -> None:
    """The trust folder decides; who carries them does not matter."""
    other, stranger = (make_kiosk(tmp_path / name, 1) for name in ("other", "stranger"))
    write_trust(
        tmp_path / "trust",
        election=sealing.ELECTION,
        layouts=[sealing.LAYOUT],
        authorities=[each.world.device_key.authority for each in (kiosk, other)],
        devices=[each.world.device_key.certificate for each in (kiosk, other)],
        collectors=[],
    )
    office = Office(tmp_path / "collector", tmp_path / "trust")
    assert put(other.parcel(), stick) is StickState.WRITTEN
    assert put(stranger.parcel(), stick) is StickState.WRITTEN
    status, out = office.command("--json", str(stick))
    assert status == 1
    result = json.loads(out)
    assert result["total"] == {"new": 4, "here": 0, "pictures": 4 * PAGES, "missing": 0, "files": 3, "refused": 1}
    assert [each["code"] for row in result["files"] for each in row["refused"]] == ["device-unknown"]
    assert office.counts() == (4, 4 * PAGES)


def test_a_record_of_another_history(office: Office, stick: Path, kiosk: EveningKiosk, tmp_path: Path) -> None:
    """The key was copied: its second record number 1 is evidence of a fork; the others come."""
    forged = kiosk.world.forge(kiosk.ledger.records()[0].sealed, software="another")
    sent = submission_of(forged.sha256.hex(), forged.cose, kiosk.world.trust)
    store = office.store
    store.receive(Arrival(sent, b"word", 5))
    done = office.take(stick / "bundle.tar")
    assert codes(done) == ["collector-fork", "collector-fork"]
    assert done.new == 1
    assert len(store.forks()) == 2
    store.close()


# --- what is no bundle


def spoiled(spoil: Callable[[bytes], bytes]) -> Any:
    return pytest.param(spoil, id=spoil.__name__)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def without_its_last_byte(data: bytes) -> bytes:
    return data[:-1]


def with_a_flipped_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def with_something_behind(data: bytes) -> bytes:
    return data + bytes(512)


def compressed(data: bytes) -> bytes:
    return gzip.compress(data, 1)


def a_bomb(_data: bytes) -> bytes:
    return gzip.compress(bytes(50_000_000), 9)


def empty(_data: bytes) -> bytes:
    return b""


def _tar(name: str, kind: bytes, target: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for entry in (tarfile.TarInfo("index.json"), tarfile.TarInfo(name)):
            entry.type, entry.linkname = (kind, target) if entry.name == name else (tarfile.REGTYPE, "")
            made.addfile(entry)
    return file.getvalue()


def a_traversal(_data: bytes) -> bytes:
    return _tar("../../etc/cron.d/x", tarfile.REGTYPE)


def an_absolute_name(_data: bytes) -> bytes:
    return _tar("/etc/passwd", tarfile.REGTYPE)


def a_link(_data: bytes) -> bytes:
    return _tar("records/000001.cose", tarfile.SYMTYPE, "/etc/passwd")


def a_device(_data: bytes) -> bytes:
    return _tar("records/000001.cose", tarfile.BLKTYPE)


def another_picture_under_the_name(_data: bytes) -> bytes:
    file = io.BytesIO()
    archive.write(file, {f"pictures/{'0' * 64}.jpg": b"not that one"})
    return file.getvalue()


HOSTILE = [
    truncated,
    without_its_last_byte,
    with_a_flipped_bit,
    with_something_behind,
    compressed,
    a_bomb,
    empty,
    a_traversal,
    an_absolute_name,
    a_link,
    a_device,
    another_picture_under_the_name,
]


@pytest.mark.parametrize("spoil", [spoiled(each) for each in HOSTILE])
def test_a_hostile_file(office: Office, stick: Path, bundle: bytes, spoil: Callable[[bytes], bytes]) -> None:
    """It is refused with a code and changes nothing; the good one beside it comes."""
    (stick / "a.tar").write_bytes(spoil(bundle))
    done = office.take(stick / "a.tar")
    assert len(codes(done)) == 1 and codes(done)[0].startswith("bundle-")
    assert office.counts() == (0, 0)
    status, out = office.command("--json", str(stick))
    assert (status, json.loads(out)["total"]["new"]) == (1, 3)
    assert office.counts() == (3, 3 * PAGES)


def test_half_a_bundle_comes_whole_later(office: Office, stick: Path, bundle: bytes) -> None:
    for cut in range(0, len(bundle), len(bundle) // 9):
        (stick / "bundle.tar").write_bytes(bundle[:cut])
        assert codes(office.take(stick / "bundle.tar"))[0].startswith("bundle-")
    assert office.counts() == (0, 0)
    (stick / "bundle.tar").write_bytes(bundle)
    assert office.take(stick / "bundle.tar").new == RECORDS


def test_what_is_there_is_no_file(office: Office, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.tar").write_bytes((stick / "bundle.tar").read_bytes())
    (stick / "link.tar").symlink_to(tmp_path / "elsewhere.tar")
    (stick / "away").symlink_to(tmp_path)
    (stick / "nowhere.tar").symlink_to(tmp_path / "nothing")
    os.mkfifo(stick / "pipe.tar")
    (stick / "folder.tar").mkdir()
    with (stick / "huge.tar").open("wb") as file:
        file.truncate(2**41)
    status, out = office.command("--json", str(stick), "/dev/zero")
    assert status == 1
    rows = {Path(row["file"]).name: [each["code"] for each in row["refused"]] for row in json.loads(out)["files"]}
    assert rows == {
        "bundle.tar": [],
        "huge.tar": ["stick-too-large"],
        "link.tar": ["stick-no-file"],
        "nowhere.tar": ["stick-no-file"],
        "pipe.tar": ["stick-no-file"],
        "zero": ["stick-no-file"],
    }


def test_names_that_do_things_to_a_terminal(office: Office, stick: Path) -> None:
    (stick / "bundle.tar").rename(stick / os.fsdecode(b"\x1b]0;x\x07\xff\xe2\x80\xaenotarat.TAR"))
    status, out = office.command(str(stick))
    assert status == 0
    assert "\\x1b]0;x\\x07\\udcff\\u202enotarat.TAR" in out
    assert out.isascii() or all(each.isprintable() or each == "\n" for each in out)
    assert len(shown(Path("x" * 9_999))) == stick_files.SHOWN_CHARACTERS


def test_an_index_that_does_things_to_a_terminal(office: Office, stick: Path) -> None:
    promised = {"version": 1, "members": {"\x1b]0;x\x07\u202e": {"bytes": 1, "sha256": ""}}}
    entry = archive.entry(archive.INDEX, json.dumps(promised).encode())
    (stick / "a.tar").write_bytes(entry + bytes(1024))
    status, out = office.command(str(stick))
    assert status == 1 and "bundle-index" in out
    assert all(each.isprintable() or each == "\n" for each in out)


def test_one_folder_gives_errors(office: Office, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the stick is taken: it is the stick that fails, not the collector."""
    (stick / "torn").mkdir()
    real = os.scandir

    class Torn:
        name = "sector"

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def scandir(path: Any = ".") -> Any:
        return contextlib.nullcontext(iter([Torn()])) if path == stick / "torn" else real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    status, out = office.command("--json", str(stick))
    assert status == 1
    result = json.loads(out)
    assert result["stopped"] is None and result["total"]["new"] == RECORDS
    assert [each["code"] for row in result["files"] for each in row["refused"]] == ["stick-unreadable"]


def test_folders_without_end(office: Office, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = stick
    for _ in range(40):
        deep = deep / "folder"
        deep.mkdir()
    (deep / "hidden.tar").write_bytes(b"x")
    monkeypatch.setattr(stick_files, "MOST_ENTRIES", 30)
    for number in range(40):
        (stick / f"z{number}.txt").touch()
    status, out = office.command("--json", str(stick))
    assert status == 1
    found = [each["code"] for row in json.loads(out)["files"] for each in row["refused"]]
    assert "stick-too-many" in found
    monkeypatch.undo()
    status, out = office.command("--json", str(stick))
    assert [each["code"] for row in json.loads(out)["files"] for each in row["refused"]] == ["stick-too-deep"]


def test_the_operator_sees_what_was_refused(office: Office, stick: Path) -> None:
    (stick / "half.tar").write_bytes((stick / "bundle.tar").read_bytes()[:3_000])
    office.command(str(stick))
    store = office.store
    (row,) = Refusals(store.engine).all()
    assert (row.code, row.source, row.count) == ("bundle-form", "stick", 1)
    store.close()


def test_the_collectors_own_disk_fails(office: Office, stick: Path) -> None:
    office.store.close()
    (office.folder / "incoming").write_bytes(b"in the way")
    status, out = office.command("--json", str(stick))
    assert status == 1
    assert "incoming" in json.loads(out)["stopped"]
    (office.folder / "incoming").unlink()
    assert office.command(str(stick))[0] == 0
    assert office.counts() == (3, 3 * PAGES)


# --- killed


def test_the_import_is_killed_at_any_moment(office: Office, stick: Path) -> None:
    """However often: nothing is lost or doubled, and in the end all of it is there."""
    office.counts()
    moments = random.Random(11)
    for _ in range(KILLS):
        pid = os.fork()
        if pid == 0:
            done = office.take(stick / "bundle.tar")
            os._exit(bool(done.refused))
        time.sleep(moments.uniform(0, 0.15))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        records, pictures = office.counts()
        assert records <= RECORDS and pictures <= RECORDS * PAGES
    done = office.take(stick / "bundle.tar")
    assert (done.new + done.here, done.missing, done.refused) == (RECORDS, 0, [])
    assert office.counts() == (RECORDS, RECORDS * PAGES)
    kept = PictureFolder(office.folder / "pictures")
    for number in range(1, RECORDS + 1):
        assert all(kept.read(bytes.fromhex(name)) == data for name, data in pictures_of(number, SIZE).items())
