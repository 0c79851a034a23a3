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

Relative paths start at the file's folder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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

    def _named(self, name: str) -> Collection[bytes]:
        if not name:
            return ()
        try:
            found: list[x509.Certificate] = load_certificates(self.path(name).read_bytes(), name)
        except OSError as error:
            raise CollectorRefused("collector-settings", file=name, problem=error.strerror or "") from error
        return frozenset(key_id(entry.public_bytes(Encoding.DER)) for entry in found)
