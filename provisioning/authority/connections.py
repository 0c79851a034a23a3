"""TLS certificates: how kiosks, laptops and collectors know each other on a network. Nothing else is signed with them.

They come from authorities of their own, so that a stolen TLS key can never become a device's, an officer's or a
collector's signature, and a kiosk's key never lets anybody in where a laptop is asked for:

    party      authority    certificate
    kiosk      tls          serial in the subject. Without host: a client of collectors. With host: a server on a LAN
    collector  tls          a server on its hosts, and a client where it forwards
    laptop     operators    a client of kiosks' LAN and of collectors; short-lived, for kiosks revoke no laptop

Refusals (ProvisioningRefused): `authority-purpose`, `request-name`, `request-possession`, `tls-hosts`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from firmware.signing.authorities import Purpose, Scope
from firmware.signing.certificates import issue, subject
from provisioning.authority.issuing import Authority, ProvisioningRefused, organisation_of, possessed

LIFETIME = timedelta(days=366)
"""Of kiosks and collectors: an election and its archive."""
LAPTOP_LIFETIME = timedelta(days=30)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""Also of a file here."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Party(StrEnum):
    """Who is at an end of a connection."""

    KIOSK = "kiosk"
    LAPTOP = "laptop"
    COLLECTOR = "collector"


def issue_connection(
    authority: Authority,
    request: x509.CertificateSigningRequest,
    party: Party,
    name: str,
    hosts: Sequence[str],
    now: datetime,
) -> x509.Certificate:
    """The TLS certificate of a party that a person knows; `name` is the serial of a kiosk. Raises Refused."""
    scope, laptop = authority.scope, party is Party.LAPTOP
    if scope.purpose is not (Purpose.OPERATORS if laptop else Purpose.TLS):
        raise ProvisioningRefused("authority-purpose", purpose=str(scope.purpose))
    if not _NAME.fullmatch(name):
        raise ProvisioningRefused("request-name", name=name)
    extensions: list[x509.ExtensionType] = [
        Scope(Purpose.CONNECTION, scope.world, scope.election).extension(),
        x509.ExtendedKeyUsage(_usages(party, hosts)),
    ]
    if hosts:
        extensions.append(x509.SubjectAlternativeName([_host(host) for host in hosts]))
    return issue(
        subject(f"{name} TLS", organisation_of(authority), name if party is Party.KIOSK else ""),
        possessed(request),
        authority.issuer,
        now,
        extensions=extensions,
        lifetime=LAPTOP_LIFETIME if laptop else LIFETIME,
    )


def _usages(party: Party, hosts: Sequence[str]) -> list[x509.ObjectIdentifier]:
    if bool(hosts) is not (party is Party.COLLECTOR) and party is not Party.KIOSK:
        raise ProvisioningRefused("tls-hosts", party=str(party))
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    if party is Party.COLLECTOR:
        return [server, client]
    return [server] if hosts else [client]


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ProvisioningRefused("request-name", name=text) from None
        return x509.DNSName(text)
