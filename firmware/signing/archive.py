"""The archive that an evidence bundle is: ustar (POSIX.1-1988), without compression, in exactly one form.

Why tar and not zip: a zip says everything twice (entries and directory), packs, and hides extra fields, so two readers
may see two contents. A ustar entry is one header of 512 bytes and the bytes themselves; every `tar` opens it. Here a
header is a function of name and size alone (mode 0444, no owner, time 0, a plain file), so that a reader makes the
header anew and compares: links, devices, other modes, long names, doubled or hidden entries cannot be written at all.
Nothing is ever unpacked onto a disk. The first entry is the index, the others follow in the order of their names.

    index.json    {"version": 1, "members": {name: {"bytes": n, "sha256": hex}, ...}}, keys sorted, indent 1

The index is a function of the other entries, and is made anew and compared as well: the same content is always the
same archive, and every byte of it counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from firmware.errors import VerificationRefused

INDEX = "index.json"
MAX_MEMBERS = 20_000
"""A kiosk's thousand records with their receipts, proofs and pictures."""
MAX_MEMBER_BYTES = 64 * 1024 * 1024
"""As the ledger's largest picture."""
MAX_INDEX_BYTES = 4 * 1024 * 1024

_BLOCK = 512
_NAME = re.compile(r"[a-z]+(\.[a-z]+|(/[A-Za-z0-9][A-Za-z0-9.-]{0,89})?)")
"""A file, or a file in a folder; nothing that begins with a dot or a slash."""
_END = bytes(2 * _BLOCK)

Entries = Mapping[str, tuple[int, str]]
"""Size and SHA-256 (hexadecimal) of every member but the index, by name: all that an archive is."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry as it was read."""

    name: str
    data: bytes
    sha256: str
    """Hexadecimal."""


def write(file: BinaryIO, members: Mapping[str, bytes]) -> None:
    """Writes the archive of `members`, by name, with its index. Raises ValueError for what no reader would take.

    Every member is asked for twice, one at a time: they may lie on a disk.
    """
    entries = {name: (len(members[name]), hashlib.sha256(members[name]).hexdigest()) for name in members}
    write_entries(file, entries, members.__getitem__)


def write_entries(file: BinaryIO, entries: Entries, member: Callable[[str], bytes]) -> None:
    """Writes the archive of these entries, asking for each member once. Raises ValueError, and
    VerificationRefused("bundle-index") for a member that is not as its entry says."""
    file.write(entry(INDEX, index(entries)))
    for name in sorted(entries):
        data = member(name)
        if (len(data), hashlib.sha256(data).hexdigest()) != entries[name]:
            raise VerificationRefused("bundle-index", name=name)
        file.write(entry(name, data))
    file.write(_END)


def bytes_of(entries: Entries) -> int:
    """How many bytes the archive of these entries has."""
    sizes = [len(index(entries)), *(size for size, _ in entries.values())]
    return sum(_BLOCK + size + -size % _BLOCK for size in sizes) + len(_END)


def index_name(entries: Entries) -> str:
    """A short name for the archive of these entries: two of them do not share 48 bits of hash by chance."""
    return hashlib.sha256(index(entries)).hexdigest()[:12]


def read(file: BinaryIO) -> Iterator[Member]:
    """The members after the index, one by one. Raises VerificationRefused("bundle-...").

    What was given is only believed once the iterator has ended without a refusal: the index is compared last.
    """
    promised = _next(file)
    if promised is None or promised.name != INDEX or len(promised.data) > MAX_INDEX_BYTES:
        raise VerificationRefused("bundle-form", at=0)
    entries: dict[str, tuple[int, str]] = {}
    before = ""
    while member := _next(file):
        if member.name <= before or member.name == INDEX:
            raise VerificationRefused("bundle-order", name=member.name)
        if len(entries) == MAX_MEMBERS:
            raise VerificationRefused("bundle-too-large", most=MAX_MEMBERS)
        before = member.name
        entries[member.name] = (len(member.data), member.sha256)
        yield member
    if index(entries) != promised.data:
        raise VerificationRefused("bundle-index", name=_first_difference(promised.data, entries))


def _next(file: BinaryIO) -> Member | None:
    """The next entry; None at the end, after which there is nothing."""
    at = file.tell()
    block = file.read(_BLOCK)
    if block == _END[:_BLOCK]:
        if file.read(_BLOCK + 1) != _END[_BLOCK:]:
            raise VerificationRefused("bundle-form", at=at)
        return None
    name, size = _told(block, at)
    if size > MAX_MEMBER_BYTES:
        raise VerificationRefused("bundle-too-large", most=MAX_MEMBER_BYTES)
    data, rest = file.read(size), file.read(-size % _BLOCK)
    if len(data) != size or rest != bytes(-size % _BLOCK):
        raise VerificationRefused("bundle-form", at=at)
    return Member(name, data, hashlib.sha256(data).hexdigest())


def entry(name: str, data: bytes) -> bytes:
    """One entry: header, content, padding. Raises ValueError for a name or size that has no place."""
    return header(name, len(data)) + data + bytes(-len(data) % _BLOCK)


def _told(block: bytes, at: int) -> tuple[str, int]:
    """Name and size in a header that is exactly what `header` makes of them."""
    try:
        name, size = block[:100].rstrip(b"\0").decode("ascii"), int(block[124:135], 8)
        if header(name, size) == block:
            return name, size
    except ValueError:
        pass
    raise VerificationRefused("bundle-form", at=at)


def header(name: str, size: int) -> bytes:
    """The ustar header of a plain file. Raises ValueError for a name or size that has no place."""
    if not _NAME.fullmatch(name) or len(name) > 100 or not 0 <= size < 8**11:
        raise ValueError(f"no member of an archive: {name!r}, {size} bytes")
    parts = [
        name.encode().ljust(100, b"\0"),
        b"0000444\0",  # mode
        b"0000000\0" * 2,  # owner and group
        b"%011o\0" % size,
        b"%011o\0" % 0,  # time
        b" " * 8,  # check sum, counted as spaces
        b"0",  # a plain file
        bytes(100),
        b"ustar\00000",
        bytes(64),
        b"0000000\0" * 2,  # device numbers
        bytes(167),
    ]
    block = b"".join(parts)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def index(entries: Entries) -> bytes:
    """The content of the index."""
    members = {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in entries.items()}
    return json.dumps({"version": 1, "members": members}, indent=1, sort_keys=True).encode() + b"\n"


def _first_difference(promised: bytes, entries: Entries) -> str:
    """The first name on which index and content disagree, for people; the index alone could name anything."""
    try:
        told = json.loads(promised)["members"]
        found = {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in entries.items()}
        return min(
            (name for name in {*told, *found} if _NAME.fullmatch(name) and told.get(name) != found.get(name)),
            default=INDEX,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return INDEX
