"""The Merkle tree of RFC 9162, section 2.1, over the records of one device: root, proofs, and their verification.

Entries are the 32-byte SHA-256 of each record's COSE bytes, in the order of the chain. A leaf is hashed with a zero
byte before it, an inner node with a one byte, so that no entry can pass for a node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from firmware.errors import VerificationRefused

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a log without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """The root over `entries`."""
    if not entries:
        return EMPTY_ROOT
    if len(entries) == 1:
        return leaf_hash(entries[0])
    split = _split(len(entries))
    return node_hash(root(entries[:split]), root(entries[split:]))


def inclusion_proof(entries: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path that `entries[index]` is in the log of all `entries` (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < len(entries):
        raise IndexError(index)
    if len(entries) == 1:
        return []
    split = _split(len(entries))
    if index < split:
        return [*inclusion_proof(entries[:split], index), root(entries[split:])]
    return [*inclusion_proof(entries[split:], index - split), root(entries[:split])]


def consistency_proof(entries: Sequence[bytes], old_size: int) -> list[bytes]:
    """That the log of the first `old_size` entries is the beginning of the log of all (RFC 9162, 2.1.4.1)."""
    if not 0 < old_size <= len(entries):
        raise IndexError(old_size)
    return _subproof(entries, old_size, whole=True)


def verify_inclusion(entry: bytes, index: int, size: int, log_root: bytes, proof: Sequence[bytes]) -> None:
    """Returns when `entry` is number `index` of the log; raises VerificationRefused("log-inclusion") (2.1.3.2)."""
    _require(0 <= index < size, "log-inclusion")
    node, last, found = index, size - 1, leaf_hash(entry)
    for step in proof:
        _require(last > 0, "log-inclusion")
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    _require(last == 0 and found == log_root, "log-inclusion")


def verify_consistency(old_size: int, size: int, old_root: bytes, log_root: bytes, proof: Sequence[bytes]) -> None:
    """Returns when the old log begins the new one; raises VerificationRefused("log-consistency") (2.1.4.2)."""
    _require(0 < old_size <= size, "log-consistency")
    if old_size == size:
        _require(not proof and old_root == log_root, "log-consistency")
        return
    steps = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    _require(bool(steps), "log-consistency")
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        _require(last > 0, "log-consistency")
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    _require(last == 0 and old == old_root and new == log_root, "log-consistency")


def _subproof(entries: Sequence[bytes], old_size: int, whole: bool) -> list[bytes]:
    if old_size == len(entries):
        return [] if whole else [root(entries)]
    split = _split(len(entries))
    if old_size <= split:
        return [*_subproof(entries[:split], old_size, whole), root(entries[split:])]
    return [*_subproof(entries[split:], old_size - split, whole=False), root(entries[:split])]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _require(holds: bool, code: str) -> None:
    if not holds:
        raise VerificationRefused(code)
