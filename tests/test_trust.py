"""Trust folders that must not be trusted: other roots, borrowed purposes, unsigned elections, times that say little."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import load_config
from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing import cose
from firmware.signing.authorities import Purpose, Scope, check_root, check_scope
from firmware.signing.certificates import Issuer, check_issued, issue, subject
from firmware.signing.claims import Claim
from firmware.signing.definition import Revocation
from firmware.signing.election import only_certificate, sign_election
from firmware.signing.encoding import decode
from firmware.signing.key_file import FileKey
from firmware.signing.keys import key_id
from firmware.signing.trust import TrustRoots, write_signed_trust, write_trust
from firmware.signing.verification import verify_election, verify_receipt, verify_record
from tests.test_config import KIOSK
from tests.vectors import parts

RECORD = (parts.FOLDER / "valid" / "record-1.cose").read_bytes()
RECEIPT = (parts.FOLDER / "valid" / "receipt-1.cose").read_bytes()
DAY = timedelta(days=1)


def certificate(
    name: str,
    scope: Scope | None,
    issuer: Issuer,
    now: datetime = parts.MADE,
    **options: Any,
) -> Issuer:
    """Any certificate, with its key."""
    key, full = parts.private_key(name), subject(name, parts.ORGANISATION)
    extensions = [scope.extension()] if scope else []
    made = issue(full, key.public_key(), issuer, now, extensions=extensions, **options)
    return Issuer(full, key, made)


def folder(
    path: Path,
    *,
    root: Issuer = parts.ROOT,
    authority: Issuer = parts.ELECTION_AUTHORITY,
    election: bytes | None = None,
    devices: Sequence[bytes] = (parts.DEVICE.certificate,),
) -> Path:
    """A trust folder; what is not given is that of the vectors."""
    signed = sign_election(election or parts.election(), FileKey(authority.private_key, parts.der(authority)))
    write_signed_trust(
        path,
        root=parts.der(root),
        authority=parts.der(authority),
        election=signed,
        layouts=[parts.layout()],
        devices=devices,
    )
    return path


def code(path: Path) -> str:
    with pytest.raises(Refused) as refusal:
        TrustRoots.load(path)
    return refusal.value.code


def test_the_folder_of_the_vectors_is_trusted(tmp_path: Path) -> None:
    trust = TrustRoots.load(folder(tmp_path))
    assert set(trust.devices) == {key_id(parts.DEVICE.certificate)}
    assert set(trust.collectors) == {key_id(parts.COLLECTOR.certificate)}
    assert trust.root == parts.ROOT.certificate.fingerprint(cose.hashes.SHA256()).hex()  # type: ignore[union-attr]


def test_somebody_else_s_root(tmp_path: Path) -> None:
    other = certificate("other root", parts.scope(Purpose.ROOT), Issuer(subject("other root", parts.ORGANISATION),
                        parts.private_key("other root")), authority=True, path_length=1)  # fmt: skip
    assert code(folder(tmp_path, root=other)) == "certificate-issuer"


def test_the_root_is_no_root(tmp_path: Path) -> None:
    assert code(folder(tmp_path, root=parts.ISSUING)) == "certificate-issuer"
    name = subject("leaf", parts.ORGANISATION)
    leaf = certificate("leaf", parts.scope(Purpose.ROOT), Issuer(name, parts.private_key("leaf")))
    with pytest.raises(Refused, match="certificate-issuer"):
        check_root(leaf.certificate)  # type: ignore[arg-type]


@pytest.mark.parametrize("purpose", [Purpose.ISSUING, Purpose.COLLECTOR, Purpose.ROOT, None])
def test_a_certificate_of_another_purpose_signs_the_election(tmp_path: Path, purpose: Purpose | None) -> None:
    scope = parts.scope(purpose) if purpose else None
    assert code(folder(tmp_path, authority=certificate("x", scope, parts.ROOT))) == "certificate-purpose"


@pytest.mark.parametrize("scope", [Scope(Purpose.ELECTION, Mode.REAL, parts.ELECTION_ID),
                                   Scope(Purpose.ELECTION, Mode.TRAINING, parts.ELECTION_ID)])  # fmt: skip
def test_an_authority_of_another_world_signs_the_election(tmp_path: Path, scope: Scope) -> None:
    assert code(folder(tmp_path, authority=certificate("x", scope, parts.ROOT))) == "certificate-purpose"


def test_an_authority_of_another_election_signs_the_election(tmp_path: Path) -> None:
    other = Scope(Purpose.ELECTION, Mode.DEVELOPMENT, "another-election")
    assert code(folder(tmp_path, authority=certificate("x", other, parts.ROOT))) == "election-scope"


def test_an_issuing_authority_makes_an_election_authority(tmp_path: Path) -> None:
    authority = certificate("x", parts.scope(Purpose.ELECTION), parts.ISSUING)
    assert code(folder(tmp_path, authority=authority)) == "certificate-issuer"


def test_the_definition_was_signed_by_a_stranger(tmp_path: Path) -> None:
    stranger = sign_election(parts.election(), parts.DEVICE)
    (folder(tmp_path) / "election.cose").write_bytes(stranger)
    assert code(tmp_path) == "election-authority"


def issuers(*found: Issuer) -> bytes:
    return parts.election(issuers=[parts.pem(parts.der(entry)) for entry in found])


@pytest.mark.parametrize(
    ("scope", "options", "expected"),
    [
        (Scope(Purpose.ISSUING, Mode.DEVELOPMENT, "another-election"), {"authority": True}, "certificate-purpose"),
        (Scope(Purpose.ISSUING, Mode.REAL, parts.ELECTION_ID), {"authority": True}, "certificate-purpose"),
        (parts.scope(Purpose.ELECTION), {"authority": True}, "certificate-purpose"),
        (parts.scope(Purpose.ISSUING), {}, "certificate-issuer"),
    ],
)
def test_an_issuer_that_may_not_issue(tmp_path: Path, scope: Scope, options: dict[str, Any], expected: str) -> None:
    issuer = certificate("x", scope, parts.ROOT, **options)
    device = certificate("kiosk", None, issuer)
    assert code(folder(tmp_path, election=issuers(issuer), devices=[parts.der(device)])) == expected


def test_an_issuer_below_an_issuer(tmp_path: Path) -> None:
    issuer = certificate("x", parts.scope(Purpose.ISSUING), parts.ISSUING, authority=True)
    with pytest.raises(Refused, match="certificate-path"):
        check_issued(issuer.certificate, parts.ISSUING.certificate)  # type: ignore[arg-type]
    assert code(folder(tmp_path, election=issuers(issuer))) == "certificate-issuer"


def test_a_device_of_another_issuer(tmp_path: Path) -> None:
    other = certificate("x", parts.scope(Purpose.ISSUING), parts.ROOT, authority=True)
    assert code(folder(tmp_path, election=issuers(other))) == "certificate-issuer"


def test_a_device_of_another_world(tmp_path: Path) -> None:
    assert code(folder(tmp_path, devices=[parts.TRAINING.certificate])) == "certificate-claims"


def test_a_certificate_outlives_its_issuer() -> None:
    short = certificate("x", parts.scope(Purpose.ISSUING), parts.ROOT, authority=True, lifetime=30 * DAY)
    unlimited = replace(short, certificate=None)
    device = certificate("kiosk", None, unlimited)
    with pytest.raises(Refused, match="certificate-outlives"):
        check_issued(device.certificate, short.certificate)  # type: ignore[arg-type]
    within = certificate("kiosk", None, short).certificate
    assert within is not None and short.certificate is not None
    check_issued(within, short.certificate)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layouts": {}}, "election-trust"),
        ({"layouts": {"vector-form": "00" * 32}}, "layout-unknown"),
        ({"collectors": {}}, "election-trust"),
        ({"collectors": {"kota-bandung": [parts.pem(parts.STRANGE_COLLECTOR.certificate)]}},
         "acknowledgement-collector"),
        ({"collectors": {"kota-bandung": [parts.pem(parts.DEVICE.certificate)]}}, "certificate-purpose"),
        ({"collectors": {"kota-bandung": ["nonsense"]}}, "trust-unreadable"),
        ({"issuers": []}, "trust-unreadable"),
        ({"revoked": [{"kid": "12", "since": 0, "reason": "x"}]}, "trust-unreadable"),
    ],
)  # fmt: skip
def test_a_definition_that_is_incomplete(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert code(folder(tmp_path, election=parts.election(**changes))) == expected


def test_a_definition_without_trust_is_signed(tmp_path: Path) -> None:
    document = json.loads(parts.election())
    del document["trust"]
    assert code(folder(tmp_path, election=json.dumps(document).encode())) == "election-trust"


def test_a_real_election_is_not_signed(tmp_path: Path) -> None:
    document = json.loads(parts.election()) | {"mode": "real"}
    election = json.dumps(document).encode()
    write_trust(tmp_path, election=election, layouts=[parts.layout()], authorities=[], devices=[], collectors=[])
    assert code(tmp_path) == "election-unsigned"


def test_a_layout_that_nobody_named_is_nothing(tmp_path: Path) -> None:
    stray = parts.layout().source.replace(b"Vector", b"Other") + b"\n"
    (folder(tmp_path) / "layouts" / "stray.toml").write_bytes(stray)
    assert len(TrustRoots.load(tmp_path).layouts) == 1


# --- the kiosk's own configuration ----------------------------------------------------------------------------------


def kiosk(path: Path, election: bytes) -> Path:
    (path / "election.cose").write_bytes(election)
    file = path / "kiosk.toml"
    file.write_text(KIOSK.replace("election.json", "election.cose").replace("3173041003012", parts.TPS))
    return file


def test_a_kiosk_starts_with_a_signed_election(tmp_path: Path) -> None:
    folder(tmp_path / "trust")
    config = load_config(kiosk(tmp_path, sign_election(parts.election(), parts.ELECTION_KEY)))
    assert config.definition.sha256 == TrustRoots.load(tmp_path / "trust").election.sha256


def test_a_kiosk_is_given_an_election_that_a_stranger_signed(tmp_path: Path) -> None:
    folder(tmp_path / "trust")
    with pytest.raises(Refused, match="election-authority"):
        load_config(kiosk(tmp_path, sign_election(parts.election(), parts.DEVICE)))


@pytest.mark.parametrize("driver", ["development-file", "training-file", "sealed-credential"])
def test_a_kiosk_is_given_a_real_election_that_is_not_signed(tmp_path: Path, driver: str) -> None:
    document = json.loads(parts.election()) | {"mode": "real"}
    file = kiosk(tmp_path, json.dumps(document).encode())
    file.write_text(file.read_text().replace("development-file", driver))
    with pytest.raises(Refused, match=r"election-unsigned|config-key-mode"):
        load_config(file)


# --- time and revocation ----------------------------------------------------------------------------------------------


def trusting(since: int | None) -> TrustRoots:
    """The vectors' trust, in which DEVICE is revoked from that time on."""
    trust = TrustRoots.load(parts.FOLDER / "trust")
    kid = key_id(parts.DEVICE.certificate)
    entry = {} if since is None else {kid: Revocation(kid.hex(), since, "stolen")}
    return replace(trust, revoked=entry)


def sealed_at(unix: int, clock: str) -> bytes:
    payload = decode(cose.parse(RECORD).payload) | {"time": {"unix": unix, "clock": clock}}
    return cose.sign(payload, cose.MessageType.RECORD, parts.DEVICE)


def told(unix: int, clock: str, since: int | None = None) -> str:
    claims: list[Claim] = []
    try:
        verify_record(sealed_at(unix, clock), trusting(since), claims.append)
    except Refused as refusal:
        return refusal.code
    return " ".join(claim.key for claim in claims if claim.key.startswith(("valid", "revoked")))


SET, UNSET = "synchronised", "free-running"


@pytest.mark.parametrize(
    ("unix", "clock", "since", "expected"),
    [
        (parts.SEALED_AT, SET, None, "validity"),
        (1_000_000_000, SET, None, "certificate-validity"),
        (4_000_000_000, SET, None, "certificate-validity"),
        (parts.SEALED_AT, UNSET, None, "validity-unsure"),
        (0, UNSET, None, "validity-outside"),
        (4_000_000_000, UNSET, None, "validity-outside"),
        (parts.SEALED_AT, SET, parts.SEALED_AT, "device-revoked"),
        (parts.SEALED_AT, SET, parts.SEALED_AT + 1, "revoked-later validity"),
        (parts.SEALED_AT, SET, 0, "device-revoked"),
        (parts.SEALED_AT, UNSET, parts.SEALED_AT + 1, "device-revoked"),
    ],
)
def test_when_a_record_was_sealed(unix: int, clock: str, since: int | None, expected: str) -> None:
    assert told(unix, clock, since) == expected


def test_a_receipt_does_not_say_how_good_its_clock_was() -> None:
    claims: list[Claim] = []
    verify_receipt(RECEIPT, trusting(parts.SEALED_AT + 1), claims.append)
    assert {"validity-unsure", "revoked-later"} <= {claim.key for claim in claims}
    with pytest.raises(Refused, match="device-revoked"):
        verify_receipt(RECEIPT, trusting(parts.SEALED_AT))


def test_a_record_of_an_edition_that_nobody_named() -> None:
    payload = decode(cose.parse(RECORD).payload) | {"election": parts.EARLIER}
    record = cose.sign(payload, cose.MessageType.RECORD, parts.DEVICE)
    verify_record(record, trusting(None))
    with pytest.raises(Refused, match="election-other"):
        verify_record(record, replace(trusting(None), earlier=frozenset()))


def test_a_training_record_in_a_development_election(tmp_path: Path) -> None:
    """Only an unsigned folder can hold devices of several worlds at all."""
    write_trust(
        tmp_path,
        election=json.dumps(json.loads(parts.election()) | {"trust": None}).encode(),
        layouts=[parts.layout()],
        authorities=[parts.der(parts.ISSUING)],
        devices=[parts.TRAINING.certificate],
        collectors=[],
    )
    trust = TrustRoots.load(tmp_path)
    changes = {"mode": "training", "election": bytes.fromhex(trust.election.sha256)}
    lesson = cose.sign(decode(cose.parse(RECORD).payload) | changes, cose.MessageType.RECORD, parts.TRAINING)
    with pytest.raises(Refused, match="mode-not-of-election"):
        verify_record(lesson, trust)


FLIPS = (0x01, 0x80)


def _flipped(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(len(data)) for mask in FLIPS]


def pem_of(der: bytes) -> bytes:
    """PEM of bytes that may be no certificate."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode()


def test_one_byte_of_a_device_certificate_was_flipped() -> None:
    trust = replace(trusting(None), devices={})
    assert trust.with_devices(pem_of(parts.DEVICE.certificate), "x").devices
    for damaged in _flipped(parts.DEVICE.certificate):
        with pytest.raises(Refused), warnings.catch_warnings(action="ignore"):
            trust.with_devices(pem_of(damaged), "x")


@pytest.mark.parametrize("name", ["authority", "issuing authority"])
def test_one_byte_of_an_authority_s_certificate_was_flipped(name: str) -> None:
    made = parts.ELECTION_AUTHORITY if name == "authority" else parts.ISSUING
    root, scope = parts.ROOT.certificate, Scope.of(certificate_of(made))
    assert root is not None
    check_scope(certificate_of(made), root, scope)
    for damaged in _flipped(parts.der(made)):
        with pytest.raises(Refused), warnings.catch_warnings(action="ignore"):
            check_scope(only_certificate(pem_of(damaged), "x"), root, scope)


def certificate_of(issuer: Issuer) -> x509.Certificate:
    assert issuer.certificate is not None
    return issuer.certificate


def test_one_byte_of_the_election_was_flipped() -> None:
    data, trust = sign_election(parts.election(), parts.ELECTION_KEY), trusting(None)
    verify_election(data, trust)
    for damaged in _flipped(data):
        with pytest.raises(Refused):
            verify_election(damaged, trust)


def test_the_encoding_of_a_certificate_in_the_definition_is_not_looked_at_twice(tmp_path: Path) -> None:
    """Two certificates in one entry are refused: which one was meant?"""
    both = parts.pem(parts.der(parts.ISSUING)) + parts.pem(parts.der(parts.ROOT))
    assert code(folder(tmp_path, election=parts.election(issuers=[both]))) == "trust-unreadable"
    loaded = x509.load_der_x509_certificate(parts.der(parts.ISSUING))
    assert loaded.public_bytes(Encoding.PEM).decode() == parts.pem(parts.der(parts.ISSUING))
