"""X.509 certificates as this system makes them: P-256, SHA-256, a subject that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=3650)
"""Of certificates made here: evidence is looked at years after the election."""
CLOCK_SLACK = timedelta(days=1)
"""Certificates begin this long before they are made: other clocks may be behind."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs a certificate."""

    name: x509.Name
    private_key: ec.EllipticCurvePrivateKey


def subject(common_name: str, organisation: str, serial: str = "") -> x509.Name:
    """A subject; `serial` is the device's."""
    parts = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if serial:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(parts)


def issue(
    name: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    authority: bool = False,
    serial_number: int | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """A certificate for `public_key`: an authority may sign certificates, anything else may sign messages.

    `serial_number` is of the certificate, and random unless given.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.name)
        .public_key(public_key)
        .serial_number(serial_number or x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(_usage(authority), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.private_key, hashes.SHA256(), ecdsa_deterministic=True)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
