"""Officers and TLS parties: who is believed, for what, and until when; and whom a connection lets in."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firmware.endpoint.cheroot_server import mutual_tls
from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing import officers
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import subject
from firmware.signing.cose import MessageType, parse
from firmware.signing.definition import Revocation
from firmware.signing.key_file import FileKey
from firmware.signing.officers import OfficerTrust, Role, check_officer, open_by_officer, sign_as_officer
from firmware.uplink.tls import client_context
from provisioning.authority import issuing, key_folder
from provisioning.authority.connections import Party, issue_connection
from provisioning.authority.issuing import Authority
from provisioning.ca import desk
from provisioning.officer import main as officer_desk

NOW = datetime.now(UTC)
UNIX = int(NOW.timestamp())
ELECTION = "pemilu-2029"
PASSPHRASE = "empat kata yang panjang"


def wish(key: ec.EllipticCurvePrivateKey | None = None) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject("x", "x"))
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


@dataclass(frozen=True)
class Office:
    root: Authority
    issuer: Authority
    trust: OfficerTrust

    def officer(self, role: Role = Role.PPS, name: str = "Siti Aminah") -> FileKey:
        key = ec.generate_private_key(ec.SECP256R1())
        made = issuing.issue_officer(self.issuer, wish(key), name, role, NOW)
        return FileKey(key, made.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def office() -> Office:
    root = issuing.make_root("KPU", Mode.REAL, NOW)
    issuer = issuing.make_authority(root, Purpose.ISSUING, ELECTION, NOW)
    return Office(root, issuer, OfficerTrust((issuer.certificate,), Mode.REAL, ELECTION))


def certificate(key: FileKey) -> x509.Certificate:
    return x509.load_der_x509_certificate(key.certificate)


def refused(office: Office, key: FileKey, unix: int = UNIX, trust: OfficerTrust | None = None) -> str:
    with pytest.raises(Refused) as refusal:
        check_officer(certificate(key), trust or office.trust, unix, [Role.PPS])
    return refusal.value.code


def test_an_officer_is_who_the_certificate_says(office: Office) -> None:
    found = check_officer(certificate(office.officer()), office.trust, UNIX, [Role.PPS, Role.PPK])
    assert (found.name, found.role) == ("Siti Aminah", Role.PPS)


def test_an_officer_does_what_another_role_may(office: Office) -> None:
    assert refused(office, office.officer(Role.KPPS)) == "officer-role"


def test_an_officer_of_last_year_signs(office: Office) -> None:
    late = UNIX + int(timedelta(days=400).total_seconds())
    assert refused(office, office.officer(), late) == "officer-validity"
    assert refused(office, office.officer(), 0) == "officer-validity"


def test_an_officer_was_dismissed(office: Office) -> None:
    key = office.officer()
    kid = certificate(key)
    revoked = {officers.key_id(kid.public_bytes(Encoding.DER)): Revocation("0" * 16, UNIX, "dismissed")}
    trust = replace(office.trust, revoked=revoked)
    assert refused(office, key, trust=trust) == "officer-revoked"
    assert check_officer(kid, trust, UNIX - 1, [Role.PPS]).role is Role.PPS, "signed before: stands"


def test_an_officer_of_another_election_world_or_office(office: Office) -> None:
    key = office.officer()
    assert refused(office, key, trust=replace(office.trust, election="pilkada-2030")) == "certificate-purpose"
    assert refused(office, key, trust=replace(office.trust, world=Mode.TRAINING)) == "certificate-purpose"
    assert refused(office, key, trust=replace(office.trust, issuers=())) == "certificate-issuer"
    other = issuing.make_authority(issuing.make_root("KPU", Mode.REAL, NOW), Purpose.ISSUING, ELECTION, NOW)
    assert refused(office, key, trust=replace(office.trust, issuers=(other.certificate,))) == "certificate-issuer"


def test_a_tls_authority_makes_officers(office: Office) -> None:
    tls = issuing.make_authority(office.root, Purpose.TLS, ELECTION, NOW)
    with pytest.raises(Refused, match="authority-purpose"):
        issuing.issue_officer(tls, wish(), "Siti", Role.PPS, NOW)


@pytest.mark.parametrize("name", ["", " ", "1", "a/b", "x" * 65, "a\nb", "../x"])
def test_a_name_that_is_none(office: Office, name: str) -> None:
    with pytest.raises(Refused, match="request-name"):
        issuing.issue_officer(office.issuer, wish(), name, Role.PPS, NOW)


# --- what an officer signs --------------------------------------------------------------------------------------------


def test_what_an_officer_signed_is_opened_by_a_stranger(office: Office) -> None:
    message = sign_as_officer({"unix": UNIX, "what": "x"}, MessageType.ACKNOWLEDGEMENT, office.officer())
    officer, payload = open_by_officer(parse(message), MessageType.ACKNOWLEDGEMENT, office.trust)
    assert (officer.name, payload) == ("Siti Aminah", {"unix": UNIX, "what": "x"})
    with pytest.raises(Refused, match="officer-role"):
        open_by_officer(parse(message), MessageType.ACKNOWLEDGEMENT, office.trust, [Role.TECHNICIAN])
    with pytest.raises(Refused, match="cose-type"):
        open_by_officer(parse(message), MessageType.RECORD, office.trust)


def test_somebody_signs_with_an_officer_s_certificate(office: Office) -> None:
    stolen = FileKey(ec.generate_private_key(ec.SECP256R1()), office.officer().certificate)
    message = sign_as_officer({"unix": UNIX}, MessageType.ACKNOWLEDGEMENT, stolen)
    with pytest.raises(Refused, match="cose-signature"):
        open_by_officer(parse(message), MessageType.ACKNOWLEDGEMENT, office.trust)


@pytest.mark.parametrize("der", [b"", b"x" * 700, b"x" * 3000, 7])
def test_the_certificate_in_a_message_is_none(office: Office, der: object) -> None:
    from firmware.signing.cose import sign

    message = sign({"unix": UNIX, "officer": der}, MessageType.ACKNOWLEDGEMENT, office.officer())
    with pytest.raises(Refused, match="officer-certificate"):
        open_by_officer(parse(message), MessageType.ACKNOWLEDGEMENT, office.trust)


# --- as it is typed ---------------------------------------------------------------------------------------------------


def typed(group: object, *arguments: str | Path, code: int = 0) -> str:
    read, write = os.pipe()
    os.write(write, f"{PASSPHRASE}\n{PASSPHRASE}\n".encode())
    os.close(write)
    try:
        result = CliRunner().invoke(group, ["--passphrase-fd", str(read), *map(str, arguments)])  # type: ignore[arg-type]
    finally:
        os.close(read)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ca")
    typed(desk, "root", folder / "root", "--organisation", "KPU", "--world", "real")
    for name in ("issuing", "tls", "operators"):
        typed(desk, "authority", folder / "root", folder / name, "--purpose", name, "--election", ELECTION)
    yield folder


def test_an_officer_gets_a_certificate_and_signs(ca: Path, tmp_path: Path) -> None:
    folder = tmp_path / "siti"
    typed(officer_desk, "request", "--name", "Siti Aminah", "--out", folder)
    assert b"ENCRYPTED" in (folder / "key.pem").read_bytes()
    before = (folder / "key.pem").read_bytes()
    typed(officer_desk, "request", "--name", "Siti Aminah", "--out", folder)
    assert (folder / "key.pem").read_bytes() == before, "again: the same key"
    issued = typed(desk, "officer", ca / "issuing", folder / "request.pem", "--name", "Siti Aminah", "--role", "pps")
    (tmp_path / "siti.pem").write_text(issued)
    assert "Siti Aminah, pps" in typed(officer_desk, "install", folder, tmp_path / "siti.pem")
    key = key_folder.load(folder, PASSPHRASE.encode())
    issuer = x509.load_pem_x509_certificate((ca / "issuing" / "certificate.pem").read_bytes())
    check_officer(certificate(key), OfficerTrust((issuer,), Mode.REAL, ELECTION), UNIX, [Role.PPS])
    with pytest.raises(Refused, match="officer-folder"):
        key_folder.load(folder, b"another passphrase")


def test_a_certificate_goes_to_another_key(ca: Path, tmp_path: Path) -> None:
    for name in ("siti", "budi"):
        typed(officer_desk, "request", "--name", name, "--out", tmp_path / name)
    issued = typed(desk, "officer", ca / "issuing", tmp_path / "siti" / "request.pem", "--name", "x", "--role", "ppk")
    (tmp_path / "x.pem").write_text(issued)
    assert "officer-other-key" in typed(officer_desk, "install", tmp_path / "budi", tmp_path / "x.pem", code=1)
    assert not (tmp_path / "budi" / "certificate.pem").exists()


def test_a_passphrase_is_short(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="officer-passphrase"):
        key_folder.make(tmp_path / "x", "x", b"short")
    assert not (tmp_path / "x").exists()


# --- TLS --------------------------------------------------------------------------------------------------------------


class Desk:
    """Two authorities, and files as the programs want them."""

    def __init__(self, folder: Path, office: Office) -> None:
        self.folder = folder
        self.tls = issuing.make_authority(office.root, Purpose.TLS, ELECTION, NOW)
        self.operators = issuing.make_authority(office.root, Purpose.OPERATORS, ELECTION, NOW)

    def ca(self, which: Authority) -> Path:
        path = self.folder / f"ca-{which.certificate.serial_number}.pem"
        path.write_bytes(which.certificate.public_bytes(Encoding.PEM))
        return path

    def party(self, which: Authority, party: Party, name: str, *hosts: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        made = issue_connection(which, wish(key), party, name, hosts, NOW)
        certificate, path = self.folder / f"{made.serial_number}.pem", self.folder / f"{made.serial_number}.key"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, path


@pytest.fixture
def tls(tmp_path: Path, office: Office) -> Desk:
    return Desk(tmp_path, office)


def shake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """A whole handshake in memory; raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = client.wrap_bio(to_client, to_server, server_hostname=host)
    right = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (left, right):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    right.do_handshake()


def test_a_laptop_reads_a_kiosk(tls: Desk) -> None:
    server = mutual_tls(*tls.party(tls.tls, Party.KIOSK, "C1-0001", "192.168.4.1"), tls.ca(tls.operators))
    laptop = client_context(*tls.party(tls.operators, Party.LAPTOP, "meja-3"), tls.ca(tls.tls))
    shake(server, laptop, "192.168.4.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, laptop, "192.168.4.2")


def test_a_kiosk_reads_another_kiosk(tls: Desk) -> None:
    server = mutual_tls(*tls.party(tls.tls, Party.KIOSK, "C1-0001", "192.168.4.1"), tls.ca(tls.operators))
    kiosk = client_context(*tls.party(tls.tls, Party.KIOSK, "C1-0002"), tls.ca(tls.tls))
    with pytest.raises(ssl.SSLError):
        shake(server, kiosk, "192.168.4.1")


def test_a_kiosk_hands_in_at_a_collector_and_plays_none(tls: Desk) -> None:
    kiosk = tls.party(tls.tls, Party.KIOSK, "C1-0001")
    collector = mutual_tls(*tls.party(tls.tls, Party.COLLECTOR, "kota", "c1.example"), tls.ca(tls.tls))
    client = client_context(*kiosk, tls.ca(tls.tls))
    shake(collector, client, "c1.example")
    with pytest.raises(ssl.SSLError):
        shake(mutual_tls(*kiosk, tls.ca(tls.tls)), client, "c1.example")
    serial = x509.load_pem_x509_certificate(kiosk[0].read_bytes()).subject.rfc4514_string()
    assert "C1-0001" in serial


@pytest.mark.parametrize(
    ("party", "hosts", "code"),
    [
        (Party.COLLECTOR, (), "tls-hosts"),
        (Party.LAPTOP, (), "authority-purpose"),
        (Party.KIOSK, ("bad host",), "request-name"),
    ],
)
def test_a_connection_that_is_not_granted(tls: Desk, party: Party, hosts: tuple[str, ...], code: str) -> None:
    with pytest.raises(Refused, match=code):
        tls.party(tls.tls, party, "C1-0001", *hosts)


def test_a_kiosk_gets_its_tls_as_it_is_typed(ca: Path, tmp_path: Path) -> None:
    request = key_folder.make(tmp_path / "uplink", "C1-0001", None)
    for _ in range(2):
        issued = typed(desk, "tls", ca / "tls", request, "--party", "kiosk", "--name", "C1-0001")
    made = key_folder.install(tmp_path / "uplink", issued.encode())
    assert made.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)[0].value == "C1-0001"
    assert (tmp_path / "uplink" / "key.pem").stat().st_mode & 0o077 == 0
    assert len(list((ca / "tls" / "issued").iterdir())) == 2, "a lost key is answered with a new certificate"
