"""The published vectors: the program makes the same, an independent validator agrees, every hostile one is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from firmware.config import parse_election
from firmware.errors import LayoutRefused, VerificationRefused
from firmware.signing import cose, receipt_code
from firmware.signing.bundle import examine_bundle
from firmware.signing.evidence import Finding, compare, examine
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_acknowledgement, verify_receipt, verify_record
from tests.vectors import make, parts

FOLDER = parts.FOLDER
INDEX: dict[str, dict[str, str]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
CDDL = (Path(cose.__file__).parent / "record.cddl").read_text(encoding="utf-8")
ROOTS = {
    "record": "record",
    "receipt": "receipt",
    "acknowledgement": "acknowledgement",
    "draft": "draft-request",
    "election": "election",
    "handover": "hand-over",
    "takeover": "take-over",
}
FLIPS = (0x01, 0x80)


@pytest.fixture(scope="module")
def trust() -> TrustRoots:
    return TrustRoots.load(FOLDER / "trust")


def schema(kind: str) -> pycddl.Schema:
    """The schema with another first rule: that one is what a document must be."""
    return pycddl.Schema(f"start = {ROOTS[kind]}\n{CDDL}")


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def findings(name: str, trust: TrustRoots) -> list[Finding]:
    """As `c1kiosk verify` finds them."""
    if not name.endswith(".tar"):
        return [examine(name, read(name), trust)]
    found = examine_bundle(name, io.BytesIO(read(name)), trust)
    return [*found, compare(found)]


def payload(name: str) -> bytes:
    return cose.parse(read(name)).payload


def test_the_vectors_are_not_what_the_program_makes() -> None:
    made = make.files()
    kept = {
        str(path.relative_to(FOLDER)): path.read_bytes()
        for folder in ("trust", "valid", "hostile")
        for path in (FOLDER / folder).rglob("*")
        if path.is_file()
    }
    assert kept | {"index.json": read("index.json")} == made


@pytest.mark.parametrize("name", [name for name, entry in INDEX.items() if "refused" not in entry])
def test_a_valid_vector_is_refused(name: str, trust: TrustRoots) -> None:
    found = findings(name, trust)
    assert [finding.refusal for finding in found] == [None] * len(found)
    assert all(finding.claims for finding in found)


@pytest.mark.parametrize("name", [name for name, entry in INDEX.items() if "refused" in entry])
def test_a_hostile_vector_is_believed(name: str, trust: TrustRoots) -> None:
    first = findings(name, trust)[0]
    assert first.verified is None
    assert isinstance(first.refusal, VerificationRefused)
    assert first.refusal.code == INDEX[name]["refused"]


@pytest.mark.parametrize("name", [name for name in INDEX if name.startswith("valid/") and name.endswith(".cose")])
def test_an_independent_validator_disagrees_with_a_valid_payload(name: str) -> None:
    kind, data = cose.parse(read(name)).type.name.lower(), payload(name)
    schema(kind).validate_cbor(cbor2.dumps(json.loads(data)) if kind == "election" else data)


def test_an_independent_validator_disagrees_with_a_draft() -> None:
    schema("draft").validate_cbor(cbor2.dumps(parts.draft()))


@pytest.mark.parametrize("name", [name for name, entry in INDEX.items() if entry.get("refused") == "schema"])
def test_an_independent_validator_accepts_a_payload_out_of_shape(name: str) -> None:
    kind = cose.parse(read(name)).type.name.lower()
    with pytest.raises(pycddl.ValidationError):
        schema(kind).validate_cbor(payload(name))


@pytest.mark.parametrize(
    "change",
    [
        {"trust": {"id": "x"}},
        {"mode": "rehearsal"},
        {"polling_stations": [{"code": "12", "place": "x", "voters": 1}]},
        {"note": "x"},
        {"contests": []},
    ],
)
def test_an_independent_validator_accepts_an_election_out_of_shape(change: dict[str, Any]) -> None:
    document = json.loads(parts.election()) | change
    with pytest.raises(pycddl.ValidationError):
        schema("election").validate_cbor(cbor2.dumps(document))
    with pytest.raises(LayoutRefused):
        parse_election(json.dumps(document).encode())


@pytest.mark.parametrize("name", ["record-1", "receipt-1"])
def test_the_signature_is_not_plain_cose(name: str) -> None:
    """The bytes checked with nothing of ours: cbor2 and ECDSA, as RFC 9052 says."""
    protected, unprotected, body, signature = cbor2.loads(read(f"valid/{name}.cose")).value
    assert unprotected == {}
    signed = cbor2.dumps(["Signature1", protected, b"", body])
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    parts.DEVICE.private_key.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    assert cbor2.loads(protected)[1] == -7


def flips(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(len(data)) for mask in FLIPS]


@pytest.mark.parametrize(
    ("name", "verify"),
    [
        ("record-1", verify_record),
        ("receipt-1", verify_receipt),
        ("acknowledgement-1", lambda data, trust: verify_acknowledgement(data, trust, None)),
    ],
)
def test_one_byte_was_flipped(name: str, verify: Callable[[bytes, TrustRoots], object], trust: TrustRoots) -> None:
    data = read(f"valid/{name}.cose")
    verify(data, trust)
    for damaged in flips(data):
        with pytest.raises(VerificationRefused):
            verify(damaged, trust)


def test_one_character_of_the_code_was_flipped(trust: TrustRoots) -> None:
    text = read("valid/receipt-1.txt")
    for damaged in flips(text):
        assert examine("x.txt", damaged, trust).refusal is not None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 200])
def test_a_receipt_code_loses_bytes(size: int) -> None:
    data = bytes(range(size))
    text = receipt_code.encode(data)
    assert receipt_code.decode(text) == data
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
