"""COSE_Sign1 (RFC 9052) with ES256, the only envelope of this system.

    18([ protected, {}, payload, signature ])
    protected = { 1: -7 (ES256), 4: kid (8 bytes), 16: type }

The type (RFC 9596) names purpose and version, so that no signature can be taken for one of another purpose. Nothing
else may be in the headers, the unprotected header is empty, the payload is attached and there is no external data:
a message has exactly one encoding. The signature is r || s (64 bytes) with s in the lower half of the group order;
the other half is refused, for otherwise anybody could turn a record into a second one with another hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from firmware.errors import VerificationRefused
from firmware.signing.encoding import MAX_BYTES, Tagged, decode, encode
from firmware.signing.keys import KEY_ID_BYTES, key_id

ES256 = -7
SIGNATURE_BYTES = 64
OVERHEAD_BYTES = 512
"""More than what stands around a payload: tag, headers, signature."""
GROUP_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (FIPS 186-4, D.1.2.3)."""

_ALGORITHM, _KID, _TYPE = 1, 4, 16
_HALF = SIGNATURE_BYTES // 2


class MessageType(Enum):
    """What is signed. A number stands for a longer name in the receipt, where every byte is a printed module."""

    RECORD = "application/vnd.c1kiosk.record+cbor; v=1"
    RECEIPT = 65011
    """CoAP content format of the experimental range, for application/vnd.c1kiosk.receipt+cbor; v=1."""
    ACKNOWLEDGEMENT = "application/vnd.c1kiosk.acknowledgement+cbor; v=1"
    ELECTION = "application/vnd.c1kiosk.election+json; v=1"
    """The payload is a JSON file as it stands, not CBOR."""
    RELEASE = "application/vnd.c1kiosk.release+json; v=1"
    """So is this one's."""
    ASSIGNMENT = "application/vnd.c1kiosk.assignment+cbor; v=1"
    HANDOVER = "application/vnd.c1kiosk.hand-over+cbor; v=1"
    TAKEOVER = "application/vnd.c1kiosk.take-over+cbor; v=1"
    SELFTEST = 65012
    """CoAP content format of the experimental range, for application/vnd.c1kiosk.self-test+cbor; v=1: printed too."""


class SigningKey(Protocol):
    """What `sign` needs of a key: a certificate that names it, and its signature (r || s)."""

    @property
    def certificate(self) -> bytes:
        """DER."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message that is well formed. Nothing in it is proven yet."""

    type: MessageType
    kid: bytes
    protected: bytes
    payload: bytes
    signature: bytes


def sign(payload: Any, kind: MessageType, key: SigningKey) -> bytes:
    """The COSE_Sign1 bytes of `payload`, which becomes CBOR."""
    return sign_bytes(encode(payload), kind, key)


def sign_bytes(body: bytes, kind: MessageType, key: SigningKey) -> bytes:
    """The COSE_Sign1 bytes whose payload is `body` as it stands."""
    protected = encode({_ALGORITHM: ES256, _KID: key_id(key.certificate), _TYPE: kind.value})
    signature = _low_half(key.sign(_to_be_signed(protected, body)))
    return encode(Tagged([protected, {}, body, signature]), max_bytes=len(body) + OVERHEAD_BYTES)


def parse(data: bytes, max_bytes: int = MAX_BYTES) -> Envelope:
    """The parts of a message; raises VerificationRefused (`cose-...`, `cbor-...`). Proves nothing."""
    match decode(data, max_bytes):
        case Tagged([bytes() as protected, {**unprotected}, bytes() as payload, bytes() as signature]):
            if unprotected:
                raise VerificationRefused("cose-header")
            if len(signature) != SIGNATURE_BYTES:
                raise VerificationRefused("cose-signature")
            kid, kind = _header(protected)
            return Envelope(kind, kid, protected, payload, signature)
    raise VerificationRefused("cose-form")


def open_verified(envelope: Envelope, kind: MessageType, public_key: ec.EllipticCurvePublicKey) -> Any:
    """The decoded payload of an envelope of this type whose signature holds; raises VerificationRefused."""
    return decode(verified_bytes(envelope, kind, public_key))


def verified_bytes(envelope: Envelope, kind: MessageType, public_key: ec.EllipticCurvePublicKey) -> bytes:
    """The payload as it stands of an envelope of this type whose signature holds; raises VerificationRefused."""
    if envelope.type is not kind:
        raise VerificationRefused("cose-type", found=envelope.type.name.lower(), expected=kind.name.lower())
    r, s = _numbers(envelope.signature)
    if s > GROUP_ORDER // 2:
        raise VerificationRefused("cose-signature")
    message = _to_be_signed(envelope.protected, envelope.payload)
    try:
        public_key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise VerificationRefused("cose-signature") from error
    return envelope.payload


def _header(protected: bytes) -> tuple[bytes, MessageType]:
    match decode(protected):
        case {1: -7, 4: bytes() as kid, 16: (int() | str()) as name, **others}:
            if others or len(kid) != KEY_ID_BYTES:
                raise VerificationRefused("cose-header")
            try:
                return kid, MessageType(name)
            except ValueError as error:
                raise VerificationRefused("cose-type", found=name, expected="") from error
    raise VerificationRefused("cose-header")


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052, 4.4."""
    return encode(["Signature1", protected, b"", payload], max_bytes=len(payload) + OVERHEAD_BYTES)


def _numbers(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])


def _low_half(signature: bytes) -> bytes:
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    r, s = _numbers(signature)
    return r.to_bytes(_HALF) + min(s, GROUP_ORDER - s).to_bytes(_HALF)
