"""The demo, as a newcomer starts it: real processes, real paper, real printer bytes, walked to the end and verified."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware.records import Mode
from firmware.signing.cose import parse
from firmware.signing.encoding import decode
from tests.simulators.room import ROOT, NotStarted, Room

PATIENCE_SECONDS = 240
"""Before a hanging demo is given up, on the slowest machine that runs tests."""

PROCESSES = {"signer", "collector", "station", "uplink", "endpoint"}


def test_the_demo_walks_the_whole_way_and_its_evidence_verifies_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    demo = c1kiosk("demo", "--auto", "--out", str(out))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "0 silent errors" in demo.stdout
    files = [str(out / name) for name in ("record.cose", "receipt.txt", "receipt.png", "ack.cose")]
    verify = c1kiosk("verify", "--trust", str(out / "trust"), *files)
    assert verify.returncode == 0, verify.stdout


@pytest.mark.system
def test_a_whole_day_of_training_proves_itself_as_training(tmp_path: Path) -> None:
    out = tmp_path / "out"
    demo = c1kiosk("demo", "--auto", "--training", "--out", str(out))
    assert demo.returncode == 0, demo.stdout + demo.stderr
    verify = c1kiosk("verify", "--trust", str(out / "trust"), str(out / "record.cose"))
    assert verify.returncode == 0, verify.stdout
    assert "training" in verify.stdout
    payload = decode(parse((out / "record.cose").read_bytes()).payload)
    assert payload["mode"] == Mode.TRAINING


def test_the_demo_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C is an exception in the demo: leaving the room must leave no process behind."""
    room = Room(tmp_path, "c.hasil-ppwp-2024", [("sheet.jpg", b"not looked at")], {})
    with pytest.raises(KeyboardInterrupt), room:
        assert {name for name, child in room.children.items() if child.poll() is None} == PROCESSES
        raise KeyboardInterrupt
    assert all(child.poll() is not None for child in room.children.values())


def test_the_process_that_holds_the_key_has_no_picture_decoder_in_it(tmp_path: Path) -> None:
    with Room(tmp_path, "c.hasil-ppwp-2024", [("sheet.jpg", b"not looked at")], {}) as room:
        loaded = {name: Path(f"/proc/{child.pid}/maps").read_text() for name, child in room.children.items()}
    assert "onnxruntime" in loaded["station"]
    for name in ("signer", "endpoint", "uplink"):
        assert "cv2" not in loaded[name], name
        assert "onnxruntime" not in loaded[name], name


def test_a_process_of_the_demo_does_not_start(tmp_path: Path) -> None:
    room = Room(tmp_path, "c.hasil-ppwp-2024", [("sheet.jpg", b"not looked at")], {})
    (tmp_path / "state").write_text("a file where a folder has to be", encoding="utf-8")
    with pytest.raises(NotStarted, match="signer"), room:
        pass
    assert all(child.poll() is not None for child in room.children.values())


def c1kiosk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firmware", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
