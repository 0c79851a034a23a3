"""The signer as a process of its own: killed, restarted, asked nonsense over its socket."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.errors import SignerRefused
from firmware.http import unix_client
from firmware.signing.client import SignerClient
from firmware.signing.encoding import decode
from firmware.signing.keys import Protection
from tests.vectors import parts

STARTS_WITHIN_S = 20.0
TRIES = 2


class Process:
    """A signer process, its folder, and a client."""

    def __init__(self, folder: Path) -> None:
        self.state, self.socket = folder / "state", folder / "run" / "signer.sock"
        self.client = SignerClient(self.socket)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "firmware.signing.service", "--state", str(self.state)]
        self.running = subprocess.Popen([*command, "--socket", str(self.socket)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                self.client.device()
            except SignerRefused:
                assert self.running.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        self.running.kill()
        self.running.wait()

    def post(self, body: bytes) -> tuple[int, str]:
        with unix_client(self.socket, 5.0) as client:
            response = client.post("/v1/seal", content=body)
        return response.status_code, decode(response.content)["code"]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    started = Process(tmp_path_factory.mktemp("signer"))
    yield started
    started.kill()


def test_the_signer_is_killed_between_two_asks(process: Process) -> None:
    first = process.client.seal(parts.draft())
    for _ in range(TRIES):
        process.kill()
        with pytest.raises(SignerRefused, match="signer-unreachable"):
            process.client.seal(parts.draft())
        process.start()
        assert process.client.seal(parts.draft()) == first
    device = process.client.device()
    assert device.protection is Protection.PLAIN_FILE
    assert (process.state / "key" / "key.pem").stat().st_mode & 0o077 == 0
    assert process.state.stat().st_mode & 0o077 == 0


def test_the_signer_is_asked_nonsense(process: Process) -> None:
    with pytest.raises(SignerRefused, match="signer-mode"):
        process.client.seal(parts.draft(mode="real"))
    with pytest.raises(SignerRefused) as refusal:
        process.client.seal(parts.draft(fields=[parts.draft()["fields"][0] | {"page": 3}]))
    assert (refusal.value.code, refusal.value.details) == (
        "schema-field-without-picture",
        {"field": "pengguna_total_j"},
    )
    assert process.post(b"") == (422, "cbor-truncated")
    assert process.post(b"\x01") == (422, "schema")
    assert process.post(b"{}") == (422, "cbor-truncated")
    with unix_client(process.socket, 5.0) as client:
        assert client.get("/v1/key").status_code == 404
        assert client.get("/v1/seal").status_code == 405
        assert client.post("/v1/seal", content=bytes(2 * 1024 * 1024)).status_code == 413
    assert process.client.seal(parts.draft()).sequence == 1


def test_a_second_signer_is_started(process: Process) -> None:
    command = [sys.executable, "-m", "firmware.signing.service", "--state", str(process.state)]
    second = subprocess.run([*command, "--socket", str(process.socket) + "2"], capture_output=True, check=False)
    assert second.returncode == 1
    assert b"signer-busy" in second.stderr
    assert b"Traceback" not in second.stderr
