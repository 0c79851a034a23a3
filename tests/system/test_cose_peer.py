"""Another COSE implementation, pycose with pure-Python ECDSA, reads what we sign, and we read what it signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cbor2
import pytest

from firmware.errors import VerificationRefused
from firmware.signing.cose import GROUP_ORDER, MessageType, parse
from firmware.signing.evidence import examine
from firmware.signing.key_file import FileKey
from firmware.signing.keys import key_id
from firmware.signing.trust import TrustRoots
from tests.test_vectors import INDEX
from tests.vectors import parts

pytestmark = pytest.mark.system

VALID = sorted(name for name in INDEX if name.startswith("valid/") and name.endswith(".cose"))
OFFICERS = (parts.TECHNICIAN, parts.STORE, parts.KPPS)
DEVICES = (parts.DEVICE, parts.FREE_RUNNING, parts.REVOKED, parts.EARLY)
SIGNERS = (*DEVICES, *OFFICERS, parts.COLLECTOR, parts.ELECTION_KEY)
TRUST = TrustRoots.load(parts.FOLDER / "trust")


def peer_key(key: FileKey, private: bool = False) -> Any:
    """The key as pycose has it."""
    from pycose.keys.curves import P256
    from pycose.keys.ec2 import EC2Key

    number = key.private_key.private_numbers()
    public = number.public_numbers
    x, y = public.x.to_bytes(32), public.y.to_bytes(32)
    return EC2Key(crv=P256, x=x, y=y, d=number.private_value.to_bytes(32) if private else b"")


def by_kid(kid: bytes) -> FileKey:
    (found,) = (key for key in SIGNERS if key_id(key.certificate) == kid)
    return found


def opened(data: bytes) -> Any:
    from pycose.messages.sign1message import Sign1Message

    return Sign1Message.decode(data)


@pytest.mark.parametrize("name", VALID)
def test_pycose_does_not_believe_what_we_signed(name: str) -> None:
    from pycose.headers import KID

    data = (parts.FOLDER / name).read_bytes()
    message = opened(data)
    message.key = peer_key(by_kid(message.phdr[KID]))
    assert message.verify_signature()
    assert message.payload == parse(data).payload
    message.key = peer_key(parts.STRANGER)
    assert not message.verify_signature()


def signed_by_peer(payload: bytes, kind: MessageType, key: FileKey) -> bytes:
    from pycose.algorithms import Es256
    from pycose.headers import KID, Algorithm
    from pycose.messages.sign1message import Sign1Message

    headers = {Algorithm: Es256, KID: key_id(key.certificate), 16: kind.value}
    message = Sign1Message(phdr=headers, payload=payload)
    message.key = peer_key(key, private=True)
    return bytes(message.encode())


def tries(name: str) -> Iterator[bytes]:
    """The payload of a vector with other times: who knows nothing of our rule gives a high s as often as a low one."""
    payload = cbor2.loads(parse((parts.FOLDER / name).read_bytes()).payload)
    for second in range(64):
        at = parts.SEALED_AT + second
        told: dict[Any, Any] = {"time": {"unix": at, "clock": "synchronised"}} if "time" in payload else {}
        told |= {8: at} if 8 in payload else {}
        told |= {"unix": at} if "collector" in payload else {}
        yield cbor2.dumps(payload | told)


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        ("valid/record-1.cose", MessageType.RECORD, parts.DEVICE),
        ("valid/receipt-1.cose", MessageType.RECEIPT, parts.DEVICE),
        ("valid/acknowledgement-1.cose", MessageType.ACKNOWLEDGEMENT, parts.COLLECTOR),
    ],
)
def test_we_do_not_believe_what_pycose_signed(name: str, kind: MessageType, key: FileKey) -> None:
    seen = set()
    for payload in tries(name):
        data = signed_by_peer(payload, kind, key)
        high = int.from_bytes(parse(data).signature[32:]) > GROUP_ORDER // 2
        refusal = examine("peer", data, TRUST).refusal
        if high:
            assert isinstance(refusal, VerificationRefused) and refusal.code == "cose-signature"
        else:
            assert refusal is None
        seen.add(high)
    assert seen == {True, False}


def test_pycose_signs_with_the_key_of_a_stranger() -> None:
    payload = next(tries("valid/record-1.cose"))
    forged = signed_by_peer(payload, MessageType.RECORD, FileKey(parts.STRANGER.private_key, parts.DEVICE.certificate))
    refusal = examine("peer", forged, TRUST).refusal
    assert refusal is not None and refusal.code == "cose-signature"
