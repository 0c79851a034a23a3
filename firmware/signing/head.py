"""What the signer's log ends with, and how the station compares it with its ledger.

A signer whose key has no counter cannot know that an old copy of its memory was put back; a station cannot know that
an old copy of its ledger was. Each remembers what the other has forgotten, so they are compared at every start. What
this only detects, and does not prevent: both put back together, to the same moment, look right; then receipts,
collectors and witnesses' checkpoints are what still remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware.errors import SignerRefused
from firmware.signing import merkle


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the signer's log."""

    size: int
    """Records sealed."""
    root: bytes
    """Of the Merkle tree over all of them."""
    last: bytes
    """SHA-256 of the last record; zeros when there is none."""
    journal: bytes
    """Head of the signer's own journal (journal.py)."""


def compare(head: Head, ledger: Sequence[bytes]) -> None:
    """Returns when the ledger holds what the signer sealed; `ledger` is the SHA-256 of its records, in their order.

    The ledger may lack the last record: the power went between the seal and the ledger, and the station will ask again.
    Raises SignerRefused: "signer-behind", "ledger-behind", or "signer-forked" when each holds what the other does not.
    """
    if len(ledger) > head.size:
        raise SignerRefused("signer-behind", ledger=len(ledger), signer=head.size)
    if len(ledger) < head.size - 1:
        raise SignerRefused("ledger-behind", ledger=len(ledger), signer=head.size)
    known = list(ledger) if len(ledger) == head.size else [*ledger, head.last]
    if merkle.root(known) != head.root:
        raise SignerRefused("signer-forked", size=head.size)
