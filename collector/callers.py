"""Who is at the other end of a connection, and what they may hand in.

A record proves itself, whoever carries it; a connection is asked for a certificate so that nobody else can fill the
disk or the queue. Who writes shows the certificate of the device that signed the record, or of a forwarder that this
collector names (a laptop that carries sticks, another collector). Operators are named too. Reading what is published
needs no certificate: results and pictures are public, as KPU publishes them.

The TLS layer has verified that the certificate is inside its validity and from an authority of the election (or is
itself a named one) and that the caller has its key; here only its name is judged: the first 8 bytes of SHA-256 of
the certificate, as in the records (`kid`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from collector.submission import CollectorRefused
from firmware.signing.keys import key_id

NGINX_HEADER = "HTTP_X_CLIENT_CERTIFICATE"
"""`$ssl_client_escaped_cert`, set by nginx on every request (collector/nginx.conf), so nobody else can set it."""

Reader = Callable[[Mapping[str, Any]], bytes | None]
"""The key id of the caller's certificate in a WSGI environment; None without a certificate."""


@dataclass(frozen=True, slots=True)
class Callers:
    """`named` is how to read a caller's name; None lets everybody do everything: on the loopback of one machine."""

    named: Reader | None = None
    forwarders: Collection[bytes] = ()
    operators: Collection[bytes] = ()

    def name(self, environ: Mapping[str, Any]) -> bytes | None:
        """The key id of the caller."""
        return None if self.named is None else self.named(environ)

    def check_known(self, environ: Mapping[str, Any]) -> None:
        """Any certificate will do; raises CollectorRefused("collector-certificate")."""
        if self.named is not None and self.name(environ) is None:
            raise CollectorRefused("collector-certificate")

    def check_carrier(self, environ: Mapping[str, Any], kid: bytes) -> None:
        """The caller may hand in what the device `kid` signed; raises CollectorRefused (`collector-...`)."""
        self.check_known(environ)
        if self.named is not None and self.name(environ) not in (kid, *self.forwarders):
            raise CollectorRefused("collector-carrier", kid=kid.hex())

    def check_operator(self, environ: Mapping[str, Any]) -> None:
        """The caller may see the operator's page; raises CollectorRefused (`collector-...`)."""
        self.check_known(environ)
        if self.named is not None and self.name(environ) not in self.operators:
            raise CollectorRefused("collector-operator")


def by_gunicorn(environ: Mapping[str, Any]) -> bytes | None:
    """The certificate of gunicorn's own TLS connection."""
    der = environ["gunicorn.socket"].getpeercert(binary_form=True)
    return key_id(der) if der else None


def by_nginx(environ: Mapping[str, Any]) -> bytes | None:
    """The certificate that nginx verified and passes on."""
    pem = unquote_to_bytes(environ.get(NGINX_HEADER, ""))
    return key_id(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)) if pem else None
