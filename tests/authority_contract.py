"""What every key of an authority does, wherever it is kept: an encrypted file, a TPM, a PKCS#11 token."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused
from firmware.signing.certificates import check_issued, subject
from firmware.signing.election import open_election, sign_election
from firmware.signing.key_file import FileKey
from firmware.signing.officers import Role, officer_of
from provisioning.authority import folder as authority_folder
from provisioning.authority import issuing
from provisioning.ca import desk

NOW = datetime.now(UTC)
ELECTION = "pemilu-2029"


class AuthorityContract:
    """Subclasses give the fixture `way` (options of the desk) and the passphrase."""

    passphrase = b"empat kata yang panjang"
    refusal = "authority-unreadable"
    """Of a wrong passphrase."""

    def typed(self, *arguments: str | Path, passphrase: bytes | None = None, code: int = 0) -> str:
        read, write = os.pipe()
        os.write(write, ((passphrase or self.passphrase) + b"\n") * 2)
        os.close(write)
        try:
            result = CliRunner().invoke(desk, ["--passphrase-fd", str(read), *map(str, arguments)])
        finally:
            os.close(read)
        assert result.exit_code == code, result.output
        return result.output

    @pytest.fixture
    def root(self, tmp_path: Path, way: list[str]) -> Path:
        self.typed("root", tmp_path / "root", "--organisation", "KPU", "--world", "real", *way)
        return tmp_path / "root"

    def test_a_root_makes_authorities_that_sign(self, root: Path, way: list[str], tmp_path: Path) -> None:
        for name, purpose in (("issuing", "issuing"), ("signing", "election")):
            self.typed("authority", root, tmp_path / name, "--purpose", purpose, "--election", ELECTION, *way)
        above, issuer, signing = (
            authority_folder.load(tmp_path / name, self.passphrase) for name in ("root", "issuing", "signing")
        )
        check_issued(issuer.certificate, above.certificate)
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(subject("x", "x"))
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )
        officer = issuing.issue_officer(issuer, request, "Siti", Role.PPS, NOW)
        check_issued(officer, issuer.certificate)
        assert officer_of(officer).role is Role.PPS
        cose = sign_election(b"{}", FileKey(signing.issuer.private_key, _der(signing.certificate)))
        assert open_election(cose, above.certificate, signing.certificate).data == b"{}"

    def test_the_key_is_not_in_the_folder(self, root: Path) -> None:
        loaded = authority_folder.load(root, self.passphrase)
        kept = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
        assert not any(b"BEGIN PRIVATE KEY" in data or b"BEGIN EC PRIVATE" in data for data in kept)
        assert loaded.certificate.public_key() == loaded.issuer.private_key.public_key()

    def test_a_wrong_passphrase(self, root: Path, tmp_path: Path) -> None:
        arguments = ("authority", root, tmp_path / "x", "--purpose", "issuing", "--election", ELECTION)
        assert self.refusal in self.typed(*arguments, passphrase=b"bukan kata sandi", code=1)
        assert list((root / "issued").iterdir()) == []
        assert not (tmp_path / "x").exists()

    def test_a_second_root_where_one_is(self, root: Path, way: list[str]) -> None:
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        again = ("root", root, "--organisation", "KPU", "--world", "real", *way)
        assert "authority-exists" in self.typed(*again, code=1)
        assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize("after", ["begin", "register"])
    def test_the_desk_is_switched_off_while_an_authority_is_made(
        self, root: Path, way: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
    ) -> None:
        below = [root, tmp_path / "ca"]
        step = getattr(authority_folder, after)

        def cut(*given: object) -> None:
            step(*given)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(authority_folder, after, cut)
            self.typed("authority", *below, "--purpose", "issuing", "--election", ELECTION, *way, code=1)
        assert not (tmp_path / "ca").exists()
        self.typed("authority", *below, "--purpose", "issuing", "--election", ELECTION, *way)
        (registered,) = (root / "issued").iterdir()
        made = authority_folder.load(tmp_path / "ca", self.passphrase).certificate
        assert x509.load_pem_x509_certificate(registered.read_bytes()) == made
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("ca")) == ["ca"]

    def test_the_certificate_of_another_key(self, root: Path, way: list[str], tmp_path: Path) -> None:
        self.typed("root", tmp_path / "other", "--organisation", "KPU", "--world", "real", *way)
        (root / "certificate.pem").write_bytes((tmp_path / "other" / "certificate.pem").read_bytes())
        with pytest.raises(Refused, match="authority-unreadable"):
            authority_folder.load(root, self.passphrase)

    def test_a_passphrase_is_short(self, way: list[str], tmp_path: Path) -> None:
        arguments = ("root", tmp_path / "short", "--organisation", "KPU", "--world", "real", *way)
        assert "authority-passphrase" in self.typed(*arguments, passphrase=b"1234", code=1)
        assert not (tmp_path / "short").exists()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
