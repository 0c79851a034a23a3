"""X.509 certificates as this system makes them: P-256, SHA-256, a subject that a person understands; and their path.

    root (offline) -> issuing authority (one per election) -> device, collector, officer
                   -> election authority
                   -> TLS authority -> TLS certificates of kiosks and collectors
                   -> operators' authority -> TLS certificates of laptops

`check_issued` is one step of that path; it raises unless all of this holds:

    - the issuer's key signed the certificate, with ECDSA and SHA-256, and both keys are P-256
    - the issuer may sign certificates (basic constraints, key usage), and its path length allows this one
    - a certificate that is no authority may sign messages and nothing else
    - the certificate's validity lies within the issuer's, so judging the certificate's own is enough
    - no critical extension is unknown
    - the certificate is encoded in the one way of DER (libraries let other bits of its envelope pass)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from firmware.errors import VerificationRefused
from firmware.signing.keys import public_key_of

LIFETIME = timedelta(days=3650)
"""Of certificates made here unless told otherwise: evidence is looked at years after the election."""
CLOCK_SLACK = timedelta(days=1)
"""Certificates begin this long before they are made: other clocks may be behind."""

_CRITICAL = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}
"""The critical extensions that are understood."""
_SEQUENCE, _BIT_STRING, _LONG_FORM = 0x30, 0x03, 0x80
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
"""The algorithm identifier of ECDSA with SHA-256 (RFC 5758, 3.2)."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs a certificate."""

    name: x509.Name
    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate | None = None
    """None: it is about to sign its own."""


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
    path_length: int = 0,
    serial_number: int | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
    lifetime: timedelta = LIFETIME,
) -> x509.Certificate:
    """A certificate for `public_key`: an authority may sign certificates, anything else may sign messages.

    `path_length` is how many authorities may stand below an authority. `serial_number` is of the certificate, and
    random unless given. The validity never leaves the issuer's.
    """
    begin, end = _within(issuer, now - CLOCK_SLACK, now + lifetime)
    constraints = x509.BasicConstraints(ca=authority, path_length=path_length if authority else None)
    issuer_key = issuer.private_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.name)
        .public_key(public_key)
        .serial_number(serial_number or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(constraints, critical=True)
        .add_extension(_usage(authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.private_key, hashes.SHA256(), ecdsa_deterministic=True)


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Returns when `issuer` issued `certificate`, as the module's text says; raises VerificationRefused."""
    name = display_name(certificate)
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints, usage = _constraints(certificate)
        above, above_usage = _constraints(issuer)
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise VerificationRefused("certificate-issuer", subject=name) from error
    if not above.ca or not above_usage.key_cert_sign:
        raise VerificationRefused("certificate-issuer", subject=name)
    _check_role(constraints, usage, above, name)
    _check_form(certificate, name)
    if not (
        issuer.not_valid_before_utc <= certificate.not_valid_before_utc
        and certificate.not_valid_after_utc <= issuer.not_valid_after_utc
    ):
        raise VerificationRefused("certificate-outlives", subject=name)


def check_issued_by_one(certificate: x509.Certificate, issuers: Iterable[x509.Certificate]) -> None:
    """Returns when one of `issuers` issued it; raises VerificationRefused, of several what the last one says."""
    refusal = VerificationRefused("certificate-issuer", subject=display_name(certificate))
    for issuer in issuers:
        try:
            return check_issued(certificate, issuer)
        except VerificationRefused as problem:
            refusal = problem
    raise refusal


def load_certificates(pem: bytes, file: str) -> list[x509.Certificate]:
    """The certificates of a PEM file, of which there must be one at least; raises VerificationRefused."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise VerificationRefused("trust-unreadable", file=file, problem="PEM") from error


def display_name(certificate: x509.Certificate) -> str:
    """The subject, for people; the library reads it only now, and it may be broken."""
    try:
        return certificate.subject.rfc4514_string()
    except ValueError:
        return "?"


def _within(issuer: Issuer, begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    if issuer.certificate is None:
        return begin, end
    above = issuer.certificate
    return max(begin, above.not_valid_before_utc), min(end, above.not_valid_after_utc)


def _constraints(certificate: x509.Certificate) -> tuple[x509.BasicConstraints, x509.KeyUsage]:
    find = certificate.extensions.get_extension_for_class
    return find(x509.BasicConstraints).value, find(x509.KeyUsage).value


def _check_role(
    constraints: x509.BasicConstraints, usage: x509.KeyUsage, above: x509.BasicConstraints, name: str
) -> None:
    """An authority below this issuer only when its path length says so; everybody else only signs messages."""
    if constraints.ca and above.path_length is not None and above.path_length < 1:
        raise VerificationRefused("certificate-path", subject=name)
    if usage.key_cert_sign is not constraints.ca or usage.digital_signature is constraints.ca:
        raise VerificationRefused("certificate-path", subject=name)


def _check_form(certificate: x509.Certificate, name: str) -> None:
    public_key_of(certificate)
    if not isinstance(certificate.signature_hash_algorithm, hashes.SHA256):
        raise VerificationRefused("certificate-key", subject=name)
    signature = _der(_BIT_STRING, b"\x00" + certificate.signature)
    if _der(_SEQUENCE, certificate.tbs_certificate_bytes + _ECDSA_SHA256 + signature) != _der_of(certificate):
        raise VerificationRefused("certificate-path", subject=name)
    if any(extension.critical and extension.oid not in _CRITICAL for extension in certificate.extensions):
        raise VerificationRefused("certificate-path", subject=name)


def _der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _der(tag: int, content: bytes) -> bytes:
    """One DER item."""
    size = len(content)
    if size < _LONG_FORM:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, _LONG_FORM | len(length)]) + length + content


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
