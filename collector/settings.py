"""collector.toml: everything a collector is told. An unknown key refuses to start.

    data = "/var/lib/c1kiosk-collector"     database, pictures, key
    trust = "/etc/c1kiosk/trust"            the trust folder of the election
    name = "kota-contoh"                    used when the key is made
    database = "postgresql:///collector"    without it SQLite in `data`
    address = "0.0.0.0:8443"                or "unix:/run/c1kiosk-collector/http" behind nginx
    workers = 2

    [tls]                                   without it, nginx does it: `address` must be a Unix socket
    certificate = "server.pem"
    key = "server.key"

    [callers]
    client_ca = "client-ca.pem"             who issues the certificates that callers show
    forwarders = "forwarders.pem"           certificates; may hand in records of others
    operators = "operators.pem"             certificates; may see the operator's page

    [queue]                                 without it, records go straight into the database
    servers = ["nats://queue1:4222", "nats://queue2:4222", "nats://queue3:4222"]
    ca = "queue-ca.pem"                     who issued the nodes' certificates; without TLS only on the loopback
    certificate = "queue.pem"               what is shown to the nodes
    key = "queue.key"

    [pictures]                              without it, whole pictures are files in `data`
    endpoint = "https://s3.example.id"      any store that speaks S3; without TLS only on the loopback
    bucket = "c1-pictures"
    region = "ap-southeast-3"
    key = "c1-collector"
    secret = "s3.secret"                    a file that holds the secret key

Relative paths start at the file's folder.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta

from collector.callers import Callers, by_gunicorn, by_nginx
from collector.notes import NAME_CHARACTERS
from collector.submission import CollectorRefused
from firmware.signing.certificates import load_certificates
from firmware.signing.keys import key_id

ENVIRONMENT = "C1KIOSK_COLLECTOR"
"""Names the file to gunicorn's processes."""
UNIX = "unix:"
LOOPBACKS = ("127.0.0.1", "::1", "localhost")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown key is an error."""


class TlsSettings(_Strict, frozen=True):
    """`[tls]`: PEM files."""

    certificate: str
    key: str


class CallerSettings(_Strict, frozen=True):
    """`[callers]`: PEM files."""

    client_ca: str
    forwarders: str = ""
    operators: str = ""


class QueueSettings(_Strict, frozen=True):
    """`[queue]`: the nodes of the cluster; PEM files for TLS on both sides."""

    servers: Annotated[tuple[str, ...], Meta(min_length=1, max_length=9)]
    ca: str = ""
    certificate: str = ""
    key: str = ""
    replicas: Annotated[int, Meta(ge=1, le=5)] = 3

    def __post_init__(self) -> None:
        """Records travel, and who may publish may fill the disks."""
        hosts = [urlsplit(server).hostname for server in self.servers]
        if not (self.ca and self.certificate and self.key) and any(host not in LOOPBACKS for host in hosts):
            raise ValueError("without ca, certificate and key the servers must be on the loopback")


class PicturesSettings(_Strict, frozen=True):
    """`[pictures]`: a bucket in a store that speaks S3; `secret` is a file that holds the secret key."""

    endpoint: str
    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")]
    region: str
    key: str
    secret: str

    def __post_init__(self) -> None:
        """The signature of a request keeps its key, not its content."""
        address = urlsplit(self.endpoint)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACKS):
            raise ValueError("the endpoint must be https://, or http:// on the loopback")


class CollectorFile(_Strict, frozen=True):
    """The file."""

    data: str
    trust: str
    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*\Z", max_length=NAME_CHARACTERS)]
    callers: CallerSettings
    address: str
    database: str = ""
    workers: Annotated[int, Meta(ge=1, le=64)] = 2
    tls: TlsSettings | None = None
    queue: QueueSettings | None = None
    pictures: PicturesSettings | None = None

    def __post_init__(self) -> None:
        """What nginx says of a caller is believed from a Unix socket alone."""
        if self.tls is None and not self.address.startswith(UNIX):
            raise ValueError("without [tls] the address must be a Unix socket (unix:/...)")


@dataclass(frozen=True, slots=True)
class Settings:
    """The file, and where it is."""

    file: CollectorFile
    folder: Path

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Raises CollectorRefused("collector-settings")."""
        try:
            return cls(msgspec.toml.decode(path.read_bytes(), type=CollectorFile), path.resolve().parent)
        except (OSError, msgspec.MsgspecError) as error:
            raise CollectorRefused("collector-settings", file=str(path), problem=str(error)) from error

    def path(self, name: str) -> Path:
        """A path of the file."""
        return self.folder / name

    def callers(self) -> Callers:
        """Who may do what. Raises CollectorRefused or VerificationRefused."""
        said = self.file.callers
        read = by_gunicorn if self.file.tls else by_nginx
        return Callers(read, self._named(said.forwarders), self._named(said.operators))

    def queue_tls(self) -> ssl.SSLContext | None:
        """How the nodes of the queue are spoken to. Raises CollectorRefused("collector-settings")."""
        said = self.file.queue
        if said is None or not said.ca:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(self.path(said.ca))
            context.load_cert_chain(self.path(said.certificate), self.path(said.key))
        except OSError as error:  # ssl.SSLError is one
            raise CollectorRefused("collector-settings", file=said.certificate, problem=str(error)) from error
        return context

    def _named(self, name: str) -> Collection[bytes]:
        if not name:
            return ()
        try:
            found: list[x509.Certificate] = load_certificates(self.path(name).read_bytes(), name)
        except OSError as error:
            raise CollectorRefused("collector-settings", file=name, problem=error.strerror or "") from error
        return frozenset(key_id(entry.public_bytes(Encoding.DER)) for entry in found)
