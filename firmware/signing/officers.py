"""Officers: the people who have a device in their hands before and after the day, and sign that they had.

An officer's certificate is issued by an issuing authority of the election. It carries purpose `officer`, world and
election as every certificate does (authorities.py), and an extension, ROLE_OID, whose value is a DER SEQUENCE of one
UTF8String: the role. The name is the subject's common name. An officer is believed when all of this holds:

    - an issuing authority that the election definition names, and that is below its root, issued the certificate
      (certificates.py: signature, path, key kind, one encoding)
    - purpose `officer`, world and election are the definition's
    - the role is one of those that may do this
    - the time of what was signed lies in the certificate's validity
    - the definition does not revoke the certificate's key, or revokes it from a later time than that

What an officer signs carries the certificate inside the signed payload, under "officer"; the message's `kid` must be
of that certificate. So a device that never met the officer can check it, without a network.
The time is the officer's own word; what is signed later by others bounds it (custody.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware.config import Election, KioskConfig
from firmware.errors import VerificationRefused
from firmware.records import Mode
from firmware.signing.authorities import Purpose, Scope, check_scope
from firmware.signing.certificates import check_issued_by_one, display_name
from firmware.signing.cose import Envelope, MessageType, SigningKey, open_verified, sign
from firmware.signing.definition import Revocation
from firmware.signing.election import ROOT, load_pem, only_certificate
from firmware.signing.encoding import decode
from firmware.signing.keys import key_id, public_key_of
from firmware.signing.texts import decode_texts, encode_texts
from firmware.signing.trust import TrustRoots
from firmware.signing.validity import inside_validity, utc

ROLE_OID = x509.ObjectIdentifier("2.25.283773415085672679905959609562206833260")
"""Under the arc of UUIDs (ITU-T X.667), which needs no registration."""
MAX_CERTIFICATE_BYTES = 2048
"""Of an officer's certificate, DER; ours are about 700 bytes."""
OFFICER = "officer"
"""Where the certificate stands in a signed payload."""


class Role(StrEnum):
    """What an officer does with devices."""

    TECHNICIAN = "technician"
    """Prepares and repairs them."""
    WAREHOUSE = "warehouse"
    """Keeps them in the kabupaten/kota's store."""
    PPK = "ppk"
    """Kecamatan committee."""
    PPS = "pps"
    """Kelurahan or village committee."""
    KPPS = "kpps"
    """Polling station committee."""


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer's certificate, opened. Nothing is proven yet when it comes from `officer_of`."""

    name: str
    role: Role
    kid: bytes
    certificate: x509.Certificate
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class OfficerTrust:
    """Who may make officers, of which election, and who is none any more."""

    issuers: tuple[x509.Certificate, ...]
    world: Mode
    election: str
    """Id; empty for an unsigned definition without `trust`: then any election of the issuers' world."""
    revoked: Mapping[bytes, Revocation] = field(default_factory=dict)
    """By key id."""

    @classmethod
    def of(cls, trust: TrustRoots) -> Self:
        """From an opened trust folder."""
        said = trust.election.election
        return cls(trust.issuers, said.mode, said.trust.id if said.trust else "", trust.revoked)

    @classmethod
    def of_device(cls, config: KioskConfig) -> Self:
        """From a device's configuration, which has verified the definition. Raises VerificationRefused.

        A device without `trust/root.pem` (training, development) believes no officer unless its definition has a root.
        """
        said = config.definition.election
        if said.trust is None or not (config.trust / ROOT).exists():
            return cls((), said.mode, "")
        return cls.of_definition(said, load_pem(config.trust / ROOT))

    @classmethod
    def of_definition(cls, said: Election, root: x509.Certificate) -> Self:
        """From a definition that was verified with this root. Raises VerificationRefused."""
        if said.trust is None:
            raise VerificationRefused("election-trust", problem="trust")
        scope = Scope(Purpose.ISSUING, said.mode, said.trust.id)
        issuers = tuple(only_certificate(pem.encode(), "election") for pem in said.trust.issuers)
        for issuer in issuers:
            check_scope(issuer, root, scope)
        revoked = {bytes.fromhex(entry.kid): entry for entry in said.trust.revoked}
        return cls(issuers, said.mode, said.trust.id, revoked)


def role_extension(role: Role) -> x509.UnrecognizedExtension:
    """The extension that an issuing authority puts into an officer's certificate."""
    return x509.UnrecognizedExtension(ROLE_OID, encode_texts((str(role),)))


def officer_of(certificate: x509.Certificate) -> Officer:
    """The officer that a certificate names; raises VerificationRefused. It proves nothing."""
    try:
        value = certificate.extensions.get_extension_for_oid(ROLE_OID).value
        assert isinstance(value, x509.UnrecognizedExtension)
        (role,) = decode_texts(value.value)
        (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        kid = key_id(certificate.public_bytes(Encoding.DER))
        return Officer(str(name.value), Role(role), kid, certificate, public_key_of(certificate))
    except (ValueError, IndexError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise VerificationRefused("certificate-purpose", subject=display_name(certificate)) from error


def check_officer(certificate: x509.Certificate, trust: OfficerTrust, unix: int, roles: Collection[Role]) -> Officer:
    """The officer, when the module's text holds at that time; raises VerificationRefused."""
    officer = check_belongs(certificate, trust)
    if officer.role not in roles:
        raise VerificationRefused("officer-role", name=officer.name, role=str(officer.role))
    check_in_office(officer, trust, unix)
    return officer


def check_belongs(certificate: x509.Certificate, trust: OfficerTrust) -> Officer:
    """The officer of an issuer of this election, at whatever time; raises VerificationRefused."""
    check_issued_by_one(certificate, trust.issuers)
    officer, scope = officer_of(certificate), Scope.of(certificate)
    if scope != Scope(Purpose.OFFICER, trust.world, trust.election or scope.election):
        raise VerificationRefused("certificate-purpose", subject=display_name(certificate))
    return officer


def check_in_office(officer: Officer, trust: OfficerTrust, unix: int) -> None:
    """Returns when the certificate was valid and not revoked at that time; raises VerificationRefused."""
    if not inside_validity(unix, officer.certificate):
        raise VerificationRefused("officer-validity", name=officer.name, time=utc(unix))
    entry = trust.revoked.get(officer.kid)
    if entry is not None and unix >= entry.since:
        raise VerificationRefused("officer-revoked", name=officer.name, since=utc(entry.since), reason=entry.reason)


def sign_as_officer(payload: Mapping[str, Any], kind: MessageType, key: SigningKey) -> bytes:
    """COSE bytes of `payload` with the certificate of `key` in it."""
    return sign({**payload, OFFICER: key.certificate}, kind, key)


def open_by_officer(
    envelope: Envelope, kind: MessageType, trust: OfficerTrust, roles: Collection[Role] = tuple(Role)
) -> tuple[Officer, dict[str, Any]]:
    """Who signed, and the payload without the certificate, when all of the module's text holds at its "unix".

    Raises VerificationRefused.
    """
    claimed = _signer(envelope)
    officer = check_belongs(claimed, trust)
    payload: dict[str, Any] = open_verified(envelope, kind, officer.public_key)
    unix = payload.get("unix")
    if not isinstance(unix, int):
        raise VerificationRefused("schema", problem="unix")
    check_officer(claimed, trust, unix, roles)
    return officer, {key: value for key, value in payload.items() if key != OFFICER}


def _signer(envelope: Envelope) -> x509.Certificate:
    """The certificate in a payload whose signature has not been looked at."""
    payload = decode(envelope.payload)
    der = payload.get(OFFICER) if isinstance(payload, dict) else None
    if not isinstance(der, bytes) or len(der) > MAX_CERTIFICATE_BYTES or key_id(der) != envelope.kid:
        raise VerificationRefused("officer-certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise VerificationRefused("officer-certificate") from error
