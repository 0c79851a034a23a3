"""An authority's key in a PKCS#11 token: a smart card, a USB token, a hardware security module, or SoftHSM2 for tests.

The key is P-256, made in the token, sensitive and not extractable; the token signs and never gives it away. A session
is opened for every use with the PIN, which the token itself limits in tries. The library (`module`) is the maker's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec
from pkcs11.util.ec import encode_named_curve_parameters

from firmware.errors import SignerRefused

_CURVE = encode_named_curve_parameters("secp256r1")
_OCTETS, _POINT_BYTES = 0x04, 65
"""DER of an uncompressed point: OCTET STRING, length, 0x04, x, y."""


@dataclass(frozen=True, slots=True)
class Pkcs11Key:
    """The key of an authority in a token."""

    module: str
    token: str
    """Label of the token."""
    label: str
    """Of the key in it."""
    pin: bytes
    public_key: ec.EllipticCurvePublicKey

    @classmethod
    def make(cls, module: str, token: str, label: str, pin: bytes) -> Self:
        """A new key in the token. Raises SignerRefused (`key-...`)."""
        with _session(module, token, pin, rw=True) as session:
            if _keys(session, pkcs11.ObjectClass.PRIVATE_KEY, label):
                raise SignerRefused("key-exists", file=f"{token}: {label}")
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: _CURVE}, local=True
            )
            secret = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
            parameters.generate_keypair(
                store=True,
                label=label,
                capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
                private_template=secret,
            )
        return cls.open(module, token, label, pin)

    @classmethod
    def open(cls, module: str, token: str, label: str, pin: bytes) -> Self:
        """The key with this label. Raises SignerRefused("key-pkcs11")."""
        with _session(module, token, pin) as session:
            found = _keys(session, pkcs11.ObjectClass.PUBLIC_KEY, label)
            if len(found) != 1 or len(_keys(session, pkcs11.ObjectClass.PRIVATE_KEY, label)) != 1:
                raise SignerRefused("key-pkcs11", problem=f"no key {label} in {token}")
            return cls(module, token, label, pin, _public(found[0][pkcs11.Attribute.EC_POINT]))

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes. Raises SignerRefused("key-pkcs11")."""
        with _session(self.module, self.token, self.pin) as session:
            (key,) = _keys(session, pkcs11.ObjectClass.PRIVATE_KEY, self.label)
            signature: bytes = key.sign(hashlib.sha256(message).digest(), mechanism=pkcs11.Mechanism.ECDSA)
            return signature


@contextmanager
def _session(module: str, token: str, pin: bytes, *, rw: bool = False) -> Iterator[Any]:
    """An open session; whatever token or library say is SignerRefused("key-pkcs11")."""
    try:
        with pkcs11.lib(module).get_token(token_label=token).open(user_pin=pin.decode(), rw=rw) as session:
            yield session
    except (pkcs11.PKCS11Error, RuntimeError, UnicodeDecodeError, ValueError) as error:
        raise SignerRefused("key-pkcs11", problem=f"{type(error).__name__} {error}".strip()) from error


def _keys(session: Any, kind: pkcs11.ObjectClass, label: str) -> list[Any]:
    return list(session.get_objects({pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: label}))


def _public(point: bytes) -> ec.EllipticCurvePublicKey:
    if point[:1] != bytes([_OCTETS]) or len(point) < _POINT_BYTES:
        raise SignerRefused("key-pkcs11", problem="public key")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-_POINT_BYTES:])
