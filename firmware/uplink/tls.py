"""TLS to a collector. Specification.

The collector is believed when its certificate ends at the authority in `ca`, names the host of its address and is
valid by our clock; the authorities of the operating system count for nothing. We show `certificate`, with a key of our
own for TLS: never the key that signs records, so a certificate whose key signs records is refused; a handshake would
have that key sign what a stranger chose. TLS 1.2 is the oldest version spoken.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from firmware.errors import LayoutRefused


def client_context(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """The context of a kiosk's connections; PEM files. Raises LayoutRefused("uplink-certificate")."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # `ca` is below the root: the root itself is not believed
    try:
        context.load_verify_locations(ca)
        context.load_cert_chain(certificate, key)
    except OSError as problem:  # ssl.SSLError is one
        raise LayoutRefused("uplink-certificate", file=str(certificate), problem=str(problem)) from problem
    return context


def check_own_key(certificate: Path, signing: Iterable[CertificatePublicKeyTypes]) -> None:
    """The key of `certificate` is none of those that sign records. Raises LayoutRefused (`uplink-certificate`,
    `uplink-signing-key`)."""
    try:
        shown = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except (OSError, ValueError) as problem:
        raise LayoutRefused("uplink-certificate", file=str(certificate), problem=str(problem)) from problem
    if any(shown == key for key in signing):
        raise LayoutRefused("uplink-signing-key", file=str(certificate))
