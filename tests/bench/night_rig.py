"""A collector as a whole for the bench of the night: gunicorn, nginx, database, nodes and workers, each with its
processor time."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from firmware.http import LOOPBACK
from tests.bench.collector import UnixConnection, processor_seconds
from tests.bench.night_load import NAME
from tests.simulators.room import free_port
from tests.system import nginx, postgres
from tests.system.gunicorn import START_SECONDS, Papers, start, write_settings
from tests.system.nats_cluster import cluster


@dataclass(frozen=True)
class Setting:
    """What runs."""

    database: str
    """sqlite, postgresql, queue (before PostgreSQL)."""
    processes: int
    way: str = "gunicorn"
    """plain (a Unix socket), gunicorn (its own TLS), nginx."""
    kept: bool = True
    """One connection for all records of a device; else a handshake for each."""

    @property
    def name(self) -> str:
        kept = "" if self.way == "plain" else ", kept" if self.kept else ", a handshake each"
        return f"{self.database}, {self.processes} process{'es' if self.processes > 1 else ''}, {self.way}{kept}"


class Running:
    """A collector and everything around it."""

    def __init__(self, stack: ExitStack, folder: Path, trust: Path, devices_ca: bytes, setting: Setting) -> None:
        self.papers = Papers.make(folder / "papers", "NIGHT-0000")
        with self.papers.path("client-ca.pem").open("ab") as file:
            file.write(devices_ca)
        self.setting, self.folder = setting, folder
        self._leaders: dict[str, list[int]] = {}
        more = ""
        self.socket, url = str(folder / "http"), ""
        if setting.database != "sqlite":
            where = postgres.programs()
            assert where is not None
            database = stack.enter_context(postgres.running(folder / "cluster", where))
            url, self._leaders["database"] = database.url, [database.pid]
        if setting.database == "queue":
            nodes = stack.enter_context(cluster(folder / "nodes"))
            self._leaders["nodes"], more = nodes.pids, nodes.toml
        port, tls = free_port(), setting.way == "gunicorn"
        self.address = f"https://{LOOPBACK}:{port}"
        settings = write_settings(
            self.papers,
            folder / "data",
            trust,
            NAME,
            address=f"{LOOPBACK}:{port}" if tls else f"unix:{self.socket}",
            tls=tls,
            workers=setting.processes,
            database=url,
        )
        if more:
            with settings.open("a", encoding="utf-8") as text:
                text.write(more)
            self._leaders["workers"] = [self._worker(stack, settings) for _ in range(setting.processes)]
        http = start(settings, folder / "gunicorn.log")
        stack.callback(http.wait)
        stack.callback(http.terminate)
        self._leaders["collector"] = [http.pid]
        if setting.way == "nginx":
            self.address, pid = stack.enter_context(nginx.running(self.papers, self.socket))
            self._leaders["nginx"] = [pid]
        self._wait()

    def spent(self) -> dict[str, float]:
        """Processor seconds of every part so far."""
        return {name: sum(map(processor_seconds, pids)) for name, pids in self._leaders.items()}

    def stored(self) -> int:
        """Records in the database."""
        with closing(self.connection()) as connection:
            connection.request("GET", "/v1/status")
            answer = connection.getresponse()
            said = answer.read()
        return int(json.loads(said)["records"]) if answer.status == 200 else -1

    @property
    def headers(self) -> dict[str, str]:
        """What nginx would add, where there is none."""
        if self.setting.way != "plain":
            return {}
        return {"X-Client-Certificate": quote(self.papers.path("forwarder.pem").read_text(encoding="ascii"))}

    def connection(self, shown: Path | None = None) -> http.client.HTTPConnection:
        """A new connection that shows the certificate in this file."""
        if self.setting.way == "plain":
            return UnixConnection(self.socket)
        said = urlsplit(self.address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.papers.path("client-ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if shown is not None:
            context.load_cert_chain(shown)
        return http.client.HTTPSConnection(said.hostname or "", said.port, timeout=START_SECONDS, context=context)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError, http.client.HTTPException):
                if self.stored() >= 0:
                    return
            assert time.monotonic() < until, (self.folder / "gunicorn.log").read_text(encoding="utf-8")[-2000:]
            time.sleep(0.2)

    def _worker(self, stack: ExitStack, settings: Path) -> int:
        with (self.folder / "drain.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "collector.drain"],
                env=os.environ | {"C1KIOSK_COLLECTOR": str(settings)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        stack.callback(worker.wait)
        stack.callback(worker.terminate)
        return worker.pid
