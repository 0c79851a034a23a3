"""Where an authority lives: a folder on a machine that is never on a network, or on a stick in a safe.

    key.pem            the private key, encrypted under a passphrase; or key.json, the way to it (key.py)
    certificate.pem
    issued/<name>.pem  every certificate it has issued, one for each name: a serial never gets a second one

Refusals (ProvisioningRefused): `authority-exists`, `authority-unreadable`, `authority-passphrase`, `already-issued`.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from firmware.signing import durable
from firmware.signing.certificates import Issuer
from firmware.signing.key_file import CERTIFICATE_NAME
from provisioning.authority import key as authority_key
from provisioning.authority.issuing import Authority, ProvisioningRefused
from provisioning.authority.key import FILE, Way

ISSUED = "issued"


def keep(folder: Path, authority: Authority, passphrase: bytes, way: Way = FILE) -> None:
    """Writes a new authority; nothing is overwritten. Raises ProvisioningRefused."""
    if len(passphrase) < authority_key.least(way):
        raise ProvisioningRefused("authority-passphrase", least=authority_key.least(way))
    try:
        folder.mkdir(mode=durable.PRIVATE_FOLDER, parents=True)
        (folder / ISSUED).mkdir(mode=durable.PRIVATE_FOLDER)
    except FileExistsError as error:
        raise ProvisioningRefused("authority-exists", folder=str(folder)) from error
    authority_key.keep(folder, way, authority.issuer.private_key, passphrase)
    durable.write(folder / CERTIFICATE_NAME, authority.certificate.public_bytes(serialization.Encoding.PEM))
    durable.sync_folder(folder)


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


def register(folder: Path, name: str, certificate: x509.Certificate) -> None:
    """Notes what was issued, before it is handed out. Raises ProvisioningRefused when the name has a certificate."""
    path = folder / ISSUED / f"{name}.pem"
    if path.parent != folder / ISSUED:
        raise ProvisioningRefused("request-name", name=name)
    try:
        durable.create(path, certificate.public_bytes(serialization.Encoding.PEM))
    except FileExistsError as error:
        raise ProvisioningRefused("already-issued", name=name) from error
    except OSError as error:
        raise ProvisioningRefused("authority-unreadable", folder=str(path.parent)) from error


def issued(folder: Path, name: str) -> x509.Certificate | None:
    """What was issued under that name, or None."""
    path = folder / ISSUED / f"{name}.pem"
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None
