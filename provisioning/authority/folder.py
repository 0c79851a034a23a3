"""Where an authority lives: a folder on a machine that is never on a network, or on a stick in a safe.

    key.pem            the private key, encrypted under a passphrase; or key.json, the way to it (key.py)
    certificate.pem
    issued/<name>.pem  every certificate it has issued, one for each name: a serial never gets a second one

A new authority is put together in <folder>.unfinished, its key first, and has its name when it is whole. Cut off, the
same command goes on with that key; what had been issued for it is handed out again.
Refusals (ProvisioningRefused): `authority-exists`, `authority-unreadable`, `authority-passphrase`, `already-issued`.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.signing import durable
from firmware.signing.certificates import Issuer
from firmware.signing.key_file import CERTIFICATE_NAME
from provisioning.authority import key as authority_key
from provisioning.authority.issuing import Authority, ProvisioningRefused
from provisioning.authority.key import Way

ISSUED = "issued"
UNFINISHED = ".unfinished"


def begin(folder: Path, way: Way, passphrase: bytes) -> ec.EllipticCurvePrivateKey:
    """The key of a new authority: on disk before anything is signed with it or for it. Raises Refused."""
    if folder.exists():
        raise ProvisioningRefused("authority-exists", folder=str(folder))
    unfinished = _unfinished(folder)
    if authority_key.is_kept(unfinished):
        return authority_key.load(unfinished, passphrase)
    whole, key = authority_key.make(way, passphrase)
    unfinished.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
    authority_key.keep(unfinished, whole, key, passphrase)
    return key


def finish(folder: Path, certificate: x509.Certificate) -> None:
    """Gives the authority that was begun its certificate and its name."""
    unfinished = _unfinished(folder)
    durable.replace(unfinished / CERTIFICATE_NAME, _pem(certificate))
    (unfinished / ISSUED).mkdir(mode=durable.PRIVATE_FOLDER, exist_ok=True)
    durable.sync_folder(unfinished)
    durable.rename(unfinished, folder)


def load(folder: Path, passphrase: bytes) -> Authority:
    """The authority in `folder`. Raises Refused."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE_NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise ProvisioningRefused("authority-unreadable", folder=str(folder)) from error
    key = authority_key.load(folder, passphrase)
    if key.public_key() != certificate.public_key():
        raise ProvisioningRefused("authority-unreadable", folder=str(folder))
    return Authority(Issuer(certificate.subject, key, certificate), certificate)


def register(folder: Path, name: str, certificate: x509.Certificate) -> x509.Certificate:
    """Notes what was issued, before it is handed out, and gives it: the first one, when the same was issued before.
    Raises ProvisioningRefused when the name has a certificate of another key, or with other contents."""
    path = folder / ISSUED / f"{name}.pem"
    if path.parent != folder / ISSUED:
        raise ProvisioningRefused("request-name", name=name)
    try:
        durable.create(path, _pem(certificate))
    except FileExistsError as error:
        before = issued(folder, name)
        if before is None or not _same(before, certificate):
            raise ProvisioningRefused("already-issued", name=name) from error
        return before
    except OSError as error:
        raise ProvisioningRefused("authority-unreadable", folder=str(path.parent)) from error
    return certificate


def issued(folder: Path, name: str) -> x509.Certificate | None:
    """What was issued under that name, or None."""
    path = folder / ISSUED / f"{name}.pem"
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None


def _unfinished(folder: Path) -> Path:
    return folder.with_name(folder.name + UNFINISHED)


def _same(one: x509.Certificate, other: x509.Certificate) -> bool:
    """But for serial number, time and signature."""
    return (one.public_key(), one.subject, list(one.extensions)) == (
        other.public_key(),
        other.subject,
        list(other.extensions),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
