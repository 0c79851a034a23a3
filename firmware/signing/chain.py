"""The signer's memory: every record it sealed, one durable file each, in the order of the chain.

    <folder>/000001.cbor    { "cose": record, "receipt": receipt }
    <folder>/next.cbor      the same of a record that is signed and has no number yet: there only during a seal

There is no other state: what the chain ends with, its log and which record of a TPS stands are computed from these
files, so nothing can disagree. A file appears complete or not at all and is never overwritten. On opening, every
record and receipt is verified again with the signer's own key.

**Rollback.** Where a counter stands outside of the disk (a TPM's), it must say how many records there are. A record
is appended in this order, each step durable before the next:

    next.cbor written -> counter advanced -> next.cbor named by its number -> the record may be answered

A cut leaves one of three states, and each is told from a restored copy: with n numbered files and the counter at

    n       and no next.cbor    nothing was begun
    n       and next.cbor       cut before the counter: it is advanced now, then the file is named
    n + 1   and next.cbor       cut after the counter: the file is named now

Everything else is SignerRefused("signer-rolled-back"); the counter is compared at every opening and every record. So
a record that was signed and written is never signed a second time with other bytes, and there is no slack of one
record for whoever restores an old copy: a copy with next.cbor in it can only be finished to the record that was
finished. Without a counter, restoring is not detected here but by comparing with the ledger (head.py).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from firmware.errors import Refused, SignerRefused
from firmware.signing import durable, merkle
from firmware.signing.cose import MessageType, open_verified, parse
from firmware.signing.encoding import decode, encode
from firmware.signing.keys import Counter, Device
from firmware.signing.schema import NO_RECORD, DraftEntry, LogEntry, RecordEntry, check_record
from firmware.signing.statement import read_statement, statement_of

MAX_RECORDS = 1_000
"""Records of one device: five contests and their corrections are a dozen; a runaway caller must not fill the disk."""

NEXT = "next.cbor"

_NAME = re.compile(r"\d{6}\.cbor")


@dataclass(frozen=True, slots=True)
class Link:
    """One sealed record."""

    draft: bytes
    """Name of the draft it was made from, see `draft_name`."""
    cose: bytes
    receipt: bytes
    record: RecordEntry
    sha256: bytes
    """Of `cose`."""


def draft_name(entry: DraftEntry) -> bytes:
    """SHA-256 of the encoded draft; of a record, that of the draft in it."""
    draft = {name: getattr(entry, name) for name in DraftEntry.__struct_fields__}
    return hashlib.sha256(encode(msgspec.to_builtins(draft, builtin_types=(bytes,)))).digest()


class Chain:
    """All links, in order. One process uses it at a time."""

    def __init__(self, folder: Path, device: Device, counter: Counter | None = None) -> None:
        """Opens the chain in `folder`, making the folder, and finishes an append that was cut.

        Raises SignerRefused, "chain-damaged" or "signer-rolled-back".
        """
        self._folder = folder
        self._device = device
        self._counter = counter
        self.links: list[Link] = []
        folder.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
        # A name that was written just before a power cut may not be on disk yet although it is visible.
        durable.sync_folder(folder)
        for torn in folder.glob(f".{NEXT}.*"):
            torn.unlink()
        for path in sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name)):
            self.links.append(self._load(path))
            if path.name != _file_name(self.links[-1]):
                raise SignerRefused("chain-damaged", file=path.name, problem="sequence")
        self._recover()

    @property
    def previous(self) -> bytes:
        """The hash of the last record."""
        return self.links[-1].sha256 if self.links else NO_RECORD

    @property
    def log(self) -> LogEntry:
        """Size and root of the log over all records."""
        return LogEntry(len(self.links), merkle.root([link.sha256 for link in self.links]))

    def sealed(self, draft: bytes) -> Link | None:
        """The link made from the draft with this hash."""
        return next((link for link in self.links if link.draft == draft), None)

    def standing(self, tps: str, contest: str) -> Link | None:
        """The record of this TPS and contest that no later one supersedes."""
        of_contest = [link for link in self.links if (link.record.tps, link.record.contest) == (tps, contest)]
        return of_contest[-1] if of_contest else None

    def append(self, cose: bytes, receipt: bytes) -> Link:
        """Adds a link; it is on disk and counted when this returns.

        Raises OSError or SignerRefused("key-tpm"), after which the chain must be opened anew.
        """
        link = self._link(cose, receipt)
        durable.create(self._folder / NEXT, encode({"cose": cose, "receipt": receipt}))
        if self._counter:
            self._counter.advance()
        self._name_next(link)
        return link

    def check_count(self, more: int = 0) -> int:
        """What the counter says: as many as there are links, or up to `more` above.

        Raises SignerRefused, "signer-rolled-back" or "key-tpm".
        """
        size = len(self.links)
        counted = self._counter.value() if self._counter else size
        if not size <= counted <= size + more:
            raise SignerRefused("signer-rolled-back", records=size, counted=counted)
        return counted

    def _recover(self) -> None:
        """Finishes an append that was cut, when the counter allows for it."""
        path, size = self._folder / NEXT, len(self.links)
        pending = self._load(path) if path.exists() else None
        counted = self.check_count(1 if pending else 0)
        if pending:
            if self._counter and counted == size:
                self._counter.advance()
            self._name_next(pending)

    def _name_next(self, link: Link) -> None:
        durable.rename(self._folder / NEXT, self._folder / _file_name(link))
        self.links.append(link)

    def _load(self, path: Path) -> Link:
        try:
            match decode(path.read_bytes()):
                case {"cose": bytes() as cose, "receipt": bytes() as receipt}:
                    link = self._link(cose, receipt)
                case _:
                    raise SignerRefused("chain-damaged", file=path.name, problem="form")
        except Refused as refusal:
            raise SignerRefused("chain-damaged", file=path.name, problem=str(refusal)) from refusal
        return link

    def _link(self, cose: bytes, receipt: bytes) -> Link:
        """The link of these bytes, when it is the next of the chain. Raises Refused."""
        key, sha256 = self._device.public_key, hashlib.sha256(cose).digest()
        record = check_record(open_verified(parse(cose), MessageType.RECORD, key))
        statement = read_statement(open_verified(parse(receipt), MessageType.RECEIPT, key))
        follows = (record.previous, record.log) == (self.previous, self.log)
        if not follows or statement != statement_of(sha256, record):
            raise SignerRefused("chain-broken", sequence=record.sequence)
        return Link(draft_name(record), cose, receipt, record, sha256)


def _file_name(link: Link) -> str:
    return f"{link.record.sequence:06d}.cbor"
