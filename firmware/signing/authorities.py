"""What the certificates that are not of devices are for: every one carries its purpose, world and election.

The extension EXTENSION_OID holds a DER SEQUENCE of three UTF8Strings: purpose, world, election. A root's election is
empty: it stands above elections. An authority of one election, or of one world, cannot speak in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from cryptography import x509

from firmware.errors import VerificationRefused
from firmware.records import Mode
from firmware.signing.certificates import check_issued, display_name
from firmware.signing.texts import decode_texts, encode_texts

EXTENSION_OID = x509.ObjectIdentifier("2.25.164986815525808068831190064259705595714")
"""Under the arc of UUIDs (ITU-T X.667), which needs no registration."""


class Purpose(StrEnum):
    """What a certificate may be used for."""

    ROOT = "root"
    """Signs issuing and election authorities; its key is offline."""
    ISSUING = "issuing"
    """Signs the certificates of one election's devices and collectors."""
    ELECTION = "election"
    """Signs election definitions."""
    COLLECTOR = "collector"
    """Signs acknowledgements."""
    RELEASE = "release"
    """Signs release manifests (provisioning/release.py)."""
    OFFICER = "officer"
    """Signs what a person answers for: assignments, hand-overs (officers.py)."""
    TLS = "tls"
    """Issues the TLS certificates of kiosks and collectors; nothing that it issues signs anything else."""
    OPERATORS = "operators"
    """Issues the TLS certificates of laptops: apart, so that no kiosk is let in where a laptop is."""
    CONNECTION = "connection"
    """A TLS certificate."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a certificate is for."""

    purpose: Purpose
    world: Mode
    election: str = ""
    """Id of the election; empty for a root."""

    def extension(self) -> x509.UnrecognizedExtension:
        """As it stands in a certificate."""
        return x509.UnrecognizedExtension(
            EXTENSION_OID, encode_texts((str(self.purpose), str(self.world), self.election))
        )

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """The scope of a certificate; raises VerificationRefused("certificate-purpose")."""
        try:
            value = certificate.extensions.get_extension_for_oid(EXTENSION_OID).value
            assert isinstance(value, x509.UnrecognizedExtension)
            purpose, world, election = decode_texts(value.value)
            return cls(Purpose(purpose), Mode(world), election)
        except (ValueError, IndexError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
            raise VerificationRefused("certificate-purpose", subject=display_name(certificate)) from error


def check_root(certificate: x509.Certificate) -> Scope:
    """The scope of a root; raises VerificationRefused. That it is the right root is for the reader to know."""
    check_issued(certificate, certificate)
    scope = Scope.of(certificate)
    if scope.purpose is not Purpose.ROOT:
        raise VerificationRefused("certificate-purpose", subject=display_name(certificate))
    return scope


def check_scope(certificate: x509.Certificate, issuer: x509.Certificate, scope: Scope) -> None:
    """Returns when `issuer` issued `certificate` and it is for exactly `scope`; raises VerificationRefused."""
    check_issued(certificate, issuer)
    if Scope.of(certificate) != scope:
        raise VerificationRefused("certificate-purpose", subject=display_name(certificate))
