"""A kiosk that tells two stories, and proofs that do not lead where they say: seen from any two messages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from firmware.errors import Refused
from firmware.signing import checkpoint, merkle, proof
from firmware.signing.cose import parse, sign
from firmware.signing.crosscheck import check_together
from firmware.signing.encoding import decode
from firmware.signing.evidence import examine
from firmware.signing.keys import open_device
from firmware.signing.signer import Signer
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import Verified
from tests.vectors import parts

TRUST = TrustRoots.load(parts.FOLDER / "trust")
DEVICE = open_device(x509.load_der_x509_certificate(parts.DEVICE.certificate))
COUNT = 7


class History:
    """What one kiosk signed, in order: the first record, and its corrections."""

    def __init__(self, folder: Path, reasons: Sequence[str]) -> None:
        signer = Signer(folder, parts.DEVICE, parts.clock)
        self.sealed = [signer.seal(parts.draft())]
        for reason in reasons:
            self.sealed.append(signer.seal(parts.draft(supersedes=self.sealed[-1].sha256, reason=reason)))
        signer.close()
        self.names = [entry.sha256 for entry in self.sealed]

    def record(self, at: int) -> bytes:
        return self.sealed[at].cose

    def receipt(self, at: int) -> bytes:
        return self.sealed[at].receipt

    def checkpoint(self, size: int) -> bytes:
        return checkpoint.make(size, merkle.root(self.names[:size]), DEVICE, parts.DEVICE).encode()

    def inclusion(self, at: int, size: int) -> bytes:
        return proof.inclusion(at, merkle.inclusion_proof(self.names[:size], at), self.checkpoint(size)).text()

    def consistency(self, old: int, size: int) -> bytes:
        hashes = merkle.consistency_proof(self.names[:size], old)
        return proof.consistency(old, hashes, self.checkpoint(size)).text()


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("true"), [f"koreksi {n}" for n in range(1, COUNT)])


@pytest.fixture(scope="module")
def false(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The same kiosk restored from an old copy: the first record is the same, the rest is not."""
    return History(tmp_path_factory.mktemp("false"), [f"lain {n}" for n in range(1, COUNT)])


def verified(data: bytes) -> Verified:
    finding = examine("x", data, TRUST)
    assert finding.refusal is None, finding.refusal
    assert finding.verified is not None
    return finding.verified


def told(*messages: bytes) -> list[str]:
    claims: list[str] = []
    check_together([verified(data) for data in messages], lambda claim: claims.append(claim.key))
    return claims


def refused(*messages: bytes) -> str:
    found = [verified(data) for data in messages]
    codes = set()
    for order in (found, found[::-1]):
        with pytest.raises(Refused) as refusal:
            check_together(order, lambda claim: None)
        codes.add(refusal.value.code)
    (code,) = codes
    return code


def pieces(history: History, at: int) -> dict[str, bytes]:
    return {"record": history.record(at), "receipt": history.receipt(at), "checkpoint": history.checkpoint(at)}


KINDS = ("record", "receipt", "checkpoint")


@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_two_messages_of_the_same_place_contradict(true: History, false: History, one: str, other: str) -> None:
    assert refused(pieces(true, 3)[one], pieces(false, 3)[other]) == "chain-fork"


@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_two_messages_of_one_history_agree(true: History, one: str, other: str) -> None:
    assert "together-history" in told(pieces(true, 3)[one], pieces(true, 3)[other])


@pytest.mark.parametrize("one", ["record", "receipt"])
@pytest.mark.parametrize("other", KINDS)
def test_two_receipts_that_follow_one_another_contradict(true: History, tmp_path: Path, one: str, other: str) -> None:
    """The first is entry 0: whoever names the root of one entry has named it."""
    stranger = History(tmp_path, [])
    name = stranger.record(0)
    changed = dict(decode(parse(name).payload)) | {"confirmed_by": "anggota"}
    forged = sign(changed, parse(name).type, parts.DEVICE)
    first = forged if one == "record" else _receipt_of(forged, stranger)
    later = pieces(true, 1)[other]
    assert refused(first, later) == "chain-fork"


def _receipt_of(record: bytes, history: History) -> bytes:
    statement = decode(parse(history.receipt(0)).payload) | {1: merkle.hashlib.sha256(record).digest()}
    return sign(statement, parse(history.receipt(0)).type, parts.DEVICE)


def test_a_record_names_another_before_it(true: History, false: History) -> None:
    assert refused(true.record(2), false.record(3)) == "chain-fork"
    assert "together-chain" in told(true.record(2), true.record(3))


def test_a_root_does_not_follow_from_the_entries(true: History) -> None:
    payload = dict(decode(parse(true.record(3)).payload)) | {"log": {"size": 3, "root": bytes(32)}}
    forged = sign(payload, parse(true.record(3)).type, parts.DEVICE)
    assert refused(*(true.receipt(n) for n in range(3)), forged) in ("chain-fork", "receipt-other-record")
    assert refused(*(true.record(n) for n in range(3)), forged) == "chain-fork"


def test_an_empty_log_has_another_root(true: History) -> None:
    statement = decode(parse(true.receipt(0)).payload) | {7: bytes(32)}
    assert refused(sign(statement, parse(true.receipt(0)).type, parts.DEVICE)) == "log-root"


def test_two_kiosks_have_two_histories(true: History, tmp_path: Path) -> None:
    signer = Signer(tmp_path, parts.EARLY, parts.clock)
    other = signer.seal(parts.draft())
    signer.close()
    told(true.record(0), other.cose)


def test_a_whole_history_fits(true: History) -> None:
    everything = [data for at in range(COUNT) for data in pieces(true, at).values()]
    claims = told(*everything, true.checkpoint(COUNT), true.inclusion(2, COUNT), true.consistency(4, COUNT))
    assert {"together-inclusion", "together-consistency", "together-receipt", "together-superseded"} <= set(claims)


# --- proofs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(COUNT))
def test_a_record_is_in_the_log(true: History, at: int) -> None:
    assert "together-inclusion" in told(true.record(at), true.inclusion(at, COUNT))
    assert "together-inclusion" in told(true.receipt(at), true.inclusion(at, COUNT))


@pytest.mark.parametrize("old", range(1, COUNT))
def test_a_log_is_the_beginning_of_another(true: History, old: int) -> None:
    assert "together-consistency" in told(true.receipt(old), true.consistency(old, COUNT))
    assert "together-consistency" in told(true.checkpoint(old), true.consistency(old, COUNT))


def test_a_proof_is_of_another_history(true: History, false: History) -> None:
    assert refused(true.receipt(3), false.inclusion(3, COUNT)) == "log-inclusion"
    assert refused(true.receipt(3), false.consistency(3, COUNT)) == "log-consistency"


def test_a_proof_is_about_something_that_was_not_given(true: History) -> None:
    assert refused(true.record(2), true.inclusion(3, COUNT)) == "proof-other-record"
    assert refused(true.record(2), true.consistency(3, COUNT)) == "proof-other-record"


def flips(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(len(data)) for mask in (1, 128)]


@pytest.mark.parametrize("kind", ["checkpoint", "inclusion", "consistency"])
def test_one_byte_of_a_proof_was_flipped(true: History, kind: str) -> None:
    """Every flip is refused by itself, or with the record that it is about."""
    data: dict[str, Any] = {
        "checkpoint": true.checkpoint(COUNT),
        "inclusion": true.inclusion(3, COUNT),
        "consistency": true.consistency(3, COUNT),
    }
    record = verified(true.record(3))
    check_together([record, verified(data[kind])], lambda claim: None)
    for damaged in flips(data[kind]):
        finding = examine("x", damaged, TRUST)
        if finding.verified:
            with pytest.raises(Refused):
                check_together([record, finding.verified], lambda claim: None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text.replace(b"index 3", b"index 03"),
        lambda text: text.replace(b"index 3", b"index -3"),
        lambda text: text.replace(b"index 3", b"index 3 "),
        lambda text: text.replace(b"index 3\n", b"index 3\n" + b"A" * 43 + b"=\n" * 30),
        lambda text: text.replace(b"index 3\n", b"index 3\nAAAA\n"),
        lambda text: text.replace(b"\n\n", b"\n"),
        lambda text: text.partition(b"\n\n")[0],
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"c2sp.org/tlog-proof@v1\nindex " + bytes(range(128, 255)) + b"\n\n",
    ],
)
def test_a_proof_is_damaged(true: History, spoil: Any) -> None:
    finding = examine("x", spoil(true.inclusion(3, COUNT)), TRUST)
    assert isinstance(finding.refusal, Refused)


def test_a_checkpoint_of_a_stranger(true: History) -> None:
    note = true.checkpoint(COUNT).replace(b"VECTOR-1", b"VECTOR-9")
    refusal = examine("x", note, TRUST).refusal
    assert refusal is not None and refusal.code == "checkpoint-unknown"
