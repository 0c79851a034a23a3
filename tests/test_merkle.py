"""The log of RFC 9162: its published values, and proofs that lie."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest

from firmware.errors import VerificationRefused
from firmware.signing import merkle

# The tree of the reference implementation of Certificate Transparency (RFC 6962; RFC 9162 hashes the same way).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
FIRST_OF_EIGHT = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
SIX_TO_EIGHT = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
ENTRIES = [hashlib.sha256(bytes([number])).digest() for number in range(20)]


def hexes(proof: list[bytes]) -> list[str]:
    return [step.hex() for step in proof]


def test_published_roots() -> None:
    assert [merkle.root(LEAVES[:size]).hex() for size in range(9)] == ROOTS


def test_published_proofs() -> None:
    assert hexes(merkle.inclusion_proof(LEAVES, 0)) == FIRST_OF_EIGHT
    assert hexes(merkle.consistency_proof(LEAVES, 1)) == FIRST_OF_EIGHT
    assert hexes(merkle.consistency_proof(LEAVES, 6)) == SIX_TO_EIGHT


@pytest.mark.parametrize("size", range(1, 21))
def test_every_true_proof_holds(size: int) -> None:
    entries, root = ENTRIES[:size], merkle.root(ENTRIES[:size])
    for index in range(size):
        merkle.verify_inclusion(entries[index], index, size, root, merkle.inclusion_proof(entries, index))
        old = index + 1
        proof = merkle.consistency_proof(entries, old)
        merkle.verify_consistency(old, size, merkle.root(entries[:old]), root, proof)


@pytest.mark.parametrize(("size", "index"), [(size, index) for size in range(1, 10) for index in range(size)])
def test_a_record_is_claimed_in_another_place(size: int, index: int) -> None:
    entries, root = ENTRIES[:size], merkle.root(ENTRIES[:size])
    proof = merkle.inclusion_proof(entries, index)
    lies = [(place, entry) for place, entry in product(range(size + 1), [*entries, bytes(32)])
            if (place, entry) != (index, entries[index])]  # fmt: skip
    for place, entry in lies:
        with pytest.raises(VerificationRefused, match="log-inclusion"):
            merkle.verify_inclusion(entry, place, size, root, proof)
    for false in ([*proof, bytes(32)], proof[:-1] if proof else [bytes(32)], [bytes(32), *proof[1:]]):
        if false != proof:
            with pytest.raises(VerificationRefused, match="log-inclusion"):
                merkle.verify_inclusion(entries[index], index, size, root, false)


@pytest.mark.parametrize(("old", "size"), [(old, size) for size in range(1, 10) for old in range(1, size + 1)])
def test_history_is_rewritten(old: int, size: int) -> None:
    root, proof = merkle.root(ENTRIES[:size]), merkle.consistency_proof(ENTRIES[:size], old)
    rewritten = merkle.root([bytes(32), *ENTRIES[1:old]])
    with pytest.raises(VerificationRefused, match="log-consistency"):
        merkle.verify_consistency(old, size, rewritten, root, proof)
    with pytest.raises(VerificationRefused, match="log-consistency"):
        merkle.verify_consistency(old, size, merkle.root(ENTRIES[:old]), root, [*proof, bytes(32)])
    with pytest.raises(VerificationRefused, match="log-consistency"):
        merkle.verify_consistency(0, size, merkle.EMPTY_ROOT, root, [])


def test_a_proof_is_asked_for_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof(ENTRIES, 20)
    with pytest.raises(IndexError):
        merkle.consistency_proof(ENTRIES, 21)
