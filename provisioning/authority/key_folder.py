"""A key made here for a certificate that is issued elsewhere: an officer's, or one for TLS.

    <folder>/key.pem            P-256, mode 0600; encrypted (an officer's), or plain (a service reads it)
    <folder>/request.pem        PKCS#10, signed by the key: goes to the authority
    <folder>/certificate.pem    what came back, put there by `install`

The key never leaves the folder. Making it again gives the same request; nothing is ever overwritten.
Refusals (ProvisioningRefused): `officer-passphrase`, `officer-folder`, `officer-other-key`.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from firmware.signing import durable
from firmware.signing.certificates import load_certificates, subject
from firmware.signing.key_file import CERTIFICATE_NAME, KEY_NAME, FileKey
from provisioning.authority.issuing import ProvisioningRefused

REQUEST_NAME = "request.pem"
MIN_PASSPHRASE = 12
"""Characters: a stick is lost, and what is on it is then guessed at leisure."""
MAX_PEM_BYTES = 64 * 1024
"""Of a certificate file."""


def make(folder: Path, name: str, passphrase: bytes | None) -> Path:
    """A key and its request in `folder`; what is there stays. Returns the request's path. Raises Refused."""
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        raise ProvisioningRefused("officer-passphrase", least=MIN_PASSPHRASE)
    request = folder / REQUEST_NAME
    if request.exists():
        return request
    try:
        folder.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
        key = _key(folder, passphrase)
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject(name, "C1 kiosk"))
        durable.create(request, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    except OSError as error:
        raise ProvisioningRefused("officer-folder", folder=str(folder), problem=str(error.strerror)) from error
    return request


def install(folder: Path, pem: bytes) -> x509.Certificate:
    """Puts the issued certificate beside the key it is of. Raises Refused."""
    certificate = load_certificates(pem, CERTIFICATE_NAME)[0]
    try:
        request = x509.load_pem_x509_csr((folder / REQUEST_NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise ProvisioningRefused("officer-folder", folder=str(folder), problem=REQUEST_NAME) from error
    if request.public_key() != certificate.public_key():
        raise ProvisioningRefused("officer-other-key", folder=str(folder))
    path, data = folder / CERTIFICATE_NAME, certificate.public_bytes(Encoding.PEM)
    if not path.exists() or path.read_bytes() != data:
        path.unlink(missing_ok=True)
        durable.create(path, data)
    return certificate


def load(folder: Path, passphrase: bytes) -> FileKey:
    """The officer's key with its certificate. Raises ProvisioningRefused("officer-folder")."""
    try:
        with (folder / CERTIFICATE_NAME).open("rb") as file:
            certificate = load_certificates(file.read(MAX_PEM_BYTES), CERTIFICATE_NAME)[0]
        key = _load(folder / KEY_NAME, passphrase)
    except OSError as error:
        raise ProvisioningRefused("officer-folder", folder=str(folder), problem=str(error.strerror)) from error
    if key.public_key() != certificate.public_key():
        raise ProvisioningRefused("officer-other-key", folder=str(folder))
    return FileKey(key, certificate.public_bytes(Encoding.DER))


def _key(folder: Path, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    """The key in `folder`, made when there is none: a power cut may have left one without its request."""
    path = folder / KEY_NAME
    if path.exists():
        return _load(path, passphrase)
    key = ec.generate_private_key(ec.SECP256R1())
    keep = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    durable.create(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, keep))
    return key


def _load(path: Path, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
    except (ValueError, TypeError) as error:
        raise ProvisioningRefused("officer-folder", folder=str(path.parent), problem=KEY_NAME) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ProvisioningRefused("officer-folder", folder=str(path.parent), problem=KEY_NAME)
    return key
