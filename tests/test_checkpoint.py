"""Checkpoints that witnesses keep: valid ones, and notes that must not be believed."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware.errors import VerificationRefused
from firmware.signing import checkpoint, merkle
from firmware.signing.cose import MessageType, sign
from firmware.signing.enrolment import make_request
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.keys import open_device
from firmware.signing.service import create_app
from firmware.signing.signer import Signer
from tests.vectors import parts

DEVICE = open_device(x509.load_der_x509_certificate(parts.DEVICE.certificate))
STRANGER = open_device(x509.load_der_x509_certificate(parts.STRANGER.certificate))
ROOT = hashlib.sha256(b"root").digest()
NOTE = checkpoint.make(3, ROOT, DEVICE, parts.DEVICE)
WITNESS = "— witness.example/w1 " + base64.b64encode(bytes(76)).decode() + "\n"
TEXT, _, LINE = NOTE.rpartition("\n\n")


def signed(text: str, name: str = "c1kiosk.id/VECTOR-1", public: ec.EllipticCurvePublicKey = DEVICE.public_key) -> str:
    """A note with any text, signed by the device with plain `cryptography`, as the specification of notes says."""
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = parts.private_key("VECTOR-1").sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{text}\n— {name} {base64.b64encode(hashlib.sha256(spki).digest()[:4] + signature).decode()}\n"


def test_a_witness_reads_a_checkpoint() -> None:
    lines = NOTE.split("\n")
    assert lines[:4] == ["c1kiosk.id/VECTOR-1", "3", base64.b64encode(ROOT).decode(), ""]
    assert checkpoint.make(3, ROOT, DEVICE, parts.DEVICE) == NOTE
    assert checkpoint.verify(NOTE.encode(), DEVICE) == checkpoint.Checkpoint("c1kiosk.id/VECTOR-1", 3, ROOT)
    assert checkpoint.verify(signed(f"{TEXT}\n").encode(), DEVICE).size == 3


@pytest.mark.parametrize(
    "note",
    [
        NOTE + WITNESS,
        TEXT + "\n\n" + WITNESS + LINE,
        NOTE + WITNESS * 15,
        NOTE + WITNESS.replace("witness.example/w1", "c1kiosk.id/VECTOR-1"),
        NOTE + LINE.replace("VECTOR-1", "VECTOR-2"),
        signed(f"{TEXT}\nan extension\nand another\n"),
        signed("c1kiosk.id/VECTOR-1\n0\n" + base64.b64encode(merkle.EMPTY_ROOT).decode() + "\n"),
    ],
)
def test_others_add_what_they_may(note: str) -> None:
    assert checkpoint.verify(note.encode(), DEVICE).size in (0, 3)


ROOT64 = base64.b64encode(ROOT).decode()
HOSTILE_FORM = {
    "nothing": "",
    "no-signature": TEXT + "\n\n",
    "no-empty-line": NOTE.replace("\n\n", "\n"),
    "cut": NOTE[:-1],
    "too-many-signatures": NOTE + WITNESS * 16,
    "hyphen": NOTE.replace("— ", "- "),
    "two-spaces": NOTE.replace("— ", "—  "),
    "line-after": NOTE + "\n",
    "text-after": NOTE + "more",
    "carriage-return": signed(f"{TEXT}\r\n"),
    "control": signed(f"{TEXT}\n\x07\n"),
    "no-origin": signed(f"\n3\n{ROOT64}\n"),
    "size-with-zero": signed(f"c1kiosk.id/VECTOR-1\n03\n{ROOT64}\n"),
    "size-negative": signed(f"c1kiosk.id/VECTOR-1\n-3\n{ROOT64}\n"),
    "size-huge": signed(f"c1kiosk.id/VECTOR-1\n1000000000\n{ROOT64}\n"),
    "size-arabic": signed(f"c1kiosk.id/VECTOR-1\n٣\n{ROOT64}\n"),
    "size-only": signed("c1kiosk.id/VECTOR-1\n3\n"),
    "root-short": signed("c1kiosk.id/VECTOR-1\n3\n" + base64.b64encode(ROOT[:31]).decode() + "\n"),
    "root-unpadded": signed(f"c1kiosk.id/VECTOR-1\n3\n{ROOT64[:-1]}\n"),
    "root-other-spelling": signed("c1kiosk.id/VECTOR-1\n3\n" + ROOT64[:-2] + chr(ord(ROOT64[-2]) + 1) + "=\n"),
    "extension-empty": signed(f"{TEXT}\n\nextension\n"),
    "signature-short": TEXT + "\n\n— c1kiosk.id/VECTOR-1 AAAA\n",
    "signature-base64": TEXT + "\n\n— c1kiosk.id/VECTOR-1 A\n",
    "large": signed("c1kiosk.id/VECTOR-1\n3\n" + ROOT64 + "\n" + "x" * checkpoint.MAX_BYTES + "\n"),
}
HOSTILE_SIGNATURE = {
    "stranger-signed": signed(f"{TEXT}\n", public=STRANGER.public_key),
    "other-name": signed(f"{TEXT}\n", name="c1kiosk.id/VECTOR-2"),
    "only-a-witness": TEXT + "\n\n" + WITNESS,
    "twice": NOTE + LINE,
    "twice-differently": NOTE + signed(f"{TEXT}\n").rpartition("\n\n")[2],
    "other-size": NOTE.replace("\n3\n", "\n4\n"),
    "other-root": NOTE.replace(ROOT64, base64.b64encode(bytes(32)).decode()),
    "extension-added": NOTE.replace("\n\n", "\nextension\n\n"),
}


@pytest.mark.parametrize("name", HOSTILE_FORM)
def test_a_note_is_out_of_form(name: str) -> None:
    with pytest.raises(VerificationRefused, match="checkpoint-form"):
        checkpoint.verify(HOSTILE_FORM[name].encode(), DEVICE)


@pytest.mark.parametrize("name", HOSTILE_SIGNATURE)
def test_a_note_that_the_device_did_not_sign(name: str) -> None:
    with pytest.raises(VerificationRefused, match="checkpoint-signature"):
        checkpoint.verify(HOSTILE_SIGNATURE[name].encode(), DEVICE)


@pytest.mark.parametrize("origin", ["c1kiosk.id/VECTOR-2", "example.com/VECTOR-1", "VECTOR-1"])
def test_a_note_of_another_log(origin: str) -> None:
    with pytest.raises(VerificationRefused, match="checkpoint-origin"):
        checkpoint.verify(signed(f"{origin}\n3\n{ROOT64}\n").encode(), DEVICE)


def test_a_note_is_no_text() -> None:
    with pytest.raises(VerificationRefused, match="checkpoint-form"):
        checkpoint.verify(b"\xff\n\n\n", DEVICE)


def test_any_byte_is_flipped() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            with pytest.raises(VerificationRefused, match="checkpoint-"):
                checkpoint.verify(bytes(flipped), DEVICE)


def test_a_checkpoint_is_taken_for_a_record() -> None:
    """Whatever a device key signs for another purpose is not the text of a note."""
    seen: list[bytes] = []

    class Recorder:
        certificate = parts.DEVICE.certificate
        public_key = DEVICE.public_key

        def sign(self, message: bytes) -> bytes:
            seen.append(message)
            return parts.DEVICE.sign(message)

    for kind in MessageType:
        sign({}, kind, Recorder())
    make_request(KeyElsewhere(Recorder()), DEVICE.claims)
    assert len(seen) == len(MessageType) + 1
    for message in seen:
        with pytest.raises(VerificationRefused, match="checkpoint-form"):
            checkpoint.verify(message + b"\n" + LINE.encode(), DEVICE)
        assert not message.startswith(checkpoint.ORIGIN.encode())


def test_a_serial_does_not_fit_into_an_origin() -> None:
    with pytest.raises(ValueError, match="not an origin"):
        checkpoint.Checkpoint("c1kiosk.id/a b", 0, ROOT).text()


def test_a_witness_asks_a_signer(tmp_path: Path) -> None:
    signer = Signer(tmp_path, parts.DEVICE, parts.clock)
    client = create_app(signer, parts.DEVICE).test_client()
    empty = checkpoint.verify(client.get("/v1/checkpoint").data, DEVICE)
    assert (empty.size, empty.root) == (0, merkle.EMPTY_ROOT)
    sealed = [signer.seal(parts.draft(tps=f"{int(parts.TPS) + number}")).sha256 for number in range(3)]
    head = checkpoint.verify(client.get("/v1/checkpoint").data, DEVICE)
    assert (head.size, head.root) == (3, merkle.root(sealed))
    signer.close()
