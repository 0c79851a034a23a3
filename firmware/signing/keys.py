"""What a device key is, and what its certificate says.

A kiosk signs with one P-256 key. Wherever the key lives (TPM, sealed file, plain file) it is reached through
`DeviceKey`. Its certificate carries an extension, EXTENSION_OID, whose value is a DER SEQUENCE of three UTF8Strings:
the key's world (real, training, development), the device's serial, and how the key is protected.
A key is named by `key_id`: the first 8 bytes of the SHA-256 of its certificate (DER).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.errors import SignerRefused, VerificationRefused
from firmware.records import Mode
from firmware.signing.texts import decode_texts, encode_texts

KEY_ID_BYTES = 8
EXTENSION_OID = x509.ObjectIdentifier("2.25.146278570020586028309131492375752768833")
"""Under the arc of UUIDs (ITU-T X.667), which needs no registration."""


class Protection(StrEnum):
    """How well a key is kept, honestly."""

    PLAIN_FILE = "plain-file"
    """Who can read the file system has the key."""
    SEALED_FILE = "sealed-file"
    TPM = "tpm"


class DeviceKey(Protocol):
    """The key of this kiosk. One thread uses it at a time."""

    @property
    def certificate(self) -> bytes:
        """The device certificate, DER."""

    @property
    def authority(self) -> bytes:
        """The certificate of the authority that issued it, DER."""

    @property
    def protection(self) -> Protection:
        """How the key is kept."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes, s in any half."""


class Counter(Protocol):
    """Counts this key's records outside of the disk, and can only go up."""

    def value(self) -> int:
        """Records since the key was made. Raises SignerRefused("key-tpm")."""

    def advance(self) -> None:
        """One more; it has happened when this returns. Raises SignerRefused("key-tpm")."""


@dataclass(frozen=True, slots=True)
class DeviceClaims:
    """What a device certificate says of its device."""

    world: Mode
    serial: str
    protection: Protection


@dataclass(frozen=True, slots=True)
class Device:
    """A device certificate, opened."""

    certificate: x509.Certificate
    claims: DeviceClaims
    public_key: ec.EllipticCurvePublicKey


def key_id(certificate_der: bytes) -> bytes:
    """The name of the certificate's key."""
    return hashlib.sha256(certificate_der).digest()[:KEY_ID_BYTES]


def public_key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The P-256 key of a certificate; raises VerificationRefused("certificate-key")."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise VerificationRefused("certificate-key", subject=certificate.subject.rfc4514_string())
    return key


def open_device(certificate: x509.Certificate) -> Device:
    """The device of a certificate; raises VerificationRefused("certificate-claims" or "certificate-key")."""
    return Device(certificate, claims_of(certificate), public_key_of(certificate))


def claims_of(signed: x509.Certificate | x509.CertificateSigningRequest) -> DeviceClaims:
    """What a certificate grants, or a request asks for; raises VerificationRefused("certificate-claims")."""
    try:
        value = signed.extensions.get_extension_for_oid(EXTENSION_OID).value
        assert isinstance(value, x509.UnrecognizedExtension)
        world, serial, protection = decode_texts(value.value)
        return DeviceClaims(Mode(world), serial, Protection(protection))
    except (ValueError, IndexError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise VerificationRefused("certificate-claims", subject=signed.subject.rfc4514_string()) from error


def check_own(certificate: x509.Certificate, public_key: ec.EllipticCurvePublicKey, protection: Protection) -> Device:
    """The device of the certificate that lies beside a key, when it is of this key and tells the truth about it.

    A certificate that promises a TPM over a key in a file is refused, and so is any other difference.
    Raises SignerRefused("key-certificate" or "key-protection") or VerificationRefused (`certificate-...`).
    """
    device = open_device(certificate)
    if device.public_key != public_key:
        raise SignerRefused("key-certificate", serial=device.claims.serial)
    if device.claims.protection is not protection:
        raise SignerRefused("key-protection", says=str(device.claims.protection), kept=str(protection))
    return device


def claims_extension(claims: DeviceClaims) -> x509.UnrecognizedExtension:
    """The extension that a certificate authority puts into a device certificate."""
    texts = (str(claims.world), claims.serial, str(claims.protection))
    return x509.UnrecognizedExtension(EXTENSION_OID, encode_texts(texts))
