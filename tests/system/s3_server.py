"""A real S3 server (SeaweedFS, from PyPI) in a temporary folder, killed and started again; and a bad line to it."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from collector.s3_pictures import S3Pictures
from collector.settings import PicturesSettings
from collector.submission import CollectorRefused

BUCKET = "c1-pictures"
KEY, SECRET = "c1-collector", "not a secret"
START_SECONDS = 60.0
GRPC = 10_000
"""Above each port."""


def program() -> str | None:
    """SeaweedFS's; None when it is not installed."""
    return shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")


class S3Server:
    """Master, volume, filer and S3 in one process."""

    def __init__(self, folder: Path, weed: str) -> None:
        self.folder = folder
        self._weed = weed
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = dict(zip(("master", "volume", "filer", "s3"), _free_ports(4), strict=True))
        identity = {"name": KEY, "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
        actions = [f"{action}:{BUCKET}" for action in ("Read", "Write", "List")]
        (folder / "identities.json").write_text(json.dumps({"identities": [{**identity, "actions": actions}]}))
        (folder / "s3.secret").write_text(SECRET + "\n")
        (folder / "data").mkdir()

    @property
    def settings(self) -> PicturesSettings:
        """`[pictures]`, with the secret in the server's folder."""
        endpoint = f"http://127.0.0.1:{self._ports['s3']}"
        return PicturesSettings(endpoint, BUCKET, "us-east-1", KEY, "s3.secret")

    def start(self) -> None:
        """Until it takes objects."""
        options = {"dir": self.folder / "data", "s3.config": self.folder / "identities.json", "ip": "127.0.0.1"}
        options |= {f"{name}.port": port for name, port in self._ports.items()}
        options |= {f"{name}.port.grpc": port + GRPC for name, port in self._ports.items()}
        options |= {"ip.bind": "127.0.0.1", "volume.max": 8, "master.volumeSizeLimitMB": 64}
        options |= {"s3.port.iceberg": 0, "s3.port.lance": 0}
        options |= {"master.electionTimeout": "1s", "master.telemetry": "false"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._weed, "server", "-s3", *(f"-{name}={value}" for name, value in options.items())],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_SECONDS
        while not self._takes_objects():
            if time.monotonic() > until:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            self._make_bucket()

    def kill(self) -> None:
        """As a power cut would, but for what the disk still holds back."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _takes_objects(self) -> bool:
        with suppress(CollectorRefused):
            S3Pictures.open(self.settings, self.folder)
            return True
        return False

    def _make_bucket(self) -> None:
        """Master, filer and a volume have to be there, which nobody tells; one that is there stays."""
        ports = {name: self._ports[name] for name in ("master", "filer")}
        where = [f"-{name}=127.0.0.1:{port}.{port + GRPC}" for name, port in ports.items()]
        command = f"s3.bucket.create -name {BUCKET}\n"
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [self._weed, "shell", *where], input=command, text=True, capture_output=True, timeout=5, check=False
            )


def _free_ports(count: int) -> list[int]:
    """Below GRPC and its like above them."""
    found: list[int] = []
    while len(found) < count:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1] % 20_000 + 20_000
        if port not in found:
            found.append(port)
    return found


@contextmanager
def bad_line(said: PicturesSettings, sent: bytes, arrives: bytes) -> Iterator[PicturesSettings]:
    """The same store behind a line on which some bytes become others."""
    target = urlsplit(said.endpoint)

    class Line(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((target.hostname, target.port)) as server:
                back = threading.Thread(target=_carry, args=(server, self.request, b"", b""), daemon=True)
                back.start()
                _carry(self.request, server, sent, arrives)
                back.join()

    with _Lines(("127.0.0.1", 0), Line) as line:
        threading.Thread(target=line.serve_forever).start()
        try:
            yield msgspec.structs.replace(said, endpoint=f"http://127.0.0.1:{line.server_address[1]}")
        finally:
            line.shutdown()


class _Lines(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def _carry(source: socket.socket, target: socket.socket, sent: bytes, arrives: bytes) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data.replace(sent, arrives) if sent else data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def running(folder: Path, weed: str) -> Iterator[S3Server]:
    """A started server."""
    server = S3Server(folder, weed)
    try:
        server.start()
        yield server
    finally:
        server.kill()
