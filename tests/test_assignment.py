"""Which TPS a device is for: what does not fit device, election or technician is refused by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pycddl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing import assignment as room
from firmware.signing import cose
from firmware.signing.assignment import Device, check_assignment, check_follows, make_assignment, open_assignment
from firmware.signing.authorities import Purpose
from firmware.signing.certificates import subject
from firmware.signing.definition import Revocation
from firmware.signing.key_file import FileKey
from firmware.signing.officers import OfficerTrust, Role
from provisioning.authority import issuing

NOW = datetime.now(UTC)
UNIX = int(NOW.timestamp())
ELECTION = "pemilu-2029"
DEVICE = Device("C1-0001", bytes(8), "3171010001001", bytes(32), "picamera2", "escpos-usb")


@dataclass(frozen=True)
class Office:
    issuer: issuing.Authority
    trust: OfficerTrust

    def officer(self, role: Role = Role.TECHNICIAN) -> FileKey:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject("x", "x"))
        made = issuing.issue_officer(self.issuer, builder.sign(key, hashes.SHA256()), "Siti Aminah", role, NOW)
        return FileKey(key, made.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def office() -> Office:
    root = issuing.make_root("KPU", Mode.REAL, NOW)
    issuer = issuing.make_authority(root, Purpose.ISSUING, ELECTION, NOW)
    return Office(issuer, OfficerTrust((issuer.certificate,), Mode.REAL, ELECTION))


def made(office: Office, **changes: Any) -> bytes:
    return make_assignment(replace(DEVICE, **changes), 1, "KPU-000123", UNIX, office.officer())


def test_a_technician_s_assignment_is_believed(office: Office) -> None:
    opened = check_assignment(made(office), office.trust, DEVICE)
    assert (opened.device, opened.edition, opened.seal) == (DEVICE, 1, "KPU-000123")
    assert opened.officer.name == "Siti Aminah"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"serial": "C1-0002"}, "assignment-device"),
        ({"kid": b"another!"}, "assignment-key"),
        ({"tps": "3171010001002"}, "assignment-tps"),
        ({"election": bytes(31) + b"\1"}, "assignment-election"),
        ({"camera": "v4l2"}, "assignment-parts"),
        ({"printer": "escpos-serial"}, "assignment-parts"),
    ],
)
def test_the_assignment_of_something_else(office: Office, change: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_assignment(made(office, **change), office.trust, DEVICE)
    assert refusal.value.code == code


def test_somebody_who_is_no_technician_assigns(office: Office) -> None:
    data = make_assignment(DEVICE, 1, "KPU-000123", UNIX, office.officer(Role.KPPS))
    with pytest.raises(Refused, match="officer-role"):
        open_assignment(data, office.trust)


def test_a_technician_of_another_election(office: Office) -> None:
    stranger = issuing.make_authority(issuing.make_root("KPU", Mode.REAL, NOW), Purpose.ISSUING, ELECTION, NOW)
    with pytest.raises(Refused, match="certificate-issuer"):
        open_assignment(made(office), replace(office.trust, issuers=(stranger.certificate,)))


def test_a_technician_who_is_none_any_more(office: Office) -> None:
    key = office.officer()
    kid = room.key_id(key.certificate)
    trust = replace(office.trust, revoked={kid: Revocation(kid.hex(), UNIX - 60, "dismissed")})
    with pytest.raises(Refused, match="officer-revoked"):
        open_assignment(make_assignment(DEVICE, 1, "KPU-000123", UNIX, key), trust)
    late = UNIX + int(timedelta(days=400).total_seconds())
    with pytest.raises(Refused, match="officer-validity"):
        open_assignment(make_assignment(DEVICE, 1, "KPU-000123", late, key), office.trust)


def test_an_edition_is_skipped_or_put_back(office: Office) -> None:
    first, second, third = (
        open_assignment(make_assignment(DEVICE, edition, "S-1", UNIX, office.officer()), office.trust)
        for edition in (1, 2, 3)
    )
    check_follows(second, first)
    for wrong in (first, third):
        with pytest.raises(Refused, match="assignment-edition"):
            check_follows(wrong, first)
    other = replace(second, device=replace(DEVICE, kid=b"another!"))
    with pytest.raises(Refused, match="assignment-device"):
        check_follows(other, first)


@pytest.mark.parametrize("seal", ["", "a b", "x" * 33, "../x\n"])
def test_a_seal_without_a_number(office: Office, seal: str) -> None:
    with pytest.raises(Refused, match="schema"):
        make_assignment(DEVICE, 1, seal, UNIX, office.officer())


def test_nothing_is_assigned(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="assignment-missing"):
        room.read_assignment(tmp_path)


def test_an_assignment_is_what_the_schema_says(office: Office) -> None:
    cddl = (Path(cose.__file__).parent / "record.cddl").read_text(encoding="utf-8")
    pycddl.Schema(f"start = assignment\n{cddl}").validate_cbor(cose.parse(made(office)).payload)
