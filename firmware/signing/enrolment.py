"""How a device key that was made here gets a certificate that was issued elsewhere.

    <folder>/request.pem        PKCS#10, signed by the device key; it asks for the claims (keys.py) it needs
    <folder>/issued.pem         what came back: the device certificate, then the certificate of its issuer
    <folder>/board.txt          the serial of the board that the key was made on, where boards have one; the self-test
                                compares it with the board that it runs on, and so finds a card that was swapped

The request's claims are wishes: the issuer looks at the device and grants what is true. What comes back is installed
only when it is of this key, grants exactly what was asked for, and is signed by the issuer that comes with it. Whether
that issuer is the election's is not for the device to judge: whoever verifies records judges that.
All of them are public. None is ever overwritten: another certificate is another enrolment, of another key.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import SignerRefused
from firmware.signing import durable
from firmware.signing.certificates import check_issued, load_certificates, subject
from firmware.signing.keys import DeviceClaims, claims_extension, claims_of

REQUEST_NAME = "request.pem"
ISSUED_NAME = "issued.pem"
BOARD_NAME = "board.txt"
BOARD_SERIAL = Path("/proc/device-tree/serial-number")
"""Where the kernel tells the serial that is burnt into the board, with a NUL behind it."""
SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""Of a device: it stands in its certificate, names its log and a file in the office."""
MAX_FILE_BYTES = 64 * 1024
"""Of a request or certificate file; ours are under 2 kB."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What is installed beside an enrolled key."""

    certificate: x509.Certificate
    authority: bytes
    """Certificate of its issuer, DER."""


def make_request(key: ec.EllipticCurvePrivateKey, claims: DeviceClaims) -> x509.CertificateSigningRequest:
    """A request for a certificate of `key` with `claims`, signed by the key."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject(f"C1 kiosk {claims.serial}", f"C1 kiosk, {claims.world.upper()}", claims.serial))
        .add_extension(claims_extension(claims), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def keep_request(folder: Path, request: x509.CertificateSigningRequest) -> None:
    """Writes the request into the key's folder. Raises SignerRefused("key-exists") when there is one."""
    _keep(folder / REQUEST_NAME, request.public_bytes(Encoding.PEM))


def keep_board(folder: Path, serial: Path = BOARD_SERIAL) -> None:
    """Writes down which board the key was made on; nothing where boards have no serial."""
    (folder / BOARD_NAME).unlink(missing_ok=True)  # of a try that was cut before its request was kept
    if serial.exists():
        _keep(folder / BOARD_NAME, serial.read_bytes().rstrip(b"\0\n") + b"\n")


def install(folder: Path, pem: bytes) -> Enrolled:
    """Puts what the issuer sent beside the key: the device certificate and its issuer's.

    Raises SignerRefused (`key-...`) or VerificationRefused (`certificate-...`).
    """
    request = _request(folder / REQUEST_NAME)
    enrolled = _enrolled(pem, "certificate")
    claims = claims_of(enrolled.certificate)
    if enrolled.certificate.public_key() != request.public_key():
        raise SignerRefused("key-certificate", serial=claims.serial)
    if claims != claims_of(request):
        raise SignerRefused("key-claims", serial=claims.serial)
    _keep(folder / ISSUED_NAME, pem)
    return enrolled


def load(folder: Path) -> Enrolled:
    """What is installed in `folder`. Raises as `install`, and SignerRefused("key-not-enrolled")."""
    path = folder / ISSUED_NAME
    if not path.exists():
        raise SignerRefused("key-not-enrolled", folder=str(folder))
    return _enrolled(_read(path), str(path))


def _enrolled(pem: bytes, name: str) -> Enrolled:
    """Raises unless it is two certificates, the second of the issuer of the first."""
    certificates = load_certificates(pem, name)
    if len(certificates) != 2:
        raise SignerRefused("key-chain", file=name)
    certificate, authority = certificates
    check_issued(certificate, authority)
    return Enrolled(certificate, authority.public_bytes(Encoding.DER))


def _request(path: Path) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(_read(path))
    except ValueError as error:
        raise SignerRefused("key-unreadable", file=str(path)) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise SignerRefused("key-unreadable", file=str(path)) from error


def _keep(path: Path, data: bytes) -> None:
    """Provisioning runs as root, the signer does not: what is written belongs to whom the folder belongs."""
    owner = path.parent.stat()
    try:
        durable.create(path, data)
    except FileExistsError as error:
        raise SignerRefused("key-exists", file=str(path)) from error
    os.chown(path, owner.st_uid, owner.st_gid)
