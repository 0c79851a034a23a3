"""Makes the test vectors: `python -m tests.vectors.make`. The same bytes come out every time.

trust/                   the trust folder all vectors are verified against
valid/                   messages and proofs that hold
hostile/                 messages that must be refused
index.json               per file: what it is, the code it is refused with, and why it is dangerous
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import struct
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
from cryptography import x509

from firmware.records import SealedRecord
from firmware.signing import archive, checkpoint, merkle, proof, receipt_code
from firmware.signing.acknowledgement import acknowledge
from firmware.signing.bundle import picture_name
from firmware.signing.cose import GROUP_ORDER, MessageType, SigningKey, parse, sign
from firmware.signing.election import sign_election
from firmware.signing.encoding import Tagged, decode, encode
from firmware.signing.handover import Party, give, take
from firmware.signing.keys import key_id, open_device
from firmware.signing.signer import Signer
from firmware.signing.trust import write_signed_trust
from tests.vectors import parts

Hostile = tuple[str, str, str, bytes]
"""File name, expected code, why, content."""


def seal() -> tuple[SealedRecord, SealedRecord]:
    """A record and its correction."""
    with tempfile.TemporaryDirectory() as folder:
        signer = Signer(Path(folder) / "signer", parts.DEVICE, parts.clock)
        first = signer.seal(parts.draft())
        second = signer.seal(parts.draft(supersedes=first.sha256, reason="Angka calon 1 salah ketik"))
        signer.close()
    return first, second


def valid() -> dict[str, bytes]:
    """Messages that hold, by file name."""
    first, second = seal()
    payload = dict(first.payload)
    unsure = {"unix": parts.SEALED_AT, "clock": "free-running"}
    before = {"unix": parts.SEALED_AT - 1, "clock": "synchronised"}
    return {
        "record-1.cose": first.cose,
        "record-free-running.cose": _record(payload | {"time": unsure}, parts.FREE_RUNNING),
        "record-before-revocation.cose": _record(payload | {"time": before}, parts.REVOKED),
        "record-of-earlier-edition.cose": _record(payload | {"election": parts.EARLIER}, parts.EARLY),
        "election.cose": sign_election(parts.election(), parts.ELECTION_KEY),
        **_log([first.sha256, second.sha256]),
        "bundle.tar": bundle(),
        "record-2-correction.cose": second.cose,
        "receipt-1.cose": first.receipt,
        "receipt-1.txt": receipt_code.encode(first.receipt).encode(),
        "acknowledgement-1.cose": acknowledge(first.sha256, parts.SEALED_AT + 60, parts.COLLECTOR),
        **_handovers(),
    }


def _handovers() -> dict[str, bytes]:
    """A hand-over that both signed, and the next one, whose receiver has no key."""
    said = parts.handover(parts.TECHNICIAN, parts.STORE)
    first = take(give(said, parts.TECHNICIAN), said.unix + 60, parts.STORE)
    alone = parts.handover(
        parts.STORE,
        parts.KPPS,
        number=2,
        previous=hashlib.sha256(first).digest(),
        unix=said.unix + 3600,
        at=None,
        seal_state="broken",
        resealed="S-0002",
        condition="Kotak penyok",
        receiver=Party("Dewi", "ppk", None),
        alone="Penerima belum memiliki kunci",
    )
    return {"hand-over-1.cose": first, "hand-over-2-alone.cose": give(alone, parts.STORE)}


def _log(names: list[bytes]) -> dict[str, bytes]:
    """The head of the log, and what leads to it."""
    device = open_device(x509.load_der_x509_certificate(parts.DEVICE.certificate))
    head = checkpoint.make(len(names), merkle.root(names), device, parts.DEVICE).encode()
    return {
        "checkpoint-2.txt": head,
        "record-1.tlog-proof": proof.inclusion(0, merkle.inclusion_proof(names, 0), head).text(),
        "consistency-1-2.txt": proof.consistency(1, merkle.consistency_proof(names, 1), head).text(),
    }


def bundle(**changes: bytes | None) -> bytes:
    """A bundle of both records; `changes` replace members, None leaves one out."""
    first, second = seal()
    log = _log([first.sha256, second.sha256])
    head = log["checkpoint-2.txt"]
    members = {
        "election.cose": sign_election(parts.election(), parts.ELECTION_KEY),
        "layouts/vector-form.toml": parts.layout().source,
        "devices.pem": parts.pem(parts.DEVICE.certificate).encode(),
        "journal.jsonl": parts.JOURNAL,
        "checkpoint.txt": head,
        "proofs/000001.tlog-proof": log["record-1.tlog-proof"],
        "proofs/000002.tlog-proof": proof.inclusion(
            1, merkle.inclusion_proof([first.sha256, second.sha256], 1), head
        ).text(),
        "proofs/000002.consistency": log["consistency-1-2.txt"],
        "acknowledgements/000001.kota-bandung.cose": acknowledge(first.sha256, parts.SEALED_AT + 60, parts.COLLECTOR),
    }
    for sealed in (first, second):
        members[f"records/{sealed.sequence:06d}.cose"] = sealed.cose
        members[f"receipts/{sealed.sequence:06d}.cose"] = sealed.receipt
    for number in (1, 2):
        data = parts.picture(number)
        members[picture_name(hashlib.sha256(data).digest(), data)] = data
    file = io.BytesIO()
    archive.write(file, {name: data for name, data in (members | changes).items() if data is not None})
    return file.getvalue()


def hostile() -> Iterator[Hostile]:
    """Messages that must be refused."""
    first, second = seal()
    yield from _encodings(first.receipt)
    yield from _envelopes(first)
    yield from _signers(first)
    yield from _records(dict(first.payload), dict(second.payload))
    yield from _receipts(first)
    yield from _elections()
    yield from _hostile_handovers()
    yield from _bundles()
    yield from _codes(receipt_code.encode(first.receipt))


# --- one layer after the other ------------------------------------------------------------------------------


def _encodings(receipt: bytes) -> Iterator[Hostile]:
    yield "empty.cose", "cbor-truncated", "nothing at all", b""
    yield "cut.cose", "cbor-truncated", "the last byte is missing", receipt[:-1]
    yield "trailing.cose", "cbor-trailing-bytes", "a byte is left over", receipt + b"\x00"
    yield "long-head.cose", "cbor-not-deterministic", "array of 4 with a longer head", b"\xd2\x98\x04" + receipt[2:]
    yield "indefinite.cose", "cbor-unsupported", "array of unknown length", b"\xd2\x9f" + receipt[2:] + b"\xff"
    yield "huge-count.cose", "cbor-truncated", "promises 4 billion items", b"\xd2\x9a\xff\xff\xff\xff"
    yield "deep.cose", "cbor-too-deep", "nested beyond any need", b"\xd2" + b"\x81" * 1000 + b"\x00"
    yield "wrong-tag.cose", "cbor-unsupported", "tag of COSE_Sign", b"\xd8\x62" + receipt[1:]
    yield "no-tag.cose", "cose-form", "a second encoding of the same message", receipt[1:]
    yield "tag-inside.cose", "cbor-unsupported", "tagged twice", b"\xd2" + receipt


def _envelopes(first: SealedRecord) -> Iterator[Hostile]:
    envelope = parse(first.receipt)
    sealed = [envelope.protected, {}, envelope.payload, envelope.signature]

    def outer(at: int, value: Any) -> bytes:
        return encode(Tagged([value if index == at else part for index, part in enumerate(sealed)]))

    r, s = envelope.signature[:32], int.from_bytes(envelope.signature[32:])
    flipped = r + (GROUP_ORDER - s).to_bytes(32)
    yield "unprotected-header.cose", "cose-header", "something that nobody signed", outer(1, {4: b"x"})
    yield "detached-payload.cose", "cose-form", "no payload", outer(2, None)
    yield "short-signature.cose", "cose-signature", "63 bytes", outer(3, envelope.signature[:-1])
    yield "zero-signature.cose", "cose-signature", "r = s = 0", outer(3, bytes(64))
    yield "other-half.cose", "cose-signature", "(r, n - s): a second name for the same record", outer(3, flipped)
    yield "algorithm-none.cose", "cose-header", "no algorithm", outer(0, encode({4: envelope.kid, 16: 65011}))
    es384 = encode({1: -35, 4: envelope.kid, 16: 65011})
    yield "algorithm-other.cose", "cose-header", "ES384", outer(0, es384)
    extra = encode({1: -7, 3: 60, 4: envelope.kid, 16: 65011})
    yield "extra-header.cose", "cose-header", "a header that is not known", outer(0, extra)
    unknown = sign_as(decode(envelope.payload), "application/vnd.c1kiosk.record+cbor; v=2")
    yield "type-of-tomorrow.cose", "cose-type", "a version that is not known", unknown
    as_record = sign(decode(envelope.payload), MessageType.RECORD, parts.DEVICE)
    yield "receipt-as-record.cose", "schema", "a receipt under the type of a record", as_record
    as_receipt = sign(dict(first.payload), MessageType.RECEIPT, parts.DEVICE)
    yield "record-as-receipt.cose", "schema", "a record under the type of a receipt", as_receipt


def _signers(first: SealedRecord) -> Iterator[Hostile]:
    payload = dict(first.payload)
    yield "stranger.cose", "device-unknown", "a kiosk that is not trusted", _record(payload, parts.STRANGER)
    stolen_name = _Named(parts.STRANGER, parts.DEVICE.certificate)
    yield "stolen-name.cose", "cose-signature", "another's key under this kiosk's name", _record(payload, stolen_name)
    training = _record(payload | {"mode": "training"}, parts.DEVICE)
    yield "training-with-development-key.cose", "mode-not-of-key", "another world than the key's", training
    real = _record(payload | {"mode": "real"}, parts.DEVICE)
    yield "real-with-development-key.cose", "mode-not-of-key", "a development key makes a real result", real
    lesson = _record(payload | {"mode": "training"}, parts.TRAINING)
    yield "training-in-this-election.cose", "device-unknown", "a lesson handed in as a result", lesson
    late = _record(payload, parts.REVOKED)
    yield "revoked.cose", "device-revoked", "sealed from the revocation on", late
    unset = {"unix": parts.SEALED_AT - 1, "clock": "free-running"}
    backdated = _record(payload | {"time": unset}, parts.REVOKED)
    yield "revoked-clock.cose", "device-revoked", "a revoked device whose clock nobody set", backdated
    statement = decode(parse(first.receipt).payload)
    receipt = sign(statement, MessageType.RECEIPT, parts.REVOKED)
    yield "revoked-receipt.cose", "device-revoked", "a receipt from the revocation on", receipt
    word = acknowledge(first.sha256, parts.SEALED_AT, parts.STRANGE_COLLECTOR)
    yield "collector-stranger.cose", "collector-unknown", "a collector that is not trusted", word
    early = acknowledge(first.sha256, 1_000_000_000, parts.COLLECTOR)
    yield "collector-early.cose", "collector-validity", "before the collector had its certificate", early
    claim = {"record": first.sha256, "collector": "kota-lain", "unix": parts.SEALED_AT}
    other = sign(claim, MessageType.ACKNOWLEDGEMENT, parts.COLLECTOR)
    yield "collector-other-name.cose", "acknowledgement-collector", "speaks for another collector", other


def _records(first: dict[str, Any], second: dict[str, Any]) -> Iterator[Hostile]:
    def case(name: str, code: str, why: str, **changes: Any) -> Hostile:
        return f"record-{name}.cose", code, why, _record(first | changes, parts.DEVICE)

    pages, fields = first["pages"], first["fields"]
    changed = _field_changer(fields)
    yield case("no-picture", "schema-field-without-picture", "a number without its picture", pages=pages[1:])
    yield case(
        "same-picture", "schema-picture-twice", "one picture for two pages", pages=[pages[0], pages[0] | {"page": 2}]
    )
    yield case("page-twice", "schema-page-order", "two pictures of one page", pages=[*pages, pages[1]])
    yield case("field-twice", "schema-field-twice", "two values of one field", fields=[*fields, fields[0]])
    yield case("field-missing", "layout-fields", "a field of the form is left out", fields=fields[1:])
    yield case("field-moved", "layout-fields", "a field on another page", fields=changed(3, page=1))
    yield case("negative", "schema", "a count below zero", fields=changed(3, value=-1))
    yield case("million", "schema", "more than six boxes can hold", fields=changed(3, value=1_000_000))
    yield case("text-value", "schema", "a number as text", fields=changed(3, value="153"))
    yield case("true-value", "schema", "true is not one", fields=changed(3, value=True))
    yield case(
        "false-settled", "schema-settled", "'confirmed', but not what the machine read", fields=changed(3, value=154)
    )
    yield case("extra-key", "schema", "a key that is not known", note="x")
    yield case("short-hash", "schema", "31 bytes", model=bytes(31))
    yield case("tps-newline", "schema", "a TPS code with a line end", tps=parts.TPS[:-1] + "\n")
    yield case("other-election", "election-other", "another election definition", election=bytes(32))
    yield case("other-tps", "election-tps", "a TPS that is not in the election", tps="3273010001008")
    yield case("other-contest", "election-contest", "a contest that is not in the election", contest="dpr")
    yield case("other-layout", "layout-unknown", "another form layout", layout=bytes(32))
    yield case("reason-alone", "schema-reason", "a reason, but nothing superseded", reason="x")
    yield case("log-size", "schema-log-size", "skips a place in the log", log=first["log"] | {"size": 1})
    yield case(
        "first-with-previous", "schema-previous", "a first record that follows another", previous=bytes(31) + b"\1"
    )
    late = {"unix": 4_000_000_000, "clock": "synchronised"}
    yield case("expired", "certificate-validity", "sealed when the certificate was not valid", time=late)
    silent = _record(second | {"reason": ""}, parts.DEVICE)
    yield "record-no-reason.cose", "schema-reason", "supersedes without saying why", silent
    yield "record-float.cose", "cbor-unsupported", "a float in a signed record", _float(first)


def _receipts(first: SealedRecord) -> Iterator[Hostile]:
    payload = decode(parse(first.receipt).payload)

    def case(name: str, code: str, why: str, changes: dict[int, Any]) -> Hostile:
        return f"receipt-{name}.cose", code, why, sign(payload | changes, MessageType.RECEIPT, parts.DEVICE)

    yield case("fewer-values", "receipt-values", "a result is left out", {5: payload[5][:-1]})
    yield case("mode", "schema", "a mode that is not known", {2: 3})
    yield case("real", "mode-not-of-key", "a development key makes a real receipt", {2: 0})
    yield case("extra-key", "schema", "a key that is not known", {9: 0})
    yield case("tps", "schema", "14 digits", {3: 10**13})


def _elections() -> Iterator[Hostile]:
    other = sign_election(parts.election(edition=3), parts.ELECTION_KEY)
    yield "election-other.cose", "election-other", "another edition than the one that is trusted", other
    stranger = sign_election(parts.election(), parts.DEVICE)
    yield "election-by-device.cose", "cose-signature", "a kiosk defines the election", stranger
    record = sign(json.loads(parts.election()), MessageType.RECORD, parts.ELECTION_KEY)
    yield "election-as-record.cose", "device-unknown", "a definition under the type of a record", record


def _bundles() -> Iterator[Hostile]:
    def case(name: str, code: str, why: str, data: bytes) -> Hostile:
        return f"bundle-{name}.tar", code, why, data

    whole = bundle()
    picture = picture_name(hashlib.sha256(parts.picture(1)).digest(), parts.picture(1))
    yield case("cut", "bundle-form", "the end is missing", whole[:-512])
    yield case("more", "bundle-form", "something hides after the end", whole + bytes(512))
    yield case("no-picture", "bundle-missing", "a number without its picture", bundle(**{picture: None}))
    yield case("extra", "bundle-extra", "a file that does not belong", bundle(**{"run.sh": b"#!/bin/sh"}))
    yield case("other-picture", "bundle-picture", "another picture under its name", bundle(**{picture: b"picture 3"}))
    yield case("journal", "journal-head", "the journal was written anew", bundle(**{"journal.jsonl": b""}))
    stranger = parts.pem(parts.STRANGER.certificate).encode() + parts.pem(parts.DEVICE.certificate).encode()
    yield case("device", "bundle-extra", "a kiosk that signed nothing", bundle(**{"devices.pem": stranger}))
    size = int(whole[124:135], 8)
    index = json.loads(whole[512 : 512 + size]) | {"note": "x"}
    noted = json.dumps(index, indent=1, sort_keys=True).encode() + b"\n"
    rest = whole[512 + size + -size % 512 :]
    yield case("index", "bundle-index", "an index that says more", archive.entry("index.json", noted) + rest)
    for name, kind in (("link", tarfile.SYMTYPE), ("device-file", tarfile.CHRTYPE)):
        entry = tarfile.TarInfo("records/000003.cose")
        entry.type, entry.linkname = kind, "/etc/passwd"
        block = entry.tobuf(tarfile.USTAR_FORMAT)
        yield case(name, "bundle-form", f"an entry that is a {name}", whole[:-1024] + block + bytes(1024))
    climbing = tarfile.TarInfo("records/../../etc/passwd").tobuf(tarfile.USTAR_FORMAT)
    yield case("climbing", "bundle-form", "a name that leads out of the folder", whole[:-1024] + climbing + bytes(1024))
    twice = archive.entry("records/000001.cose", b"x")
    yield case("twice", "bundle-order", "a second file of the same name", whole[:-1024] + twice + bytes(1024))
    huge = tarfile.TarInfo("records/000003.cose")
    huge.mode, huge.size = 0o444, 8**10
    promised = whole[:-1024] + huge.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)
    yield case("huge", "bundle-form", "a gigabyte is promised", promised)


def _hostile_handovers() -> Iterator[Hostile]:
    said = parts.handover(parts.TECHNICIAN, parts.STORE)
    offer = give(said, parts.TECHNICIAN)
    yield "hand-over-offered.cose", "custody-signers", "the receiver has not signed", offer
    other = take(offer, said.unix, parts.KPPS)
    yield "hand-over-other-receiver.cose", "custody-signers", "somebody else took it", other
    strange = parts.handover(parts.TECHNICIAN, parts.STRANGE_OFFICER)
    message = take(give(strange, parts.TECHNICIAN), said.unix, parts.STRANGE_OFFICER)
    yield "hand-over-stranger.cose", "certificate-issuer", "an officer of another authority", message
    stolen = take(give(said, _Named(parts.STRANGER, parts.TECHNICIAN.certificate)), said.unix, parts.STORE)
    yield "hand-over-stolen-name.cose", "cose-signature", "another's key under an officer's certificate", stolen
    reason = parts.handover(parts.TECHNICIAN, parts.STORE, alone="x")
    both = take(give(reason, parts.TECHNICIAN), said.unix, parts.STORE)
    yield "hand-over-reason.cose", "custody-alone", "a reason for one signature, and two", both
    late = parts.handover(parts.TECHNICIAN, parts.STORE, unix=9_999_999_999)
    message = take(give(late, parts.TECHNICIAN), late.unix, parts.STORE)
    yield "hand-over-late.cose", "officer-validity", "after the officers' certificates", message
    record = sign({"unix": said.unix}, MessageType.HANDOVER, parts.DEVICE)
    yield "hand-over-by-a-device.cose", "officer-certificate", "a device's key is no officer's", record


def _codes(text: str) -> Iterator[Hostile]:
    def case(name: str, why: str, content: str) -> Hostile:
        return f"code-{name}.txt", "receipt-code", why, content.encode()

    yield case("cut", "an odd number of characters is left", text[:-1])
    yield case("lower-case", "not the alphabet", "C1R1:" + text[5:].lower())
    yield case("trailing", "text after the code", text + " ")
    yield case("overflow", "three characters above 65535", "C1R1:" + ":::" + text[8:])


# --- helpers ------------------------------------------------------------------------------------------------


class _Named:
    """Signs with one key under the name of another."""

    def __init__(self, key: SigningKey, certificate: bytes) -> None:
        self.certificate = certificate
        self.sign = key.sign


def sign_as(payload: Any, name: str | int) -> bytes:
    """A message with any type, signed by the device."""
    protected = encode({1: -7, 4: key_id(parts.DEVICE.certificate), 16: name})
    body = encode(payload)
    return _signed(protected, body)


def _signed(protected: bytes, body: bytes) -> bytes:
    raw = parts.DEVICE.sign(encode(["Signature1", protected, b"", body]))
    s = int.from_bytes(raw[32:])
    return encode(Tagged([protected, {}, body, raw[:32] + min(s, GROUP_ORDER - s).to_bytes(32)]))


def _record(payload: dict[str, Any], key: SigningKey) -> bytes:
    return sign(payload, MessageType.RECORD, key)


def _float(payload: dict[str, Any]) -> bytes:
    """A record whose confirmed number is 153.0, well signed."""
    name = encode({1: -7, 4: key_id(parts.DEVICE.certificate), 16: MessageType.RECORD.value})
    body = cbor2.dumps(payload | {"sequence": 1.0}, canonical=True)
    assert struct.pack(">e", 1.0) in body
    return _signed(name, body)


def _field_changer(fields: list[dict[str, Any]]) -> Callable[..., list[dict[str, Any]]]:
    def changed(at: int, **changes: Any) -> list[dict[str, Any]]:
        return [field | changes if index == at else field for index, field in enumerate(fields)]

    return changed


def files() -> dict[str, bytes]:
    """Every file below this folder that is made, by its path."""
    with tempfile.TemporaryDirectory() as folder:
        trust = Path(folder)
        write_signed_trust(
            trust,
            root=parts.der(parts.ROOT),
            authority=parts.der(parts.ELECTION_AUTHORITY),
            election=sign_election(parts.election(), parts.ELECTION_KEY),
            layouts=[parts.layout()],
            devices=[key.certificate for key in (parts.DEVICE, parts.REVOKED, parts.FREE_RUNNING, parts.EARLY)],
        )
        found = {f"trust/{path.relative_to(trust)}": path.read_bytes() for path in trust.rglob("*") if path.is_file()}
    index: dict[str, dict[str, str]] = {}
    for name, data in valid().items():
        found[f"valid/{name}"] = data
        index[f"valid/{name}"] = {"sha256": hashlib.sha256(data).hexdigest()}
    for name, code, why, data in hostile():
        found[f"hostile/{name}"] = data
        index[f"hostile/{name}"] = {"refused": code, "why": why}
    found["index.json"] = json.dumps(index, indent=1, sort_keys=True).encode() + b"\n"
    return found


def main() -> None:
    """Writes all files anew."""
    for folder in ("trust", "valid", "hostile"):
        shutil.rmtree(parts.FOLDER / folder, ignore_errors=True)
    for name, data in files().items():
        path = parts.FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
