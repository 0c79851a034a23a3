"""Is this the certificate that this device asked for, of this election, now? The laptop asks before it sends one, the
device before it takes one. Pure; what is wrong is said by name.

Refusals (ProvisioningRefused): `enrol-other-device`, `enrol-other-key`, `enrol-other-world`, `enrol-protection`,
`enrol-expired`, `enrol-clock`; and VerificationRefused (`certificate-...`) when no authority of this election issued
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from firmware.signing.authorities import Purpose, Scope
from firmware.signing.certificates import check_issued, check_issued_by_one, load_certificates
from firmware.signing.keys import DeviceClaims, claims_of
from provisioning.authority.issuing import ProvisioningRefused


def judge_device(
    pem: bytes, request: x509.CertificateSigningRequest, issuers: Sequence[x509.Certificate], now: datetime
) -> DeviceClaims:
    """What the device certificate grants (the first of `pem`), when it answers the request. Raises Refused."""
    certificate = load_certificates(pem, "issued.pem")[0]
    said, wished = claims_of(certificate), claims_of(request)
    if said.serial != wished.serial:
        raise ProvisioningRefused("enrol-other-device", said=said.serial, found=wished.serial)
    if said.world is not wished.world:
        raise ProvisioningRefused("enrol-other-world", said=str(said.world), expected=str(wished.world))
    if certificate.public_key() != request.public_key():
        raise ProvisioningRefused("enrol-other-key", serial=said.serial)
    if said.protection is not wished.protection:
        raise ProvisioningRefused(
            "enrol-protection", serial=said.serial, said=str(said.protection), found=str(wished.protection)
        )
    check_issued_by_one(certificate, issuers)
    judge_time(certificate, said.serial, now)
    return said


def judge_connection(
    pem: bytes, request: x509.CertificateSigningRequest, serial: str, authority: x509.Certificate, now: datetime
) -> None:
    """The TLS certificate of this kiosk, issued by that TLS authority. Raises Refused."""
    certificate = load_certificates(pem, "certificate.pem")[0]
    names = [str(entry.value) for entry in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]
    if names != [serial]:
        raise ProvisioningRefused("enrol-other-device", said=", ".join(names), found=serial)
    if certificate.public_key() != request.public_key():
        raise ProvisioningRefused("enrol-other-key", serial=serial)
    above = Scope.of(authority)
    if Scope.of(certificate) != Scope(Purpose.CONNECTION, above.world, above.election):
        raise ProvisioningRefused("enrol-other-world", said=str(Scope.of(certificate).world), expected=str(above.world))
    check_issued(certificate, authority)
    judge_time(certificate, serial, now)


def judge_time(certificate: x509.Certificate, serial: str, now: datetime) -> None:
    """Valid at this moment. Raises ProvisioningRefused."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise ProvisioningRefused("enrol-expired", serial=serial, until=f"{end:%Y-%m-%d}", now=f"{now:%Y-%m-%d}")
    if now < begin:
        raise ProvisioningRefused("enrol-clock", serial=serial, begin=f"{begin:%Y-%m-%d}", now=f"{now:%Y-%m-%d}")
