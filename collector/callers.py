"""Who is at the other end of a connection, and what they may hand in.

A record proves itself, whoever carries it; a connection is asked for a certificate so that nobody else can fill the
disk or the queue. Who writes shows a certificate that names the device of the record (the serial in its subject; its
key is the device's for TLS, another than the one that signs), or that of a forwarder that this collector names (a
laptop that carries sticks, another collector). Operators are named too. Reading what is published needs no
certificate: results and pictures are public, as KPU publishes them.

The TLS layer has verified that the certificate is inside its validity, that one of the authorities in `client_ca`
issued it, and that the caller has its key. Those authorities give no two devices the same serial. Forwarders and
operators are named by their whole certificate: the first 8 bytes of its SHA-256.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from collector.submission import CollectorRefused
from firmware.signing.keys import key_id

NGINX_ADDRESS = "HTTP_X_REAL_IP"
"""`$remote_addr`, set by nginx as the other one is."""
NGINX_HEADER = "HTTP_X_CLIENT_CERTIFICATE"
"""`$ssl_client_escaped_cert`, set by nginx on every request (collector/nginx.conf), so nobody else can set it."""

REMEMBERED = 4096
"""Certificates whose names are read once, not with every piece of a picture: 8 MB; the TLS layer has verified them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A certificate that was shown, as far as it matters here."""

    kid: bytes
    serial: str
    """Of the device in its subject; empty when it names none."""


Reader = Callable[[Mapping[str, Any]], Caller | None]
"""Who calls, from a WSGI environment; None without a certificate."""


@dataclass(frozen=True, slots=True)
class Callers:
    """`read` is how to know a caller; None lets everybody do everything: on the loopback of one machine."""

    read: Reader | None = None
    forwarders: Collection[bytes] = ()
    operators: Collection[bytes] = ()

    def name(self, environ: Mapping[str, Any]) -> str:
        """The caller for people and counters: a serial, or the key id of who has none; empty for nobody."""
        caller = self.read(environ) if self.read else None
        return (caller.serial or caller.kid.hex()) if caller else ""

    def address(self, environ: Mapping[str, Any]) -> str:
        """Where the caller is, for limits on what comes without a certificate; an IPv6 network counts as one."""
        said = environ.get(NGINX_ADDRESS if self.read is by_nginx else "REMOTE_ADDR") or ""
        try:
            found = ipaddress.ip_address(said)
        except ValueError:
            return ""
        return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))

    def check_known(self, environ: Mapping[str, Any]) -> None:
        """Any certificate will do; raises CollectorRefused("collector-certificate")."""
        if self.read is not None:
            _known(self.read(environ))

    def check_carrier(self, environ: Mapping[str, Any], device: str) -> None:
        """The caller may hand in what the device with this serial signed; raises CollectorRefused (`collector-...`)."""
        if self.read is None:
            return
        caller = _known(self.read(environ))
        if caller.serial != device and caller.kid not in self.forwarders:
            raise CollectorRefused("collector-carrier", device=device)

    def check_operator(self, environ: Mapping[str, Any]) -> None:
        """The caller may see the operator's page; raises CollectorRefused (`collector-...`)."""
        if self.read is not None and _known(self.read(environ)).kid not in self.operators:
            raise CollectorRefused("collector-operator")


def by_gunicorn(environ: Mapping[str, Any]) -> Caller | None:
    """The certificate of gunicorn's own TLS connection."""
    der = environ["gunicorn.socket"].getpeercert(binary_form=True)
    return _of_der(der) if der else None


def by_nginx(environ: Mapping[str, Any]) -> Caller | None:
    """The certificate that nginx verified and passes on."""
    escaped = environ.get(NGINX_HEADER, "")
    return _of_pem(escaped) if escaped else None


@lru_cache(maxsize=REMEMBERED)
def _of_der(der: bytes) -> Caller:
    return _caller(x509.load_der_x509_certificate(der))


@lru_cache(maxsize=REMEMBERED)
def _of_pem(escaped: str) -> Caller:
    return _caller(x509.load_pem_x509_certificate(unquote_to_bytes(escaped)))


def _known(caller: Caller | None) -> Caller:
    if caller is None:
        raise CollectorRefused("collector-certificate")
    return caller


def _caller(certificate: x509.Certificate) -> Caller:
    serials = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    serial = str(serials[0].value) if len(serials) == 1 else ""
    return Caller(key_id(certificate.public_bytes(Encoding.DER)), serial)
