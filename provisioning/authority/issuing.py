"""What the authorities sign: the root, the authorities of one election, and the certificates below them.

Pure, but for the keys it makes. A request (PKCS#10) is granted only when whoever sent it holds the key, the key is
P-256, and what it asks for is what a person at the desk has said: the request never decides.
Refusals (ProvisioningRefused): `request-possession`, `request-claims`, `request-plain-key`, `request-name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing.authorities import Purpose, Scope
from firmware.signing.certificates import LIFETIME, Issuer, issue, subject
from firmware.signing.keys import DeviceClaims, Protection, claims_extension, claims_of
from firmware.signing.officers import Role, role_extension

ROOT_LIFETIME = timedelta(days=7300)
"""Four elections."""


AUTHORITIES = (Purpose.ISSUING, Purpose.ELECTION, Purpose.RELEASE, Purpose.TLS, Purpose.OPERATORS)
"""What stands directly below a root."""
SIGN_FILES = (Purpose.ELECTION, Purpose.RELEASE)
"""Those that sign definitions and release manifests; the others sign certificates."""
_FOR_OTHERS: Mapping[Purpose, tuple[x509.ExtensionType, ...]] = {
    Purpose.RELEASE: (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),)
}
"""What other people's programs ask for: RAUC believes an update only when its signer may sign code."""
OFFICER_LIFETIME = timedelta(days=366)
"""An election from the first training to the archive."""

_OFFICER_NAME = re.compile(r"[^\W\d_][\w .,'-]{0,63}")
"""As on the identity card; 64 characters are what a common name holds (RFC 5280)."""
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""It names a file here, and the device's log (firmware/signing/checkpoint.py)."""


class ProvisioningRefused(Refused):
    """Nothing was signed."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that can sign: its key, its certificate, and what both are for."""

    issuer: Issuer
    certificate: x509.Certificate

    @property
    def scope(self) -> Scope:
        """What the certificate is for; raises VerificationRefused."""
        return Scope.of(self.certificate)


def make_root(
    organisation: str, world: Mode, now: datetime, key: ec.EllipticCurvePrivateKey | None = None
) -> Authority:
    """A new root of one world; `key` is a new one in memory unless it was made elsewhere (key.py)."""
    key, name = key or new_key(), subject(_title("root", world), organisation)
    certificate = issue(
        name,
        key.public_key(),
        Issuer(name, key),
        now,
        authority=True,
        path_length=1,
        extensions=[Scope(Purpose.ROOT, world).extension()],
        lifetime=ROOT_LIFETIME,
    )
    return Authority(Issuer(name, key, certificate), certificate)


def make_authority(
    root: Authority,
    purpose: Purpose,
    election: str,
    now: datetime,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Authority:
    """An authority of one election, below the root; `key` as in `make_root`. Raises Refused."""
    above = root.scope
    if above.purpose is not Purpose.ROOT or purpose not in AUTHORITIES:
        raise ProvisioningRefused("authority-purpose", purpose=str(above.purpose))
    key = key or new_key()
    name = subject(f"{_title(f'{purpose} authority', above.world)} {election}", organisation_of(root))
    certificate = issue(
        name,
        key.public_key(),
        root.issuer,
        now,
        authority=purpose not in SIGN_FILES,
        extensions=[Scope(purpose, above.world, election).extension(), *_FOR_OTHERS.get(purpose, ())],
    )
    return Authority(Issuer(name, key, certificate), certificate)


def issue_device(
    issuing: Authority, request: x509.CertificateSigningRequest, serial: str, protection: Protection, now: datetime
) -> x509.Certificate:
    """The certificate of a device whose serial and key protection a person has looked at. Raises Refused."""
    scope = _issuing(issuing)
    if not _SERIAL.fullmatch(serial):
        raise ProvisioningRefused("request-name", name=serial)
    granted = DeviceClaims(scope.world, serial, protection)
    if claims_of(request) != granted:
        raise ProvisioningRefused("request-claims", serial=claims_of(request).serial)
    if scope.world is Mode.REAL and protection is Protection.PLAIN_FILE:
        raise ProvisioningRefused("request-plain-key", serial=serial)
    name = subject(f"{_title('kiosk', scope.world)} {serial}", organisation_of(issuing), serial)
    return issue(name, possessed(request), issuing.issuer, now, extensions=[claims_extension(granted)])


def issue_collector(
    issuing: Authority, request: x509.CertificateSigningRequest, name: str, hosts: Sequence[str], now: datetime
) -> x509.Certificate:
    """The certificate of a collector, for its acknowledgements and for TLS on `hosts`. Raises Refused."""
    scope = _issuing(issuing)
    extensions: list[x509.ExtensionType] = [Scope(Purpose.COLLECTOR, scope.world, scope.election).extension()]
    if hosts:
        extensions.append(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]))
    return issue(
        subject(name, organisation_of(issuing)),
        possessed(request),
        issuing.issuer,
        now,
        extensions=extensions,
        lifetime=LIFETIME,
    )


def issue_officer(
    issuing: Authority, request: x509.CertificateSigningRequest, name: str, role: Role, now: datetime
) -> x509.Certificate:
    """The certificate of an officer whose identity and appointment a person has looked at. Raises Refused."""
    scope = _issuing(issuing)
    if not _OFFICER_NAME.fullmatch(name):
        raise ProvisioningRefused("request-name", name=name)
    return issue(
        subject(name, organisation_of(issuing)),
        possessed(request),
        issuing.issuer,
        now,
        extensions=[Scope(Purpose.OFFICER, scope.world, scope.election).extension(), role_extension(role)],
        lifetime=OFFICER_LIFETIME,
    )


def possessed(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    """The key of a request that was signed with it."""
    key = request.public_key()
    if not request.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise ProvisioningRefused("request-possession")
    if not isinstance(key.curve, ec.SECP256R1):
        raise ProvisioningRefused("request-possession")
    return key


def _issuing(authority: Authority) -> Scope:
    scope = authority.scope
    if scope.purpose is not Purpose.ISSUING:
        raise ProvisioningRefused("authority-purpose", purpose=str(scope.purpose))
    return scope


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key in memory."""
    return ec.generate_private_key(ec.SECP256R1())


def _title(role: str, world: Mode) -> str:
    return f"C1 kiosk {role}" if world is Mode.REAL else f"{world.upper()} C1 kiosk {role}"


def organisation_of(authority: Authority) -> str:
    """Of the authority, and so of what it issues."""
    (found,) = authority.certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return str(found.value)
