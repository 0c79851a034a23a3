"""The authorities' desk: what must not be signed, and a whole election from the root to a verified record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import check_issued, subject
from firmware.signing.election import open_election
from firmware.signing.enrolment import install, keep_request, make_request
from firmware.signing.key_file import FileKey
from firmware.signing.keys import DeviceClaims, Protection, claims_of, key_id
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement, verify_record
from provisioning.authority import definitions, issuing
from provisioning.authority import folder as authority_folder
from provisioning.authority import key as authority_key
from provisioning.ca import desk
from tests import sealing
from tests.offices import keep

NOW = datetime.now(UTC)
ELECTION = "pemilu-2029"
PASSPHRASE = b"empat kata yang panjang"
CLAIMS = DeviceClaims(Mode.REAL, "C1-0001", Protection.TPM)


@dataclass(frozen=True)
class Office:
    root: issuing.Authority
    issuer: issuing.Authority


@pytest.fixture(scope="module")
def office() -> Office:
    root = issuing.make_root("KPU", Mode.REAL, NOW)
    return Office(root, issuing.make_authority(root, Purpose.ISSUING, ELECTION, NOW))


def request(claims: DeviceClaims = CLAIMS) -> x509.CertificateSigningRequest:
    return make_request(ec.generate_private_key(ec.SECP256R1()), claims)


def refused(office: Office, wish: x509.CertificateSigningRequest, serial: str, protection: Protection) -> str:
    with pytest.raises(Refused) as refusal:
        issuing.issue_device(office.issuer, wish, serial, protection, NOW)
    return refusal.value.code


def test_a_device_gets_what_it_asked_for_and_was_seen(office: Office) -> None:
    made = issuing.issue_device(office.issuer, request(), "C1-0001", Protection.TPM, NOW)
    check_issued(made, office.issuer.certificate)
    check_issued(office.issuer.certificate, office.root.certificate)


@pytest.mark.parametrize(
    ("claims", "serial", "protection"),
    [
        (DeviceClaims(Mode.TRAINING, "C1-0001", Protection.TPM), "C1-0001", Protection.TPM),
        (CLAIMS, "C1-0002", Protection.TPM),
        (CLAIMS, "C1-0001", Protection.SEALED_FILE),
        (DeviceClaims(Mode.REAL, "C1-0001", Protection.PLAIN_FILE), "C1-0001", Protection.TPM),
    ],
)
def test_a_request_wants_more_than_was_seen(
    office: Office, claims: DeviceClaims, serial: str, protection: Protection
) -> None:
    assert refused(office, request(claims), serial, protection) == "request-claims"


def test_a_real_device_keeps_its_key_in_a_plain_file(office: Office) -> None:
    claims = DeviceClaims(Mode.REAL, "C1-0001", Protection.PLAIN_FILE)
    assert refused(office, request(claims), "C1-0001", Protection.PLAIN_FILE) == "request-plain-key"


@pytest.mark.parametrize("serial", ["../C1", "a/b", "", "x y", ".hidden"])
def test_a_serial_that_is_a_path(office: Office, serial: str) -> None:
    claims = DeviceClaims(Mode.REAL, serial, Protection.TPM)
    assert refused(office, request(claims), serial, Protection.TPM) == "request-name"


def test_somebody_asks_for_another_s_key(office: Office) -> None:
    """The request holds a key that did not sign it: the last byte of its signature is another."""
    der = bytearray(request().public_bytes(Encoding.DER))
    der[-1] ^= 1
    stolen = x509.load_der_x509_csr(bytes(der))
    assert refused(office, stolen, "C1-0001", Protection.TPM) == "request-possession"


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
def test_a_key_of_another_kind(office: Office, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    from firmware.signing.keys import claims_extension

    builder = x509.CertificateSigningRequestBuilder().subject_name(subject("x", "x"))
    wish = builder.add_extension(claims_extension(CLAIMS), critical=False).sign(key, hashes.SHA256())
    assert refused(office, wish, "C1-0001", Protection.TPM) == "request-possession"


def test_an_authority_of_another_purpose_issues(office: Office) -> None:
    signing = issuing.make_authority(office.root, Purpose.ELECTION, ELECTION, NOW)
    for wrong in (signing, office.root):
        with pytest.raises(Refused, match="authority-purpose"):
            issuing.issue_device(wrong, request(), "C1-0001", Protection.TPM, NOW)
    with pytest.raises(Refused, match="authority-purpose"):
        issuing.make_authority(office.issuer, Purpose.ISSUING, ELECTION, NOW)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_an_authority_s_key_is_not_readable_without_its_passphrase(tmp_path: Path, office: Office) -> None:
    folder = tmp_path / "root"
    keep(folder, office.root, PASSPHRASE)
    assert b"ENCRYPTED" in (folder / "key.pem").read_bytes()
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert authority_folder.load(folder, PASSPHRASE).certificate == office.root.certificate
    with pytest.raises(Refused, match="authority-unreadable"):
        authority_folder.load(folder, b"another passphrase")
    with pytest.raises(Refused, match="authority-exists"):
        authority_folder.begin(folder, authority_key.FILE, PASSPHRASE)


def test_a_passphrase_is_short(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="authority-passphrase"):
        authority_folder.begin(tmp_path / "root", authority_key.FILE, b"12345678")
    assert list(tmp_path.iterdir()) == []


def test_a_serial_gets_a_second_certificate(tmp_path: Path, office: Office) -> None:
    keep(tmp_path / "ca", office.issuer, PASSPHRASE)
    wish = request()
    made = issuing.issue_device(office.issuer, wish, "C1-0001", Protection.TPM, NOW)
    authority_folder.register(tmp_path / "ca", "C1-0001", made)
    for other in (
        issuing.issue_device(office.issuer, request(), "C1-0001", Protection.TPM, NOW),
        issuing.issue_collector(office.issuer, wish, "C1-0001", [], NOW),
    ):
        with pytest.raises(Refused, match="already-issued"):
            authority_folder.register(tmp_path / "ca", "C1-0001", other)
    with pytest.raises(Refused, match="request-name"):
        authority_folder.register(tmp_path / "ca", "../C1-0001", made)


def test_the_desk_is_switched_off_before_a_certificate_is_handed_out(tmp_path: Path, office: Office) -> None:
    keep(tmp_path / "ca", office.issuer, PASSPHRASE)
    wish = request()
    first, again = (issuing.issue_device(office.issuer, wish, "C1-0001", Protection.TPM, NOW) for _ in range(2))
    assert authority_folder.register(tmp_path / "ca", "C1-0001", first) == first != again
    assert authority_folder.register(tmp_path / "ca", "C1-0001", again) == first


# --- the whole way, as it is typed ------------------------------------------------------------------------------------


def typed(*arguments: str | Path) -> str:
    read, write = os.pipe()
    os.write(write, PASSPHRASE + b"\n" + PASSPHRASE + b"\n")
    os.close(write)
    try:
        result = CliRunner().invoke(desk, ["--passphrase-fd", str(read), *map(str, arguments)])
    finally:
        os.close(read)
    if result.exit_code:
        raise AssertionError(result.output)
    return result.output


def csr(folder: Path, name: str, claims: DeviceClaims | None) -> tuple[ec.EllipticCurvePrivateKey, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(name, "x"))
    made = make_request(key, claims) if claims else builder.sign(key, hashes.SHA256())
    path = folder / f"{name}.csr"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return key, path


class DeviceKey(FileKey):
    """What an enrolled device has."""

    protection = Protection.TPM
    authority = b""


@dataclass(frozen=True)
class Ceremony:
    folder: Path
    device: DeviceKey
    collector: FileKey

    def publish(self) -> TrustRoots:
        typed("sign", self.folder / "signing", self.folder / "election.json", self.folder / "election.cose")
        typed("publish", self.folder / "trust", "--root", self.folder / "root" / "certificate.pem",
              "--authority", self.folder / "signing" / "certificate.pem", "--election", self.folder / "election.cose",
              "--devices", self.folder / "issuing" / "issued")  # fmt: skip
        return TrustRoots.load(self.folder / "trust")


@pytest.fixture(scope="module")
def ceremony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceremony]:
    folder = tmp_path_factory.mktemp("office")
    typed("root", folder / "root", "--organisation", "KPU contoh", "--world", "real")
    for name, purpose in (("issuing", "issuing"), ("signing", "election")):
        typed("authority", folder / "root", folder / name, "--purpose", purpose, "--election", ELECTION)
    device_key, device_csr = csr(folder, "device", CLAIMS)
    collector_key, collector_csr = csr(folder, "collector", None)
    device = typed("device", folder / "issuing", device_csr, "--serial", "C1-0001", "--protection", "tpm")
    (folder / "device.pem").write_text(device)
    collector = typed("collector", folder / "issuing", collector_csr, "--name", "kota", "--host", "c1.example")
    (folder / "kota.pem").write_text(collector)
    election = json.loads(sealing.ELECTION) | {
        "mode": "real",
        "collectors": [{"id": "kota", "url": "https://c1.example"}],
    }
    (folder / "election.json").write_text(json.dumps(election))
    typed("trust", folder / "election.json", "--issuer", folder / "issuing" / "certificate.pem",
          "--collector", f"kota={folder / 'kota.pem'}")  # fmt: skip
    yield Ceremony(folder, DeviceKey(device_key, der(device)), FileKey(collector_key, der(collector)))


def der(pem: str) -> bytes:
    return x509.load_pem_x509_certificates(pem.encode())[0].public_bytes(serialization.Encoding.DER)


def test_an_election_from_the_root_to_a_record_and_a_revocation(ceremony: Ceremony) -> None:
    trust = ceremony.publish()
    at = int(NOW.timestamp())
    signer = Signer(ceremony.folder / "signer", ceremony.device, lambda: ClockReading(at, ClockQuality.SYNCHRONISED))
    draft = sealing.draft(1) | {"mode": "real", "election": bytes.fromhex(trust.election.sha256)}
    sealed = signer.seal(draft)
    signer.close()
    assert verify_record(sealed.cose, trust).device.claims == CLAIMS
    word = acknowledge(sealed.sha256, at, ceremony.collector)
    assert verify_acknowledgement(word, trust, sealed.sha256).collector == "kota"

    typed("revoke", ceremony.folder / "election.json", "--certificate", ceremony.folder / "device.pem",
          "--since", "2029-02-14T12:00", "--reason", "stolen")  # fmt: skip
    later = ceremony.publish()
    assert later.revoked[key_id(ceremony.device.certificate)].reason == "stolen"
    assert bytes.fromhex(trust.election.sha256) in later.earlier
    assert verify_record(sealed.cose, later).sha256 == sealed.sha256, "sealed before, under the first edition"

    typed("revoke", ceremony.folder / "election.json", "--certificate", ceremony.folder / "device.pem",
          "--reason", "key copied")  # fmt: skip
    with pytest.raises(Refused, match="device-revoked"):
        verify_record(sealed.cose, ceremony.publish())


def test_a_device_installs_what_the_desk_printed(ceremony: Ceremony, tmp_path: Path) -> None:
    claims = DeviceClaims(Mode.REAL, "C1-0009", Protection.SEALED_FILE)
    _key, wish = csr(tmp_path, "ninth", claims)
    keep_request(tmp_path, x509.load_pem_x509_csr(wish.read_bytes()))
    pem = typed("device", ceremony.folder / "issuing", wish, "--serial", "C1-0009", "--protection", "sealed-file")
    assert claims_of(install(tmp_path, pem.encode()).certificate) == claims


def test_a_definition_gets_its_trust_twice(ceremony: Ceremony) -> None:
    issuer = authority_folder.load(ceremony.folder / "issuing", PASSPHRASE).certificate
    other = authority_folder.load(ceremony.folder / "root", PASSPHRASE).certificate
    layouts = {sealing.LAYOUT.id: sealing.LAYOUT}
    once = definitions.with_trust(sealing.ELECTION, [issuer], {}, layouts)
    assert definitions.with_trust(once, [issuer], {}, layouts) == once
    with pytest.raises(Refused, match="definition-trust"):
        definitions.with_trust(once, [issuer, other], {}, layouts)
    with pytest.raises(Refused, match="definition-collector"):
        document = json.loads(sealing.ELECTION) | {"collectors": [{"id": "kota", "url": "https://x.example"}]}
        definitions.with_trust(json.dumps(document).encode(), [issuer], {}, layouts)
    with pytest.raises(Refused, match="definition-no-trust"):
        definitions.revoked(sealing.ELECTION, bytes(8), 0, "x")
    with pytest.raises(Refused, match="definition-form"):
        definitions.with_trust(sealing.ELECTION, [issuer], {}, {})


def test_all_definitions_of_a_build_are_signed_with_one_passphrase(ceremony: Ceremony, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    for name in ("3171", "3273"):
        document = json.loads(sealing.ELECTION) | {"mode": "real", "name": name}
        (tmp_path / "build" / f"{name}.json").write_text(json.dumps(document))
    issuer = ceremony.folder / "issuing" / "certificate.pem"
    for _ in range(2):
        typed("trust", tmp_path / "build", "--issuer", issuer)
        typed("sign", ceremony.folder / "signing", tmp_path / "build", tmp_path / "signed")
    root, signing = (
        x509.load_pem_x509_certificate((ceremony.folder / name / "certificate.pem").read_bytes())
        for name in ("root", "signing")
    )
    for name in ("3171", "3273"):
        data = open_election((tmp_path / "signed" / f"{name}.cose").read_bytes(), root, signing).data
        assert data == (tmp_path / "build" / f"{name}.json").read_bytes()
    before = (tmp_path / "build" / "3171.json").read_bytes()
    (tmp_path / "build" / "9999.json").write_text("{}")
    with pytest.raises(AssertionError, match="election-invalid"):
        typed("trust", tmp_path / "build", "--issuer", issuer)
    assert (tmp_path / "build" / "3171.json").read_bytes() == before


def test_the_desk_says_what_it_refuses(ceremony: Ceremony) -> None:
    _, wish = csr(ceremony.folder, "second", CLAIMS)
    with pytest.raises(AssertionError, match="already-issued"):
        typed("device", ceremony.folder / "issuing", wish, "--serial", "C1-0001", "--protection", "tpm")
    with pytest.raises(AssertionError, match="request-claims"):
        typed("device", ceremony.folder / "issuing", wish, "--serial", "C1-0002", "--protection", "tpm")
    with pytest.raises(AssertionError, match="authority-purpose"):
        typed("sign", ceremony.folder / "issuing", ceremony.folder / "election.json", ceremony.folder / "x.cose")
    with pytest.raises(AssertionError, match="request-unreadable"):
        typed("device", ceremony.folder / "issuing", ceremony.folder / "device.pem", "--serial", "C1-0003",
              "--protection", "tpm")  # fmt: skip
