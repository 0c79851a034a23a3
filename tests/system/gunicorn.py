"""A collector as it is served for real: gunicorn with TLS and client certificates, certificates made for the test."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware.http import LOOPBACK
from firmware.signing.certificates import Issuer, issue, subject
from tests.simulators.room import free_port

START_SECONDS = 60.0
"""Longest wait for the first answer on a busy machine."""


@dataclass(frozen=True)
class Papers:
    """Certificates of one collector's surroundings in `folder`: server, device, forwarder, operator, stranger."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, device_serial: str) -> Papers:
        """`device.pem` names the device; `stranger.pem` is of another authority with the same serial."""
        folder.mkdir(parents=True, exist_ok=True)
        papers = cls(folder)
        authority, other = papers._authority("client-ca"), papers._authority("other-ca")
        for name, serial in (("device", device_serial), ("elsewhere", "DEV-elsewhere"), ("forwarder", "")):
            papers._issue(name, serial, authority)
        papers._issue("operator", "", authority)
        papers._issue("stranger", device_serial, other)
        papers._issue("server", "", authority, [x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOOPBACK))])])
        return papers

    def path(self, name: str) -> Path:
        return self.folder / name

    def client(self, url: str, name: str = "") -> httpx.Client:
        """A client that shows the certificate of this name, or none."""
        context = ssl.create_default_context(cafile=str(self.path("client-ca.pem")))
        if name:
            context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return httpx.Client(base_url=url, verify=context, trust_env=False, timeout=START_SECONDS)

    def _authority(self, name: str) -> Issuer:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = Issuer(subject(name, "Test"), key)
        made = issue(issuer.name, key.public_key(), issuer, datetime.now(UTC), authority=True)
        self.path(f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        return Issuer(issuer.name, key, made)

    def _issue(self, name: str, serial: str, issuer: Issuer, extensions: Sequence[x509.ExtensionType] = ()) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        made = issue(subject(name, "Test", serial), key.public_key(), issuer, datetime.now(UTC), extensions=extensions)
        self.path(f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.path(f"{name}.key").write_bytes(secret)


def write_settings(
    papers: Papers, data: Path, trust: Path, name: str, *, address: str, tls: bool, workers: int = 1, database: str = ""
) -> Path:
    """collector.toml beside the certificates."""
    top = {"data": str(data), "trust": str(trust), "name": name, "address": address, "database": database}
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()] + [f"workers = {workers}"]
    if tls:
        lines += ["[tls]", 'certificate = "server.pem"', 'key = "server.key"']
    lines += ["[callers]", 'client_ca = "client-ca.pem"', 'forwarders = "forwarder.pem"', 'operators = "operator.pem"']
    path = papers.path("collector.toml")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def start(settings: Path, log: Path) -> subprocess.Popen[bytes]:
    """gunicorn as README says, in a process group of its own."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:collector.gunicorn_conf", "collector.wsgi:make()"]
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            env=os.environ | {"C1KIOSK_COLLECTOR": str(settings)},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


@contextmanager
def serving(papers: Papers, data: Path, trust: Path, name: str, **options: object) -> Iterator[str]:
    """The collector on a port of the loopback; the address."""
    port = free_port()
    settings = write_settings(
        papers,
        data,
        trust,
        name,
        address=f"{LOOPBACK}:{port}",
        tls=True,
        **options,  # type: ignore[arg-type]
    )
    process = start(settings, papers.path("gunicorn.log"))
    url = f"https://{LOOPBACK}:{port}"
    try:
        wait_for(papers, url, process)
        yield url
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_for(papers: Papers, url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    with papers.client(url) as client:
        while process.poll() is None and time.monotonic() < until:
            with suppress(httpx.TransportError):
                client.get("/v1/status").raise_for_status()
                return
            time.sleep(0.1)
    raise RuntimeError(papers.path("gunicorn.log").read_text(encoding="utf-8")[-3000:])
