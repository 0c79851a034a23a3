"""A collector's acknowledgement: signed proof that it holds a record.

The collector's key is a file of its own, made on first run with a self-signed certificate, which is believed in a
development election as it stands in the trust folder; for any other the issuing authority's takes its place
(provisioning/ca.py). The acknowledgement's collector is the certificate's common name.

It says that the collector has verified the record and holds it where a power cut does not reach it. It says no more:
not where the record is in the collector's log (a proof says that), not that it counts, and not that it is the only
record of this number. So it is as true of one that waits in a queue (collector/intake.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware.errors import VerificationRefused
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.cose import MessageType, SigningKey, sign
from firmware.signing.key_file import FileKey, NewKey, load_or_make

ORGANISATION = "Collector of signed results"


def _now() -> datetime:
    return datetime.now(UTC)


def open_collector_key(folder: Path, name: str, clock: Callable[[], datetime] = _now) -> FileKey:
    """The collector's key in `folder`, made when there is none. Raises SignerRefused (`key-...`)."""
    return load_or_make(folder, lambda: make(clock(), name))


def make(now: datetime, name: str) -> NewKey:
    """A new collector key with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = Issuer(subject(name, ORGANISATION), key)
    return NewKey(key, issue(issuer.name, key.public_key(), issuer, now), others={})


def acknowledge(record_sha256: bytes, unix: int, key: SigningKey) -> bytes:
    """COSE bytes saying that the collector holds the record. The caller has verified and stored it before."""
    name = collector_name(x509.load_der_x509_certificate(key.certificate))
    payload = {"record": record_sha256, "collector": name, "unix": unix}
    return sign(payload, MessageType.ACKNOWLEDGEMENT, key)


def collector_name(certificate: x509.Certificate) -> str:
    """The collector that a certificate names; raises VerificationRefused("certificate-claims")."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise VerificationRefused("certificate-claims", subject=certificate.subject.rfc4514_string())
    return str(names[0].value)
