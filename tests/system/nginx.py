"""A real nginx with collector/nginx.conf as it stands, but for the paths and the port."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware.http import LOOPBACK
from tests.simulators.room import free_port
from tests.system.gunicorn import Papers

CONF = Path(__file__).parents[2] / "collector" / "nginx.conf"
_SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def running(papers: Papers, socket: str) -> Iterator[tuple[str, int]]:
    """Before the gunicorn that listens on `socket`: the address and the process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "nginx.conf"
        conf.write_text(_conf(papers, socket, port, folder), encoding="utf-8")
        process = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield f"https://{LOOPBACK}:{port}", process.pid
        finally:
            process.terminate()
            process.wait()


def _conf(papers: Papers, socket: str, port: int, folder: str) -> str:
    text = CONF.read_text(encoding="utf-8")
    for old, new in {
        "/etc/c1kiosk": str(papers.folder),
        "/run/c1kiosk-collector/http": socket,
        "listen 8443": f"listen {LOOPBACK}:{port}",
        "    listen [::]:8443 ssl;\n": "",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    user = "user root;\n" if os.getuid() == 0 else ""
    head = f"pid {folder}/pid;\nerror_log {folder}/error.log;\ndaemon off;\n{user}events {{}}\n"
    scratch = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in _SCRATCH)
    return f"{head}http {{\naccess_log off;\n{scratch}{text}}}\n"
