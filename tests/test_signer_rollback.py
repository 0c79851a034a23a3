"""An old copy of the signer's memory, or of the ledger, is put back; power cuts that must not look like that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware.errors import Refused, SignerRefused
from firmware.signing import merkle
from firmware.signing.chain import NEXT
from firmware.signing.head import compare
from firmware.signing.signer import Signer
from tests.power import completes
from tests.vectors import parts


class OutsideCounter:
    """A counter that stands outside of the signer's folder, as a TPM's does: each step is one byte longer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gone = False
        """Set: the TPM does not answer."""
        self.stuck = False
        """Set: it answers, but does not count."""
        path.touch()

    def value(self) -> int:
        self._reach()
        return self.path.stat().st_size

    def advance(self) -> None:
        self._reach()
        if self.stuck:
            raise SignerRefused("key-tpm", problem="stuck")
        with self.path.open("ab") as file:
            file.write(b".")

    def _reach(self) -> None:
        if self.gone:
            raise SignerRefused("key-tpm", problem="no answer")


class Room:
    """A signer's folder and a counter beside it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.state, self.counter = folder / "state", OutsideCounter(folder / "counter")
        self.signer: Signer | None = None

    def open(self) -> Signer:
        self.close()
        self.signer = Signer(self.state, parts.DEVICE, parts.clock, self.counter)
        return self.signer

    def close(self) -> None:
        if self.signer:
            self.signer.close()
        self.signer = None

    def chain(self) -> list[str]:
        return sorted(path.name for path in (self.state / "chain").iterdir())


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path / "room")
    yield made
    made.close()


def tps(number: int) -> str:
    return f"{int(parts.TPS) + number}"


def seal(signer: Signer, *numbers: int) -> list[bytes]:
    return [signer.seal(parts.draft(tps=tps(number))).sha256 for number in numbers]


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        call()
    assert refusal.value.code == code


def test_each_record_is_counted(room: Room) -> None:
    signer = room.open()
    seal(signer, 0, 1, 2, 1)
    assert room.counter.value() == 3
    assert seal(room.open(), 0, 3)
    assert room.counter.value() == 4
    assert len(room.chain()) == 4


def test_an_old_copy_of_the_memory_is_put_back(room: Room, tmp_path: Path) -> None:
    seal(room.open(), 0)
    shutil.copytree(room.state, tmp_path / "copy")
    seal(room.open(), 1)
    room.close()
    shutil.rmtree(room.state)
    shutil.copytree(tmp_path / "copy", room.state)
    refused("signer-rolled-back", room.open)
    assert '"code":"signer-rolled-back"' in (room.state / "journal.jsonl").read_text()


def test_the_memory_is_emptied(room: Room) -> None:
    seal(room.open(), 0)
    room.close()
    shutil.rmtree(room.state)
    refused("signer-rolled-back", room.open)


def test_a_memory_from_before_a_cut_is_put_back(room: Room, tmp_path: Path) -> None:
    """The copy holds a record that is signed and not yet counted: it can be finished to that record only."""
    seal(room.open(), 0)
    room.counter.stuck = True
    refused("key-tpm", lambda: seal(room.signer or room.open(), 1))
    assert NEXT in room.chain()
    shutil.copytree(room.state, tmp_path / "copy")
    room.counter.stuck = False
    (first,) = seal(room.open(), 1)
    room.close()
    shutil.rmtree(room.state)
    shutil.copytree(tmp_path / "copy", room.state)
    assert seal(room.open(), 1) == [first]
    seal(room.open(), 2)
    room.close()
    shutil.rmtree(room.state)
    shutil.copytree(tmp_path / "copy", room.state)
    refused("signer-rolled-back", room.open)


def test_the_counter_is_of_another_device(room: Room) -> None:
    seal(room.open(), 0)
    room.counter.path.write_bytes(b"")
    refused("signer-rolled-back", room.open)


def test_a_second_signer_uses_the_key_meanwhile(room: Room) -> None:
    """With another memory, beside ours: what it signs is counted too."""
    signer = room.open()
    seal(signer, 0)
    room.counter.advance()
    refused("signer-rolled-back", lambda: seal(signer, 1))
    assert room.chain() == ["000001.cbor"]
    refused("signer-rolled-back", room.open)


def test_the_tpm_goes_away_during_a_seal(room: Room) -> None:
    signer = room.open()
    seal(signer, 0)
    room.counter.gone = True
    for _ in range(2):
        refused("key-tpm", lambda: seal(signer, 1))
        assert seal(signer, 0) == [signer.head().last]
    room.counter.gone = False
    seal(signer, 1)
    assert (room.counter.value(), len(room.chain())) == (2, 2)


def test_the_power_goes_at_any_step_of_a_counted_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[Room] = []

    def sealing() -> Callable[[], object]:
        signer = rooms[-1].open()
        return lambda: seal(signer, 0)

    done = False
    while not done:
        rooms.append(Room(tmp_path / str(len(rooms))))
        done = completes(len(rooms) - 1, sealing, monkeypatch)
    assert len(rooms) > 8
    for entry in rooms:
        assert_counted(entry)


def assert_counted(room: Room) -> None:
    """Whenever the power went: the draft is answered, once, and counted, once; so is the next."""
    signer = room.open()
    assert signer.head().size == room.counter.value() <= 1
    first, _second = seal(signer, 0, 1)
    assert seal(signer, 0) == [first]
    assert room.counter.value() == 2
    room.close()
    assert room.chain() == ["000001.cbor", "000002.cbor"]


def test_a_record_that_was_signed_before_the_cut_is_the_record(room: Room) -> None:
    room.open()
    room.counter.stuck = True
    refused("key-tpm", lambda: seal(room.signer or room.open(), 0))
    signed = (room.state / "chain" / NEXT).read_bytes()
    room.counter.stuck = False
    room.open()
    assert (room.state / "chain" / "000001.cbor").read_bytes() == signed


@pytest.mark.parametrize("content", [b"", b"\xa0", None])
def test_the_record_of_a_cut_is_damaged(room: Room, content: bytes | None) -> None:
    seal(room.open(), 0)
    room.close()
    path = room.state / "chain" / NEXT
    path.write_bytes((room.state / "chain" / "000001.cbor").read_bytes() if content is None else content)
    refused("chain-damaged", room.open)


def test_the_ledger_and_the_signer_remember_the_same(room: Room) -> None:
    signer = room.open()
    compare(signer.head(), [])
    ledger = seal(signer, 0, 1, 2)
    compare(signer.head(), ledger)
    compare(signer.head(), ledger[:2])
    assert signer.head().root == merkle.root(ledger)
    assert signer.head().last == ledger[-1]


def test_the_ledger_remembers_what_the_signer_has_forgotten(room: Room) -> None:
    signer = room.open()
    ledger = seal(signer, 0, 1, 2)
    refused("signer-behind", lambda: compare(signer.head(), [*ledger, bytes(32)]))
    refused("ledger-behind", lambda: compare(signer.head(), ledger[:1]))
    refused("signer-forked", lambda: compare(signer.head(), [*ledger[:2], bytes(32)]))
    refused("signer-forked", lambda: compare(signer.head(), [ledger[0], bytes(32)]))
