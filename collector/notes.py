"""The collector's log in public: signed checkpoints and proofs, in the formats of the devices' own logs.

The origin is `c1kiosk.id/collector.<name>`; the key is the one that acknowledges. Whoever keeps an acknowledgement
can ask for the proof that its record is in the log, and whoever keeps a checkpoint that today's log begins with it: a
collector that drops or changes what it acknowledged cannot show both. Formats and verification are those of
firmware/signing/checkpoint.py and proof.py.
"""

from __future__ import annotations

from cryptography import x509

from collector.store import Proven
from firmware.signing import proof
from firmware.signing.acknowledgement import collector_name
from firmware.signing.checkpoint import ORIGIN, Checkpoint, sign_note
from firmware.signing.cose import SigningKey
from firmware.signing.keys import public_key_of

PREFIX = "collector."
"""Before the collector's name in an origin: no device has such a serial."""
NAME_CHARACTERS = 30
"""Longest name of a collector: an origin ends with 40 characters at most."""


def origin_of(certificate: x509.Certificate) -> str:
    """The name of the log of the collector with this certificate."""
    return ORIGIN + PREFIX + collector_name(certificate)


def checkpoint_of(size: int, root: bytes, key: SigningKey) -> str:
    """The signed note. Raises ValueError for a collector whose name is over NAME_CHARACTERS."""
    certificate = x509.load_der_x509_certificate(key.certificate)
    return sign_note(Checkpoint(origin_of(certificate), size, root), public_key_of(certificate), key)


def proof_note(proven: Proven, key: SigningKey) -> bytes:
    """That a record is in the log, with the checkpoint that it leads to."""
    note = checkpoint_of(proven.size, proven.root, key).encode()
    return proof.inclusion(proven.position, proven.path, note).text()


def growth_note(old: int, size: int, root: bytes, path: list[bytes], key: SigningKey) -> bytes:
    """That the log of `old` records begins today's, with today's checkpoint."""
    return proof.consistency(old, path, checkpoint_of(size, root, key).encode()).text()
