"""A private key that is not here, in the shape in which `cryptography` signs certificate requests."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from cryptography.hazmat.primitives.asymmetric import ec, utils

_HALF = 32
"""Bytes of r and of s."""


class Signing(Protocol):
    """What is needed of the key."""

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Its public half."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 of `message`: r || s, 64 bytes."""


class KeyElsewhere(ec.EllipticCurvePrivateKey):
    """Signs by asking the key where it is; everything else that a private key can do is refused."""

    def __init__(self, key: Signing) -> None:
        self._key = key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Of the key."""
        return self._key.public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """DER of what the key signs; only ECDSA over SHA-256 of unhashed data is asked for here."""
        raw = self._key.sign(bytes(data))
        return utils.encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        """In bits."""
        return self.curve.key_size

    def exchange(self, *_arguments: Any) -> NoReturn:
        """No."""
        raise TypeError("this key only signs")

    def private_numbers(self) -> NoReturn:
        """No."""
        self.exchange()

    def private_bytes(self, *_arguments: Any) -> NoReturn:
        """No."""
        self.exchange()

    def __copy__(self) -> NoReturn:
        self.exchange()

    def __deepcopy__(self, _memo: Any) -> NoReturn:
        self.exchange()
