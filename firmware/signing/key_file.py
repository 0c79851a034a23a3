"""A P-256 key in a private folder, made on first use: `key.pem` (0600), `certificate.pem` and what else its maker adds.

The folder comes to be in one step (made beside, synced, renamed), so a power cut leaves a whole key or none, and two
processes that start together end with the same key. A folder or key that others may read is refused: a key that was
readable is not a key any more.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from firmware.errors import SignerRefused
from firmware.signing import durable

KEY_NAME = "key.pem"
CERTIFICATE_NAME = "certificate.pem"

_ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
"""RFC 6979: a kiosk that has just started has little randomness, and a repeated nonce would give the key away."""
_HALF = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class FileKey:
    """A private key and the certificate that names it."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: bytes
    """DER."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes."""
        r, s = decode_dss_signature(self.private_key.sign(message, _ES256))
        return r.to_bytes(_HALF) + s.to_bytes(_HALF)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as made: its certificate and other certificates to be kept beside it, by file name."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    others: Mapping[str, x509.Certificate]


def load_or_make(folder: Path, make: Callable[[], NewKey]) -> FileKey:
    """The key in `folder`; when the folder is not there, `make` is called once. Raises SignerRefused (`key-...`)."""
    if not folder.exists():
        _make_folder(folder, make())
    return _load(folder)


def load_certificate(path: Path) -> x509.Certificate:
    """The certificate in a PEM file; raises SignerRefused("key-unreadable")."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SignerRefused("key-unreadable", file=str(path)) from error


def _load(folder: Path) -> FileKey:
    for path in (folder, folder / KEY_NAME):
        _check_private(path)
    try:
        private_key = serialization.load_pem_private_key((folder / KEY_NAME).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SignerRefused("key-unreadable", file=str(folder / KEY_NAME)) from error
    certificate = load_certificate(folder / CERTIFICATE_NAME)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or private_key.public_key() != certificate.public_key():
        raise SignerRefused("key-unreadable", file=str(folder / KEY_NAME))
    return FileKey(private_key, certificate.public_bytes(serialization.Encoding.DER))


def _check_private(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise SignerRefused("key-unreadable", file=str(path)) from error
    if found.st_uid != os.getuid() or found.st_mode & _OTHERS:
        raise SignerRefused("key-permissions", file=str(path))


def _make_folder(folder: Path, new: NewKey) -> None:
    folder.parent.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
    incoming = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, data in _files(new).items():
            durable.write(incoming / name, data)
        durable.sync_folder(incoming)
        incoming.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        # Another process was first: its key is the one.
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    durable.sync_folder(folder.parent)


def _files(new: NewKey) -> dict[str, bytes]:
    key = new.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificates = {CERTIFICATE_NAME: new.certificate, **new.others}
    pem = {name: entry.public_bytes(serialization.Encoding.PEM) for name, entry in certificates.items()}
    return {KEY_NAME: key, **pem}
