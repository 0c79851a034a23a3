"""Only one encoding is believed: what a hostile or careless encoder could send instead."""

from __future__ import annotations

import struct

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.errors import VerificationRefused
from firmware.signing import encoding
from firmware.signing.encoding import Tagged, decode, encode

scalars = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=40)
keys = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=30)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth, inner), default=0)


@settings(deadline=None)
@given(values.filter(lambda value: depth(value) <= encoding.MAX_DEPTH))
def test_another_library_reads_something_else(value: object) -> None:
    data = encode(value)
    assert cbor2.loads(data) == value
    assert decode(data) == value
    assert encode(decode(data)) == data


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_noise_is_refused_or_has_one_encoding(data: bytes) -> None:
    try:
        value = decode(data)
    except VerificationRefused:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("1817", "cbor-not-deterministic"),  # 23 with a longer head
        ("190018", "cbor-not-deterministic"),
        ("1a0000ffff", "cbor-not-deterministic"),
        ("1b00000000ffffffff", "cbor-not-deterministic"),
        ("a2616201616102", "cbor-not-deterministic"),  # b before a
        ("a2616101616102", "cbor-not-deterministic"),  # a twice
        ("5f4101ff", "cbor-unsupported"),  # indefinite
        ("9fff", "cbor-unsupported"),
        ("bfff", "cbor-unsupported"),
        ("f97e00", "cbor-unsupported"),  # NaN
        ("f93c00", "cbor-unsupported"),  # 1.0
        ("f7", "cbor-unsupported"),  # undefined
        ("f820", "cbor-unsupported"),
        ("a1f500", "cbor-unsupported"),  # true as a key
        ("a1410100", "cbor-unsupported"),  # bytes as a key
        ("c100", "cbor-unsupported"),  # a date
        ("c24101", "cbor-unsupported"),  # a large integer
        ("81d2f6", "cbor-unsupported"),  # COSE_Sign1 inside
        ("61ff", "cbor-unsupported"),  # not UTF-8
        ("0000", "cbor-trailing-bytes"),
        ("", "cbor-truncated"),
        ("4201", "cbor-truncated"),
        ("5bffffffffffffffff", "cbor-truncated"),
        ("9bffffffffffffffff", "cbor-truncated"),
        ("bbffffffffffffffff", "cbor-truncated"),
        ("81" * 9 + "00", "cbor-too-deep"),
    ],
)
def test_another_encoding_of_the_same_thing(data: str, code: str) -> None:
    with pytest.raises(VerificationRefused) as refusal:
        decode(bytes.fromhex(data))
    assert refusal.value.code == code


def test_a_message_as_large_as_the_disk() -> None:
    with pytest.raises(VerificationRefused, match="cbor-too-large"):
        decode(bytes(encoding.MAX_BYTES + 1))


@pytest.mark.parametrize("value", [1.0, {1.5: 0}, {(1, 2): 0}, {1, 2}, 2**64, {"a": [float("nan")]}, object()])
def test_something_is_signed_that_nobody_could_read(value: object) -> None:
    with pytest.raises(VerificationRefused):
        encode(value)


def test_keys_of_both_kinds_are_in_bytewise_order() -> None:
    assert encode({"a": 0, 24: 1, 1: 2}) == bytes.fromhex("a3010218180161" + "61" + "00")
    assert decode(encode(Tagged([1]))) == Tagged([1])
    assert struct.unpack(">e", bytes.fromhex("3c00")) == (1.0,)
