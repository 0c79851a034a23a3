"""A service that no longer does its work, and systemd that would not hear of it."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from firmware import alive, delays
from firmware.config import load_config
from firmware.errors import SignerRefused
from firmware.heartbeat import beat_seconds, beating
from firmware.http import listen_unix
from firmware.panel.service import create_app
from firmware.station import Station
from tests.kiosk_files import write_kiosk
from tests.kiosks import Room, press

SOON = 20.0
"""Seconds within which something is heard that happens at once; a busy machine may take a while."""
PATIENCE_USEC = 600_000
"""Of the systemd that these tests play: a self-check every 0.2 s."""


class Ears:
    """The socket that systemd listens at."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.address = str(path)

    def hear(self, seconds: float = SOON) -> str | None:
        """The next word, None when nothing is said."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(1024).decode()
        except TimeoutError:
            return None

    def forget(self) -> None:
        """Everything that was said so far."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(1024):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def ears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ears]:
    ears = Ears(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", ears.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(PATIENCE_USEC))
    yield ears
    ears.close()


def test_a_service_is_ready_before_it_has_answered(ears: Ears) -> None:
    up = threading.Event()

    def answered() -> None:
        if not up.is_set():
            raise ConnectionRefusedError

    with beating(answered):
        assert ears.hear(1.0) is None
        up.set()
        assert [ears.hear(), ears.hear()] == ["READY=1", "WATCHDOG=1"]


def test_a_service_that_no_longer_answers_is_told_alive(ears: Ears) -> None:
    hung = threading.Event()

    def answered() -> None:
        if hung.is_set():
            raise TimeoutError

    with beating(answered):
        assert ears.hear() == "READY=1"
        hung.set()
        time.sleep(2 * beat_seconds())
        ears.forget()
        assert ears.hear(4 * beat_seconds()) is None


def test_nobody_is_told_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    asked: queue.Queue[int] = queue.Queue()
    with beating(lambda: asked.put(1)), pytest.raises(queue.Empty):
        asked.get(timeout=0.5)


@pytest.fixture
def signer(ears: Ears, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    config = write_kiosk(tmp_path, {"driver": "development-file"})
    command = [sys.executable, "-m", "firmware", "run", "signer", "--config", str(config)]
    with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE) as running:
        yield running
        running.kill()


def test_a_signer_that_is_stopped_keeps_the_watchdog_quiet(signer: subprocess.Popen[bytes], ears: Ears) -> None:
    assert [ears.hear(), ears.hear(), ears.hear()] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    signer.send_signal(signal.SIGSTOP)
    time.sleep(2 * beat_seconds())
    ears.forget()
    assert ears.hear(4 * beat_seconds()) is None
    signer.send_signal(signal.SIGCONT)
    assert ears.hear() == "WATCHDOG=1"


def test_a_hang_leaves_no_trace_of_where_it_hung(signer: subprocess.Popen[bytes], ears: Ears) -> None:
    """systemd ends it with SIGABRT."""
    assert ears.hear() == "READY=1"
    signer.send_signal(signal.SIGABRT)
    _, said = signer.communicate(timeout=SOON)
    assert b"Fatal Python error: Aborted" in said
    assert b"heartbeat.py" in said


def test_a_signer_that_accepts_and_never_answers_counts_as_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alive, "PATIENCE_SECONDS", 0.2)
    config = load_config(write_kiosk(tmp_path, {"driver": "development-file"}))
    listener = listen_unix(config.signer_socket)
    with pytest.raises(SignerRefused, match="signer-unreachable"):
        alive.SELF_CHECKS["signer"](config)
    listener.close()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def station(room: Room) -> Station:
    return room.switch_on()


@pytest.fixture
def socket_of(station: Station) -> FlaskClient:
    return create_app(station).test_client()


def test_a_station_that_works_is_ended(station: Station, socket_of: FlaskClient) -> None:
    press(station)
    assert socket_of.get("/alive").status_code == 204


def test_a_station_whose_commands_wait_for_ever_counts_as_alive(
    station: Station, socket_of: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delays, "TURN", 0.05)
    with station._lock:
        assert socket_of.get("/alive").status_code == 503
    assert socket_of.get("/alive").status_code == 204


def test_work_that_never_ends_counts_as_work(
    room: Room, station: Station, socket_of: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.later = []
    press(station)
    assert socket_of.get("/alive").status_code == 204
    monkeypatch.setattr(delays, "LONGEST_WORK", 0.0)
    assert socket_of.get("/alive").status_code == 503
    room.later.pop()()
    assert socket_of.get("/alive").status_code == 204


def test_nobody_looks_under_the_camera_any_more(tmp_path: Path) -> None:
    now = [0.0]
    station = Room(tmp_path, clock=lambda: now[0]).switch_on()
    now[0] = delays.LONGEST_LOOK + 1
    assert not station.alive()
    station.watch()
    assert station.alive()
