"""A real TPM 2.0 in software: Debian's swtpm, on a port of this machine."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

STARTS_WITHIN_S = 10.0


class SoftwareTpm:
    """Its memory is in `folder` and outlives it, as a chip's outlives a power cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.port = _free_ports()
        self.start()

    @property
    def tcti(self) -> str:
        """The way to it."""
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def start(self) -> None:
        """Power on."""
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}"]
        command += ["--flags", "not-need-init,startup-clear"]
        command += ["--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1"]
        command += ["--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1"]
        self._running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _listens(self.port + 1):
            assert self._running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def cut(self) -> None:
        """The power goes: it is not asked to save anything."""
        self._running.kill()
        self._running.wait()


def _free_ports() -> int:
    """The first of two: the TPM software stack looks for the control port one above."""
    while True:
        with socket.socket() as probe, socket.socket() as above:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            try:
                above.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
