"""What every device key does, wherever it is kept: a plain file, a credential, a TPM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.signing import checkpoint
from firmware.signing.certificates import Issuer, check_issued, issue, subject
from firmware.signing.cose import GROUP_ORDER, MessageType, open_verified, parse, sign
from firmware.signing.keys import Device, DeviceClaims, DeviceKey, Protection, claims_extension, claims_of, open_device
from tests.vectors.parts import MADE, private_key

SIGNATURES = 20
"""Half of all raw signatures have the higher s: twenty of one half alone are one in a million."""


class KeyContract:
    """Subclasses give the fixture `key` and say how it is protected."""

    protection: Protection

    @pytest.fixture
    def device(self, key: DeviceKey) -> Iterator[Device]:
        yield open_device(x509.load_der_x509_certificate(key.certificate))

    def test_its_certificate_tells_the_truth(self, key: DeviceKey, device: Device) -> None:
        assert device.claims.protection is key.protection is self.protection
        check_issued(device.certificate, x509.load_der_x509_certificate(key.authority))

    def test_a_signature_is_of_something_else(self, key: DeviceKey, device: Device) -> None:
        raw = key.sign(b"one")
        assert len(raw) == 64
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        device.public_key.verify(der, b"one", ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            device.public_key.verify(der, b"two", ec.ECDSA(hashes.SHA256()))

    def test_a_message_has_the_higher_half(self, key: DeviceKey, device: Device) -> None:
        for number in range(SIGNATURES):
            data = sign({"number": number}, MessageType.RECORD, key)
            assert open_verified(parse(data), MessageType.RECORD, device.public_key) == {"number": number}
            assert int.from_bytes(parse(data).signature[32:]) <= GROUP_ORDER // 2

    def test_a_witness_keeps_its_checkpoint(self, key: DeviceKey, device: Device) -> None:
        note = checkpoint.make(3, bytes(32), device, key).encode()
        assert checkpoint.verify(note, device).size == 3


ISSUER = Issuer(subject("Issuing authority of a test", "Test"), private_key("issuer"))


def grant(request_pem: str, claims: DeviceClaims | None = None) -> bytes:
    """What an issuer sends back for a request: the certificate, then the issuer's own; `claims` differ if it errs."""
    request = x509.load_pem_x509_csr(request_pem.encode())
    public_key = request.public_key()
    assert request.is_signature_valid
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    extension = claims_extension(claims or claims_of(request))
    certificate = issue(request.subject, public_key, ISSUER, MADE, extensions=[extension])
    authority = issue(ISSUER.name, ISSUER.private_key.public_key(), ISSUER, MADE, authority=True)
    return certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
