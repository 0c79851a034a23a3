"""A checkpoint: the head of a device's log as a signed note that witnesses can keep and cosign.

Text (C2SP tlog-checkpoint), lines ended by a line feed:

    c1kiosk.id/<serial>        origin
    3                          tree size, decimal, no leading zeros
    <base64>                   root of the Merkle tree of RFC 9162 over the names of all records (merkle.py)

then an empty line and the signature line of the device (C2SP signed-note), em dash, space, key name, space, base64:

    — c1kiosk.id/<serial> base64(key id || signature)

The key name is the origin. The algorithm is that of note signature type 0x02, ECDSA: key id is the first four bytes
of SHA-256 of the public key (DER SubjectPublicKeyInfo); the signature is DER of ECDSA over P-256 and SHA-256 of the
text up to and with the line feed before the empty line. `make` writes exactly this, without extension lines. `verify`
takes what the two specifications let others add: extension lines (not empty, ignored) and up to MAX_SIGNATURES
signature lines of other keys (ignored: a witness's cosignature is for whoever knows the witness). A second signature
by the device refuses.

Other things that a device key signs: COSE Sig_structures, which begin with the byte 0x84, and certificate requests,
which begin with 0x30 0x82. A text begins with "c1kiosk.id/", so no signature of one is ever a signature of the other.
Two checkpoints of one device with the same size and different roots prove that it kept two histories.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware.errors import VerificationRefused
from firmware.signing.cose import SigningKey
from firmware.signing.keys import Device, DeviceKey

ORIGIN = "c1kiosk.id/"
MAX_BYTES = 128 * 1024
"""Of a note: 16 signatures, of which the largest known kind is under 5 kB."""
MAX_SIGNATURES = 16
"""What a verifier of signed notes must at least accept."""

_KEY_ID_BYTES = 4
_ROOT_BYTES = 32
_HALF = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,8}")
"""Log sizes go to 999,999,999 records: a device has some thousand, the collector of a whole country 4.1 million."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed. Raises ValueError for a serial that an origin cannot hold."""
        if not _NAME.fullmatch(self.origin.removeprefix(ORIGIN)):
            raise ValueError(f"not an origin: {self.origin}")
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def make(size: int, root: bytes, device: Device, key: DeviceKey) -> str:
    """The signed note of a log with `size` records. `device` is that of the key's certificate."""
    return sign_note(Checkpoint(ORIGIN + device.claims.serial, size, root), device.public_key, key)


def sign_note(head: Checkpoint, public_key: ec.EllipticCurvePublicKey, key: SigningKey) -> str:
    """The signed note of any log of this system: a device's, or a collector's. Raises ValueError as `text`."""
    text = head.text()
    raw = key.sign(text.encode())
    signature = encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
    blob = base64.b64encode(_note_key_id(public_key) + signature).decode()
    return f"{text}\n— {head.origin} {blob}\n"


def verify(note: bytes, device: Device) -> Checkpoint:
    """The checkpoint in a note that this device has signed. Raises VerificationRefused (`checkpoint-...`)."""
    return verify_note(note, ORIGIN + device.claims.serial, device.public_key)


def verify_note(note: bytes, expected: str, public_key: ec.EllipticCurvePublicKey) -> Checkpoint:
    """The checkpoint of the log `expected` that this key has signed. Raises VerificationRefused (`checkpoint-...`)."""
    text, lines = _split(note)
    head = _parse(text)
    if head.origin != expected:
        raise VerificationRefused("checkpoint-origin", found=head.origin, expected=expected)
    own = [blob for name, blob in lines if (name, blob[:_KEY_ID_BYTES]) == (expected, _note_key_id(public_key))]
    if len(own) != 1:
        raise VerificationRefused("checkpoint-signature", origin=expected)
    try:
        public_key.verify(own[0][_KEY_ID_BYTES:], text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise VerificationRefused("checkpoint-signature", origin=expected) from error
    return head


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """The text, and name and bytes of every signature line."""
    _require(len(note) <= MAX_BYTES)
    try:
        text, empty, signatures = note.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise VerificationRefused("checkpoint-form") from error
    _require(bool(empty) and signatures.endswith("\n"))
    lines = signatures[:-1].split("\n")
    _require(1 <= len(lines) <= MAX_SIGNATURES)
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE_LINE.fullmatch(line)
    _require(found is not None)
    assert found
    blob = _base64(found[2])
    _require(len(blob) > _KEY_ID_BYTES)
    return found[1], blob


def _parse(text: str) -> Checkpoint:
    _require(not any(character < " " and character != "\n" for character in text))
    origin, _, rest = text.partition("\n")
    size, _, rest = rest.partition("\n")
    root, _, extensions = rest.partition("\n")
    _require(_SIZE.fullmatch(size) is not None and origin != "")
    _require(all(extensions.split("\n")[:-1]))
    head = Checkpoint(origin, int(size), _base64(root))
    _require(len(head.root) == _ROOT_BYTES)
    return head


def _base64(text: str) -> bytes:
    """Bytes of base64 that has exactly one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationRefused("checkpoint-form") from error
    _require(base64.b64encode(data).decode() == text)
    return data


def _note_key_id(public_key: ec.EllipticCurvePublicKey) -> bytes:
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:_KEY_ID_BYTES]


def _require(holds: bool) -> None:
    if not holds:
        raise VerificationRefused("checkpoint-form")
