"""The signer's own journal: what was refused stays written down, whatever happens to power, disk and patience."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.errors import SignerRefused
from firmware.http import listen_unix
from firmware.signing import journal as module
from firmware.signing.journal import REPEAT_S, Journal
from firmware.signing.rate import MOST_A_DAY, MOST_A_MINUTE, check_rate
from firmware.signing.service import create_app
from firmware.signing.signer import Signer
from tests.power import completes
from tests.vectors import parts


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_707_939_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_lines_are_chained(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    journal.opened(0)
    for code in ("schema", "signer-mode"):
        journal.refused(code)
    lines, previous = path.read_bytes().splitlines(keepends=True), bytes(32)
    for number, line in enumerate(lines, 1):
        entry = json.loads(line)
        assert (entry["n"], entry["previous"]) == (number, previous.hex())
        previous = hashlib.sha256(line).digest()
    assert journal.head == Journal(path, clock).head == previous
    assert [entry["event"] for entry in entries(path)] == ["signer.opened", "signer.refused", "signer.refused"]
    assert path.stat().st_mode & 0o077 == 0


def test_the_station_asks_again_and_again(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    for _ in range(50):
        journal.refused("signer-already-sealed")
    assert len(entries(path)) == 1
    clock.now += REPEAT_S
    journal.refused("signer-already-sealed")
    assert [entry["times"] for entry in entries(path)] == [1, 50]


def test_the_clock_is_set_back(path: Path, clock: Clock) -> None:
    journal = Journal(path, clock)
    journal.refused("schema")
    clock.now -= 86_400
    journal.refused("schema")
    assert len(entries(path)) == 2


def test_a_caller_fills_the_journal(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINES", 5)
    journal = Journal(path, clock)
    for number in range(20):
        journal.refused(f"code-{number}")
    assert [entry["event"] for entry in entries(path)][3:] == ["signer.refused", "journal.full"]
    Journal(path, clock).refused("one-more")
    assert len(entries(path)) == 5


@pytest.mark.parametrize("change", ["drop", "swap", "edit", "junk", "list", "fork"])
def test_somebody_rewrites_the_journal(path: Path, clock: Clock, change: str) -> None:
    journal = Journal(path, clock)
    for code in ("a", "b", "c"):
        journal.refused(code)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "drop": [lines[0], lines[2]],
        "swap": [lines[1], lines[0], lines[2]],
        "edit": [lines[0].replace(b'"a"', b'"x"'), *lines[1:]],
        "junk": [b"?\n", *lines],
        "list": [b"[1]\n", *lines],
        "fork": [*lines, lines[2]],
    }
    path.write_bytes(b"".join(changed[change]))
    with pytest.raises(SignerRefused, match="journal-damaged"):
        Journal(path, clock)


def test_the_power_goes_while_a_line_is_written(path: Path, clock: Clock) -> None:
    Journal(path, clock).refused("a")
    whole = path.read_bytes()
    Journal(path, clock).refused("b")
    after = path.read_bytes()
    for cut in range(len(whole), len(after)):
        path.write_bytes(after[:cut])
        journal = Journal(path, clock)
        assert journal.head == hashlib.sha256(whole).digest()
        journal.refused("c")
        assert [entry["code"] for entry in entries(path)] == ["a", "c"]


def test_the_power_goes_at_any_step_of_a_line(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    step = 0

    def writing() -> Any:
        journal = Journal(tmp_path / str(step), clock)
        return lambda: journal.refused("a")

    while not completes(step, writing, monkeypatch):
        Journal(tmp_path / str(step), clock).refused("b")
        assert [entry["code"] for entry in entries(tmp_path / str(step))][-1] == "b"
        step += 1
    assert step >= 3


def test_the_disk_is_full_while_a_line_is_written(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path, clock)
    journal.refused("a")

    def full(*_arguments: object) -> None:
        path.write_bytes(path.read_bytes() + b'{"torn')
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.durable, "append", full)
        with pytest.raises(OSError, match="No space"):
            journal.refused("b")
    journal.refused("b")
    assert [(entry["code"], entry["times"]) for entry in entries(path)] == [("a", 1), ("b", 2)]


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    opened = Signer(tmp_path / "state", parts.DEVICE, parts.clock)
    yield opened
    opened.close()


def test_what_a_refusal_leaves_behind(signer: Signer, tmp_path: Path) -> None:
    client = create_app(signer, parts.DEVICE).test_client()
    assert client.post("/v1/seal", data=b"\xff").status_code == 422
    assert client.get("/v1/nothing").status_code == 404
    written = entries(tmp_path / "state" / "journal.jsonl")
    assert [entry.get("code") for entry in written] == [None, "cbor-unsupported", "signer-request"]


def test_a_stranger_connects(signer: Signer, tmp_path: Path) -> None:
    listener = listen_unix(tmp_path / "signer.sock", stranger=signer.stranger)
    listener.allowed = frozenset()
    with listener, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(tmp_path / "signer.sock"))
        with pytest.raises(ConnectionAbortedError):
            listener.accept()
        assert stranger.recv(1) == b""
    assert entries(tmp_path / "state" / "journal.jsonl")[-1]["code"] == "socket-stranger"


def test_a_refusal_cannot_be_written_down(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.durable, "append", full)
    assert create_app(signer, parts.DEVICE).test_client().post("/v1/seal", data=b"").status_code == 503


def test_a_station_goes_wild(signer: Signer) -> None:
    for number in range(MOST_A_MINUTE):
        signer.seal(parts.draft(tps=f"{int(parts.TPS) + number}"))
    with pytest.raises(SignerRefused, match="signer-too-often"):
        signer.seal(parts.draft(tps=f"{int(parts.TPS) + 99}"))
    assert signer.seal(parts.draft()).sequence == 1


def test_a_minute_and_a_day_go_by() -> None:
    check_rate([100] * (MOST_A_MINUTE - 1), 100)
    check_rate([100] * MOST_A_MINUTE, 160)
    spread = range(0, 86_400, 86_400 // MOST_A_DAY)
    assert len(spread) == MOST_A_DAY
    with pytest.raises(SignerRefused) as refusal:
        check_rate(spread, 86_399)
    assert refusal.value.details == {"most": MOST_A_DAY, "seconds": 86_400}
    check_rate(spread, 86_400)


def test_the_clock_was_years_ahead_and_is_set_right() -> None:
    check_rate([2_000_000_000] * MOST_A_DAY, 1_700_000_000)
