"""A signer process on its real socket, and what it is sent: requests that are no requests, bodies out of bodies.py."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from firmware.errors import SignerRefused
from firmware.signing.client import SignerClient
from tests.fuzz.bodies import body

STARTS_WITHIN_S = 20.0
ANSWERS_WITHIN_S = 5.0
"""A request that is never finished is left by us, not waited for."""
MOST_MEMORY_KB = 128 * 1024
"""What its unit allows (systemd/c1kiosk-signer.service)."""
NOT_IMPLEMENTED = 501
"""What RFC 9112 wants for a transfer coding that a server does not know: an answer, not a crash."""

_METHODS = ("GET", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS", "", "G\x00T", "POST" * 99)
_PATHS = ("/v1/seal", "/v1/seal", "/v1/seal", "/v1/device", "/v1/head", "/v1/checkpoint", "/", "*", "/../key/key.pem")
_VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "")
_HEADERS = (
    "Host: kiosk",
    "Connection: close",
    "Connection: keep-alive",
    "Expect: 100-continue",
    "Content-Type: application/cbor",
    "Content-Encoding: gzip",
    "Transfer-Encoding: gzip",
    "Content-Length: 99999999999999999999",
    "Content-Length: -1",
    "Content-Length: x",
    "X: " + "y" * 5000,
    ": no name",
    "no colon",
)


class Wire:
    """The process, and a way to send it bytes."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "signer.sock"
        command = [sys.executable, "-m", "firmware.signing.service", "--state", str(folder / "state")]
        quiet = subprocess.DEVNULL
        self._running = subprocess.Popen([*command, "--socket", str(self.socket)], stdout=quiet, stderr=quiet)
        self.statuses: Counter[int] = Counter()
        """How often each status was answered; 0 is a closed connection."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._running.terminate()
        self._running.wait()

    def send(self, data: bytes) -> None:
        """One connection with these bytes. Fails when a status of the server's own failure comes back."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWERS_WITHIN_S)
            connection.connect(str(self.socket))
            answer = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while len(answer) < 64 and (more := connection.recv(4096)):
                    answer += more
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has heard enough; what it answered before is judged.
        status = int(answer[9:12]) if answer.startswith(b"HTTP/") else 0
        assert status < 500 or status == NOT_IMPLEMENTED, (status, data, answer)
        self.statuses[status] += 1

    def check(self) -> int:
        """The most memory it ever held, kB. Fails when it is dead, deaf, or fat."""
        assert self._running.poll() is None
        assert self._answers()
        text = Path(f"/proc/{self._running.pid}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))
        assert peak < MOST_MEMORY_KB
        return peak

    def _answers(self) -> bool:
        try:
            SignerClient(self.socket).head()
        except SignerRefused:
            return False
        return True


def request(chance: Random) -> bytes:
    """One request, or what looks a little like one."""
    content = body(chance)
    if chance.random() < 0.1:
        return content
    lines = [" ".join((chance.choice(_METHODS), chance.choice(_PATHS), chance.choice(_VERSIONS)))]
    lines += chance.choices(_HEADERS, k=chance.randint(0, 4))
    framing = chance.randrange(4)
    if framing == 0:
        lines.append("Transfer-Encoding: chunked")
        content = b"%x\r\n" % len(content) + content + chance.choice((b"\r\n0\r\n\r\n", b"0\r\n\r\n", b""))
    elif framing < 3:
        lines.append(f"Content-Length: {len(content) + chance.choice((0, 0, 0, -1, 1, 10**6))}")
    head = chance.choice(("\r\n", "\r\n", "\r\n", "\n")).join((*lines, "", ""))
    return head.encode("latin-1") + content * chance.choice((1, 1, 1, 2))
