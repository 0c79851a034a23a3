"""The collector's log in the database: the Merkle tree of RFC 9162 as firmware/signing/merkle.py defines it.

Entries are the SHA-256 of the records in the order of their commits. Only complete subtrees are stored (`log_nodes`:
node `number` of `level` stands for the entries from number * 2^level on), two for an entry on average; they never
change. Whatever a root or proof needs besides is put together from at most 2 log2(n) of them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from collector.tables import log_nodes
from firmware.signing.merkle import EMPTY_ROOT, leaf_hash, node_hash


class GrowingLog:
    """The end of the log within one transaction of a writer."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.size = log_size(connection)
        self._new: dict[tuple[int, int], bytes] = {}
        self._edge = _read(connection, [(level, (self.size >> level) - 1) for level in _bits(self.size)])

    def append(self, entry: bytes) -> int:
        """Adds an entry and returns its position."""
        level, number, node = 0, self.size, leaf_hash(entry)
        self._new[level, number] = node
        while number & 1:
            node = node_hash(self._node(level, number - 1), node)
            level, number = level + 1, number >> 1
            self._new[level, number] = node
        self.size += 1
        return self.size - 1

    def write(self) -> None:
        """Puts what was added into the transaction."""
        if self._new:
            rows = [{"level": level, "number": number, "hash": node} for (level, number), node in self._new.items()]
            self._connection.execute(log_nodes.insert(), rows)
            self._new = {}

    def _node(self, level: int, number: int) -> bytes:
        return self._new[level, number] if (level, number) in self._new else self._edge[level, number]


def log_size(connection: sa.Connection) -> int:
    """Entries of the log."""
    last = connection.execute(sa.select(sa.func.max(log_nodes.c.number)).where(log_nodes.c.level == 0)).scalar()
    return 0 if last is None else int(last) + 1


def log_root(connection: sa.Connection, size: int) -> bytes:
    """The root of the log when it had `size` entries."""
    return _root(connection, 0, size) if size else EMPTY_ROOT


def inclusion_proof(connection: sa.Connection, position: int, size: int) -> list[bytes]:
    """That entry `position` is in the log of `size` entries (RFC 9162, 2.1.3.1)."""
    start, path = 0, []
    while size > 1:
        left = _split(size)
        if position < start + left:
            path.append(_root(connection, start + left, size - left))
            size = left
        else:
            path.append(_root(connection, start, left))
            start, size = start + left, size - left
    return path[::-1]


def consistency_proof(connection: sa.Connection, old: int, size: int) -> list[bytes]:
    """That the log of `old` entries, at least one, begins the one of `size` (RFC 9162, 2.1.4.1)."""
    start, path, whole = 0, [], True
    while old < size:
        left = _split(size)
        if old <= left:
            path.append(_root(connection, start + left, size - left))
            size = left
        else:
            path.append(_root(connection, start, left))
            start, old, size, whole = start + left, old - left, size - left, False
    return ([] if whole else [_root(connection, start, size)]) + path[::-1]


def _root(connection: sa.Connection, start: int, size: int) -> bytes:
    """The root over `size` entries from `start`, where `start` is where the tree splits."""
    parts = []
    for level in sorted(_bits(size), reverse=True):
        parts.append((level, start >> level))
        start += 1 << level
    nodes = _read(connection, parts)
    found = nodes[parts[-1]]
    for part in reversed(parts[:-1]):
        found = node_hash(nodes[part], found)
    return found


def _read(connection: sa.Connection, places: list[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    wanted: list[Any] = [sa.and_(log_nodes.c.level == level, log_nodes.c.number == number) for level, number in places]
    if not wanted:
        return {}
    query = sa.select(log_nodes.c.level, log_nodes.c.number, log_nodes.c.hash).where(sa.or_(*wanted))
    return {(row.level, row.number): bytes(row.hash) for row in connection.execute(query)}


def _bits(size: int) -> list[int]:
    """The levels of the complete subtrees that make up a log of `size` entries."""
    return [level for level in range(size.bit_length()) if size >> level & 1]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)
