"""A device key in a file that only this device can open: a systemd credential.

The private key is made in memory and handed through a pipe to `systemd-creds encrypt`, which seals it to the machine:
with the TPM where there is one, with the host's secret under /var/lib/systemd, or both. systemd opens it for the
signer's unit alone (`LoadCredentialEncrypted=device-key:...`) into memory that is never swapped; the clear key
touches no disk. The name of the credential is sealed in: it cannot be served under another one.

What this stops: reading the key from a card or a copy of it, when the seal is the TPM's. What it does not: sealed
with the host's secret alone, the secret lies on the same card, and root on the running device can read the key either
way. So the certificate says `sealed-file`, which is better than a plain file and is not a TPM.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import SignerRefused
from firmware.signing import durable, enrolment
from firmware.signing.key_file import FileKey
from firmware.signing.keys import Protection, check_own

CREDENTIAL = "device-key"
FOLDER_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd says it has put the opened credentials of a unit."""
SEALS = ("auto", "host", "tpm2", "host+tpm2")
"""What `systemd-creds encrypt --with-key=` takes; auto is host and TPM where there is a TPM."""
SEAL_WITHIN_S = 60.0
"""A TPM may take seconds to derive its storage key."""


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A DeviceKey from a credential."""

    file: FileKey
    authority: bytes
    """Certificate of the issuer, DER."""

    @classmethod
    def open(cls, folder: Path, environment: Mapping[str, str]) -> Self:
        """The key that systemd hands to this process, with the certificate in `folder`.

        Raises SignerRefused (`key-...`) or VerificationRefused (`certificate-...`).
        """
        path = Path(environment.get(FOLDER_VARIABLE, "/")) / CREDENTIAL
        private_key, enrolled = _private_key(path), enrolment.load(folder)
        check_own(enrolled.certificate, private_key.public_key(), Protection.SEALED_FILE)
        return cls(FileKey(private_key, enrolled.certificate.public_bytes(Encoding.DER)), enrolled.authority)

    @property
    def certificate(self) -> bytes:
        """The device certificate, DER."""
        return self.file.certificate

    @property
    def protection(self) -> Protection:
        """Sealed to this device."""
        return Protection.SEALED_FILE

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes."""
        return self.file.sign(message)


def make(credential: Path, seal: str) -> ec.EllipticCurvePrivateKey:
    """A new key, sealed into the file `credential`.

    Raises SignerRefused("key-exists" or "key-not-sealed").
    """
    if credential.exists():
        raise SignerRefused("key-exists", file=str(credential))
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    durable.create(credential, _sealed(pem, seal))
    return key


def _sealed(pem: bytes, seal: str) -> bytes:
    command = ["systemd-creds", "encrypt", f"--name={CREDENTIAL}", f"--with-key={seal}", "-", "-"]
    try:
        done = subprocess.run(command, input=pem, capture_output=True, check=True, timeout=SEAL_WITHIN_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise SignerRefused("key-not-sealed", problem=error.stderr.decode(errors="replace").strip()) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignerRefused("key-not-sealed", problem=str(error)) from error
    return done.stdout


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SignerRefused("key-unreadable", file=str(path)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SignerRefused("key-unreadable", file=str(path))
    return key
