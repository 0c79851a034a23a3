"""A USB stick in the kiosk: full, write-protected, hostile, pulled out; and what the screen is told of it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.errors import VerificationRefused
from firmware.http import serve_unix_aside
from firmware.messages import LANGUAGES, sentence
from firmware.signing import archive
from firmware.signing.bundling import check
from firmware.signing.service import create_head_app
from firmware.uplink import stick_steps
from firmware.uplink.stick import StickState, put
from firmware.uplink.stick_notes import StickNote, forget_absent, notes_to_show, read_note, write_note
from firmware.uplink.system_disk import is_system_disk
from tests.sticks import EveningKiosk, make_kiosk

DEVICE = "sdz9"
"""No machine that tests run on has it."""
KILLS = 25


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> EveningKiosk:
    return make_kiosk(tmp_path_factory.mktemp("kiosk"), records=2, size=40_000)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "mounts" / DEVICE
    folder.mkdir(parents=True)
    return folder


def names(stick: Path) -> list[str]:
    return sorted(path.name for path in stick.iterdir())


# --- what is written


def test_a_bundle_is_written_and_holds(kiosk: EveningKiosk, stick: Path) -> None:
    told: list[int] = []
    parcel = kiosk.parcel()
    assert put(parcel, stick, told.append) is StickState.WRITTEN
    (name,) = names(stick)
    assert name.startswith("c1kiosk-3171010001002-dev-")
    assert name == f"{parcel.name}.tar"
    assert f"-{parcel.records:06d}-" in name
    assert (stick / name).stat().st_size == archive.bytes_of(parcel.entries)
    check(stick / name, kiosk.world.trust)
    assert told == sorted(told)
    assert told[-1] == 99


def test_the_same_stick_comes_again(kiosk: EveningKiosk, stick: Path) -> None:
    assert put(kiosk.parcel(), stick) is StickState.WRITTEN
    (path,) = stick.iterdir()
    before = path.stat()
    assert put(kiosk.parcel(), stick) is StickState.ALREADY
    (after,) = (found.stat() for found in stick.iterdir())
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_older_versions_stay(tmp_path: Path, stick: Path) -> None:
    kiosk = make_kiosk(tmp_path / "kiosk", records=1)
    assert put(kiosk.parcel(), stick) is StickState.WRITTEN
    kiosk.seal(2)
    assert put(kiosk.parcel(), stick) is StickState.WRITTEN
    older, newer = sorted(stick.iterdir())
    assert "-000001-" in older.name and "-000002-" in newer.name
    check(older, kiosk.world.trust)
    check(newer, kiosk.world.trust)


# --- sticks as they are there


def test_somebody_has_spoiled_the_bundle_on_the_stick(kiosk: EveningKiosk, stick: Path) -> None:
    parcel = kiosk.parcel()
    put(parcel, stick)
    spoiled = stick / f"{parcel.name}.tar"
    data = bytearray(spoiled.read_bytes())
    data[len(data) // 2] ^= 1
    spoiled.write_bytes(data)
    assert put(parcel, stick) is StickState.WRITTEN
    assert names(stick) == [f"{parcel.name}-2.tar", f"{parcel.name}.tar"]
    assert spoiled.read_bytes() == data
    check(stick / f"{parcel.name}-2.tar", kiosk.world.trust)


def test_what_bears_the_name_is_no_file(kiosk: EveningKiosk, stick: Path, tmp_path: Path) -> None:
    parcel = kiosk.parcel()
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (stick / f"{parcel.name}.tar").symlink_to(victim)
    (stick / f"{parcel.name}-2.tar").mkdir()
    os.mkfifo(stick / f"{parcel.name}-3.tar")
    (stick / f"{parcel.name}-4.tar").symlink_to(tmp_path / "nothing")
    assert put(parcel, stick) is StickState.WRITTEN
    check(stick / f"{parcel.name}-5.tar", kiosk.world.trust)
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "nothing").exists()


def test_every_spelling_of_the_name_is_taken(kiosk: EveningKiosk, stick: Path) -> None:
    parcel = kiosk.parcel()
    for ending in ("", *(f"-{number}" for number in range(2, 10))):
        (stick / f"{parcel.name}{ending}.tar").mkdir()
    assert put(parcel, stick) is StickState.BROKEN


def test_the_half_of_a_pulled_stick_is_a_link(kiosk: EveningKiosk, stick: Path, tmp_path: Path) -> None:
    parcel = kiosk.parcel()
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (stick / f"{parcel.name}.tar.part").symlink_to(victim)
    assert put(parcel, stick) is not StickState.ALREADY
    assert victim.read_bytes() == b"untouched"


def test_halves_are_swept_and_only_our_own(kiosk: EveningKiosk, stick: Path) -> None:
    parcel = kiosk.parcel()
    other = stick / "c1kiosk-3171010001001-dev-000001-aaaaaaaaaaaa.tar.part"
    for path in (stick / f"{parcel.owner}000001-aaaaaaaaaaaa.tar.part", other, stick / "skripsi.docx.part"):
        path.write_bytes(b"half")
    assert put(parcel, stick) is StickState.WRITTEN
    assert names(stick) == [other.name, f"{parcel.name}.tar", "skripsi.docx.part"]


def test_the_stick_is_full(kiosk: EveningKiosk, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = os.statvfs(stick)
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result((*room[:4], 3, *room[5:])))
    assert put(kiosk.parcel(), stick) is StickState.FULL
    assert names(stick) == []


def test_the_file_system_takes_no_file_so_large(kiosk: EveningKiosk, stick: Path) -> None:
    """As FAT at 4 GiB; here a limit of the process."""
    code = (
        "import resource, sys; from pathlib import Path; from firmware.uplink.stick import Parcel, put\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "import hashlib; data = bytes(100_000)\n"
        "parcel = Parcel('c1kiosk-x-', 1, {'journal.jsonl': (len(data), hashlib.sha256(data).hexdigest())},"
        " lambda name: data)\n"
        "print(put(parcel, Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(stick)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "too-large"
    assert names(stick) == []


def test_the_stick_gives_back_something_else(kiosk: EveningKiosk, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick that is smaller than it says, or worn out."""
    sync = os.fsync

    def spoil(descriptor: int) -> None:
        sync(descriptor)
        (part,) = stick.glob("*.part")
        with part.open("r+b") as file:
            file.seek(5_000)
            file.write(b"?")

    monkeypatch.setattr(os, "fsync", spoil)
    assert put(kiosk.parcel(), stick) is StickState.BROKEN
    assert names(stick) == []


def test_a_picture_in_the_ledger_is_another_one(kiosk: EveningKiosk, stick: Path) -> None:
    parcel = kiosk.parcel()
    picture = next(name for name in parcel.entries if name.startswith("pictures/"))
    spoiled = replace(parcel, member=lambda name: b"other" if name == picture else parcel.member(name))
    with pytest.raises(VerificationRefused, match="bundle-index"):
        put(spoiled, stick)
    assert names(stick) == []


def test_the_stick_is_pulled_out_at_any_moment(kiosk: EveningKiosk, stick: Path) -> None:
    """Killed at a random moment: what has a bundle's name is a whole bundle, and the next time it is all there."""
    parcel, moments, halves = kiosk.parcel(), random.Random(7), 0
    for _ in range(KILLS):
        for path in stick.glob("*.tar"):
            path.unlink()
        pid = os.fork()
        if pid == 0:
            put(parcel, stick)
            os._exit(0)
        time.sleep(moments.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for path in stick.glob("*.tar"):
            check(path, kiosk.world.trust)
        halves += any(stick.glob("*.part"))
    assert halves
    assert put(parcel, stick) in (StickState.WRITTEN, StickState.ALREADY)
    assert names(stick) == [f"{parcel.name}.tar"]


# --- the steps of the unit


def step(name: str, kiosk: EveningKiosk, *more: str, result: str = "success") -> int:
    arguments = [name, DEVICE, "--config", str(kiosk.toml), *more]
    return CliRunner().invoke(stick_steps.main, arguments, env={"SERVICE_RESULT": result}).exit_code


@pytest.fixture
def notes(kiosk: EveningKiosk) -> Iterator[Path]:
    folder = kiosk.config.run / "stick"
    yield folder
    for path in folder.iterdir():
        path.unlink()


def told(notes: Path) -> tuple[str, bool]:
    note = read_note(notes, DEVICE)
    assert note
    return note.state, note.loose


def test_a_stick_is_written_and_released(
    kiosk: EveningKiosk, stick: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stick_steps, "plugged", lambda _device: True)
    mounts = ("--mounts", str(stick.parent))
    assert step("write", kiosk, *mounts) == 0
    assert told(notes) == ("written", False)  # still mounted
    assert step("release", kiosk) == 0
    assert told(notes) == ("written", True)
    assert step("write", kiosk, *mounts) == 0
    assert step("release", kiosk) == 0
    assert told(notes) == ("already", True)
    assert len(names(stick)) == 1


def test_nothing_was_counted_yet(tmp_path: Path) -> None:
    kiosk = make_kiosk(tmp_path / "empty", records=0)
    kiosk.ledger.close()
    (tmp_path / DEVICE).mkdir()
    assert step("write", kiosk, "--mounts", str(tmp_path)) == 0
    assert told(kiosk.config.run / "stick") == ("empty", False)
    assert names(tmp_path / DEVICE) == []


def test_the_ledger_cannot_be_read(tmp_path: Path) -> None:
    kiosk = make_kiosk(tmp_path / "broken", records=1)
    shutil.rmtree(kiosk.folder / "state" / "ledger" / "pictures")
    (tmp_path / DEVICE).mkdir()
    assert step("write", kiosk, "--mounts", str(tmp_path)) == 1
    assert told(kiosk.config.run / "stick") == ("fault", False)
    assert names(tmp_path / DEVICE) == []


def test_the_stick_is_gone_before_anything_is_written(kiosk: EveningKiosk, tmp_path: Path, notes: Path) -> None:
    assert step("write", kiosk, "--mounts", str(tmp_path / "nowhere")) == 0
    assert told(notes) == ("pulled", False)


def test_our_own_disk_is_left_alone_without_a_word(kiosk: EveningKiosk, notes: Path) -> None:
    assert step("release", kiosk, result="exec-condition") == 0
    assert names(notes) == []


@pytest.mark.parametrize(
    ("note", "there", "expected"),
    [
        (None, True, StickState.UNREADABLE),
        (None, False, None),
        (StickNote(DEVICE, StickState.WRITTEN, True), True, StickState.UNREADABLE),
        (StickNote(DEVICE, StickState.WRITING, False, 40), False, StickState.PULLED),
        (StickNote(DEVICE, StickState.WRITING, False, 40), True, StickState.FAULT),
        (StickNote(DEVICE, StickState.FULL, False), True, StickState.FULL),
    ],
)
def test_what_is_told_at_the_end(note: StickNote | None, there: bool, expected: StickState | None) -> None:
    """A note of before belongs to another stick: this one could not be mounted."""
    found = stick_steps.outcome(DEVICE, note, there, 5.0)
    assert (found.state if found else None) is expected
    assert found is None or found.loose


def test_the_signer_tells_the_head_of_its_log(kiosk: EveningKiosk) -> None:
    serve_unix_aside(create_head_app(kiosk.world.signer), kiosk.config.head_socket)
    try:
        assert {"checkpoint.txt", "proofs/000002.tlog-proof"} <= set(kiosk.parcel().entries)
        assert kiosk.parcel().name == kiosk.parcel().name
    finally:
        kiosk.config.head_socket.unlink()
    assert "checkpoint.txt" not in kiosk.parcel().entries


def test_the_kiosk_runs_from_a_usb_disk(tmp_path: Path) -> None:
    usb, card = tmp_path / "devices" / "usb" / "sda", tmp_path / "devices" / "card" / "mmcblk0"
    for disk, part in ((usb, "sda1"), (usb, "sda2"), (card, "mmcblk0p2")):
        (disk / part).mkdir(parents=True)
        (disk / part / "partition").write_text("1\n")
    mapped = tmp_path / "devices" / "dm-0" / "slaves"
    mapped.mkdir(parents=True)
    (mapped / "sda2").symlink_to(usb / "sda2")
    for folder, links in (
        ("class/block", {"sda1": usb / "sda1", "mmcblk0p2": card / "mmcblk0p2", "sda": usb}),
        ("dev/block", {"253:0": mapped.parent, "8:1": usb / "sda1"}),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for name, target in links.items():
            (tmp_path / folder / name).symlink_to(target)
    mounts = tmp_path / "mountinfo"
    mounts.write_text("36 35 253:0 / / rw,noatime shared:1 - ext4 /dev/mapper/root rw\n")
    found = {name: is_system_disk(name, tmp_path, mounts) for name in ("sda", "sda1", "mmcblk0p2", "sdq1")}
    assert found == {"sda": True, "sda1": True, "mmcblk0p2": False, "sdq1": False}


def test_the_unit_asks_about_a_disk_that_is_none() -> None:
    command = [sys.executable, "-m", "firmware.uplink.system_disk", DEVICE]
    assert subprocess.run(command, check=False).returncode == 0


# --- the screen


def test_a_note_is_shown_while_the_stick_is_there(tmp_path: Path) -> None:
    write_note(tmp_path, StickNote("sda1", StickState.WRITTEN, True, at=100.0))
    write_note(tmp_path, StickNote("sdb1", StickState.PULLED, True, at=100.0))

    def shown(*there: str, now: float) -> list[str]:
        return [note.device for note in notes_to_show(tmp_path, lambda device: device in there, lambda: now)]

    assert shown("sda1", now=9_000.0) == ["sda1"]
    assert shown(now=200.0) == ["sdb1"]
    assert shown(now=9_000.0) == []
    forget_absent(tmp_path, lambda device: device == "sda1")
    assert names(tmp_path) == ["sda1.json"]


def test_a_note_is_no_note(tmp_path: Path) -> None:
    write_note(tmp_path, StickNote("sda1", StickState.FULL, True))
    (tmp_path / "sdb1.json").write_text('{"device": "sda1", "state": "full", "loose": true}')
    (tmp_path / "sdc1.json").write_text("{")
    (tmp_path / "sdd1.json").mkdir()
    (tmp_path / "sde1.json").write_text('{"device": "sde1", "state": "sold", "loose": true}')
    os.mkfifo(tmp_path / "sdf1.json")
    (tmp_path / "sdg1.json").symlink_to(tmp_path / "sda1.json")
    assert read_note(tmp_path, "sdg1") is None
    assert [note.device for note in notes_to_show(tmp_path, lambda _device: True)] == ["sda1"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", StickState)
def test_a_state_has_no_sentence(state: StickState, language: str) -> None:
    assert sentence(f"stick.{state}", language, percent=3, records=2)
