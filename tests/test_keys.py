"""The development key: made once, kept private, honest about itself."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused, SignerRefused, VerificationRefused
from firmware.records import Mode
from firmware.signing import durable, key_file
from firmware.signing.acknowledgement import open_collector_key
from firmware.signing.certificates import Issuer, issue, subject
from firmware.signing.cose import GROUP_ORDER, MessageType, open_verified, parse, sign
from firmware.signing.development_key import DevelopmentKey
from firmware.signing.keys import EXTENSION_OID, DeviceClaims, Protection, claims_extension, open_device

NOW = datetime(2024, 2, 14, tzinfo=UTC)


def device_of(key: DevelopmentKey) -> x509.Certificate:
    return x509.load_der_x509_certificate(key.certificate)


def test_the_key_is_made_once(tmp_path: Path) -> None:
    first = DevelopmentKey.open(tmp_path / "key")
    assert DevelopmentKey.open(tmp_path / "key").certificate == first.certificate
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_the_certificate_says_development(tmp_path: Path) -> None:
    key = DevelopmentKey.open(tmp_path / "key", lambda: NOW)
    certificate, authority = device_of(key), x509.load_der_x509_certificate(key.authority)
    claims = open_device(certificate).claims
    assert (claims.world, claims.protection) == (Mode.DEVELOPMENT, Protection.PLAIN_FILE)
    assert claims.serial in certificate.subject.rfc4514_string()
    assert "DEVELOPMENT" in certificate.subject.rfc4514_string()
    certificate.verify_directly_issued_by(authority)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_others_may_read_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    DevelopmentKey.open(folder)
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    for path in (folder, folder / "key.pem"):
        path.chmod(path.stat().st_mode | 0o040)
        with pytest.raises(SignerRefused, match="key-permissions"):
            DevelopmentKey.open(folder)
        path.chmod(path.stat().st_mode & ~0o040)
    DevelopmentKey.open(folder)


@pytest.mark.parametrize("name", ["key.pem", "certificate.pem", "authority.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN NOTHING-----"])
def test_a_file_of_the_key_is_damaged(tmp_path: Path, name: str, content: bytes | None) -> None:
    DevelopmentKey.open(tmp_path / "key")
    path = tmp_path / "key" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SignerRefused, match="key-unreadable"):
        DevelopmentKey.open(tmp_path / "key")


def test_the_certificate_is_of_another_key(tmp_path: Path) -> None:
    for name in ("a", "b"):
        DevelopmentKey.open(tmp_path / name)
    (tmp_path / "a" / "certificate.pem").write_bytes((tmp_path / "b" / "certificate.pem").read_bytes())
    with pytest.raises(SignerRefused, match="key-unreadable"):
        DevelopmentKey.open(tmp_path / "a")


def _open(folder: str) -> bytes:
    return DevelopmentKey.open(Path(folder)).certificate


def test_two_processes_make_the_key_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        certificates = pool.map(_open, [str(tmp_path / "key")] * 8)
    assert len(set(certificates)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_the_power_goes_while_the_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_args: object) -> None:
        os._exit(9)

    for name in ("write", "sync_folder"):
        child = os.fork()
        if not child:
            monkeypatch.setattr(durable, name, stop)
            DevelopmentKey.open(tmp_path / "key")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert not (tmp_path / "key").exists()
    DevelopmentKey.open(tmp_path / "key")


def test_the_disk_is_full_while_the_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_file.durable, "write", full)
    with pytest.raises(OSError, match="No space"):
        DevelopmentKey.open(tmp_path / "key")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    [b"", b"\x30\x00", b"\x0c\x04real", b"\x30\x06\x0c\x04real", b"\x30\x81\x06\x0c\x04real", b"\x30\x05\x0c\x7freal"],
)
def test_a_certificate_claims_nonsense(value: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = Issuer(subject("x", "y"), key)
    extension = x509.UnrecognizedExtension(EXTENSION_OID, value)
    with pytest.raises(VerificationRefused, match="certificate-claims"):
        open_device(issue(issuer.name, key.public_key(), issuer, NOW, extensions=[extension]))


def test_a_certificate_of_another_curve() -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    issuer = Issuer(subject("x", "y"), key)
    claims = claims_extension(DeviceClaims(Mode.REAL, "1", Protection.TPM))
    with pytest.raises(VerificationRefused, match="certificate-key"):
        open_device(issue(issuer.name, other.public_key(), issuer, NOW, extensions=[claims]))


def test_a_certificate_without_claims(tmp_path: Path) -> None:
    collector = x509.load_der_x509_certificate(open_collector_key(tmp_path / "key", "kota").certificate)
    with pytest.raises(VerificationRefused, match="certificate-claims"):
        open_device(collector)


class HighHalf:
    """A key whose signatures always have the higher s, as a TPM's may."""

    def __init__(self, key: DevelopmentKey) -> None:
        self._key, self.certificate = key, key.certificate

    def sign(self, message: bytes) -> bytes:
        raw = self._key.sign(message)
        s = int.from_bytes(raw[32:])
        return raw[:32] + max(s, GROUP_ORDER - s).to_bytes(32)


def test_a_tpm_gives_the_higher_half(tmp_path: Path) -> None:
    key = DevelopmentKey.open(tmp_path / "key")
    data = sign({"a": 1}, MessageType.RECORD, HighHalf(key))
    assert open_verified(parse(data), MessageType.RECORD, open_device(device_of(key)).public_key) == {"a": 1}
    assert data == sign({"a": 1}, MessageType.RECORD, key)


def test_a_serial_is_longer_than_the_extension_holds() -> None:
    with pytest.raises(ValueError, match="longer than"):
        claims_extension(DeviceClaims(Mode.REAL, "x" * 41, Protection.TPM))


def test_the_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"")
    with pytest.raises(Refused, match="key-"):
        DevelopmentKey.open(tmp_path / "key")
    assert Encoding.DER
