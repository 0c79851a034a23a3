"""Bodies of seal requests: valid drafts, drafts with a few wounds, any CBOR, any bytes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import cbor2

from firmware.signing.encoding import Tagged
from tests.vectors import parts

MAX_BYTES = 4096
"""Of a random string or body: longer ones are refused by their length alone."""
MAX_ITEMS = 6
MAX_DEPTH = 10
"""Two more than a message may have."""

_ODD = (0, 1, -1, 23, 24, 255, 256, 999_999, 1_000_000, 2**32, 2**63, 2**64 - 1, -(2**64))
_FOREIGN = (1.5, float("nan"), 2**64, -(2**200), cbor2.undefined, cbor2.CBORSimpleValue(99), cbor2.CBORTag(24, b""))
"""CBOR, but not ours: rare, for each of them is refused at once."""
_TEXTS = ("", "real", "training", "ketua", "ppwp", "suara_1", "typed", "\x00", "é", "٣", "\U0001f5f3", "a" * 300)


def body(chance: Random) -> bytes:
    """One body."""
    kind: Callable[[Random], bytes] = chance.choice((_draft, *(_wounded,) * 8, *(_torn,) * 3, _cbor, _cbor, _bytes))
    return kind(chance)


def _draft(chance: Random) -> bytes:
    return _encode(chance, valid(chance))


def _wounded(chance: Random) -> bytes:
    draft = valid(chance)
    for _ in range(chance.randint(1, 3)):
        draft = _wound(chance, draft)
    return _encode(chance, draft)


def _torn(chance: Random) -> bytes:
    """Bytes of a draft, changed, cut, doubled."""
    data = bytearray(_draft(chance))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        change = chance.randrange(4)
        if change == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif change == 1:
            data[at:at] = chance.randbytes(chance.randint(1, 9))
        elif change == 2:
            del data[at : at + chance.randint(1, 40)]
        else:
            data[at:at] = data[at : at + chance.randint(1, 40)]
    return bytes(data)


def _cbor(chance: Random) -> bytes:
    return _encode(chance, anything(chance))


def _bytes(chance: Random) -> bytes:
    return chance.randbytes(chance.randint(0, MAX_BYTES))


def valid(chance: Random) -> Any:
    """A draft that may be signed."""
    values = [chance.choice((None, chance.randint(0, 999_999))) for _ in range(3)]
    draft = parts.draft(tps=f"{chance.randrange(10**13):013d}", confirmed_by=chance.choice(("ketua", "anggota")))
    for field, value in zip(draft["fields"], values, strict=False):
        field |= {"value": value, "settled": "machine-and-confirmed"}
        field["machine"] |= {"value": value}
        if value is None:
            field |= {"settled": "typed", "value": 7}
    return draft


def anything(chance: Random, depth: int = 0) -> Any:
    """Any value that CBOR can hold, and some that ours must not."""
    if chance.random() < 0.03:
        return chance.choice(_FOREIGN)
    leaves: list[Callable[[], Any]] = [
        lambda: chance.choice(_ODD),
        lambda: chance.choice(_TEXTS),
        lambda: chance.choice((None, True, False)),
        lambda: chance.randbytes(chance.choice((0, 8, 31, 32, 33, chance.randint(0, MAX_BYTES)))),
    ]
    if depth < MAX_DEPTH:
        items = range(chance.randint(0, MAX_ITEMS))
        leaves += [
            lambda: [anything(chance, depth + 1) for _ in items],
            lambda: {_key(chance): anything(chance, depth + 1) for _ in items},
        ]
    return chance.choice(leaves)()


def _key(chance: Random) -> Any:
    return chance.choice((*_TEXTS, *_ODD, *parts.draft()))


def _wound(chance: Random, value: Any) -> Any:
    """`value` with one thing wrong somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        changed = dict(value)
        match chance.randrange(6):
            case 0:
                del changed[name]
            case 1:
                changed[_key(chance)] = anything(chance, MAX_DEPTH - 2)
            case _:
                changed[name] = _wound(chance, value[name])
        return changed
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        changes: tuple[list[Any], ...] = (
            [],
            [value[at], value[at]],
            [_wound(chance, value[at])],
            [_wound(chance, value[at])],
        )
        return [*value[:at], *chance.choice(changes), *value[at + 1 :]]
    if isinstance(value, int) and chance.random() < 0.7:
        return value + chance.choice((-1, 1, 1_000_000))
    if isinstance(value, str) and chance.random() < 0.7:
        return value[: chance.randint(0, len(value))] + chance.choice(_TEXTS)
    return anything(chance, MAX_DEPTH - 2)


def _encode(chance: Random, value: Any) -> bytes:
    """Mostly as it must be, sometimes as other libraries would."""
    if chance.random() < 0.1:
        return cbor2.dumps(value, canonical=chance.random() < 0.5)
    return cbor2.dumps(_in_order(value))


def _in_order(value: Any) -> Any:
    match value:
        case Tagged():
            return cbor2.CBORTag(18, _in_order(value.value))
        case dict():
            return {key: _in_order(value[key]) for key in sorted(value, key=cbor2.dumps)}
        case list():
            return [_in_order(item) for item in value]
    return value
