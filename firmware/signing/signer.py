"""The signer: signs the next record of the chain and its receipt, and nothing else.

    draft -> checked -> sequence, previous record, log, time added -> record and receipt signed -> on disk -> returned

A draft that was sealed before is answered with the same bytes, whatever happened in between, so a station that does
not know whether it was heard simply asks again. Of a TPS and contest one record stands at a time: another one must
name it as superseded and say why, and there are only so many in a minute and a day (rate.py). Refusals
(SignerRefused): `schema...`, `signer-mode`, `signer-already-sealed`, `signer-supersedes`, `signer-too-often`,
`signer-full`, `key-tpm`; `chain-damaged` when the memory does not verify and `signer-rolled-back` when it is an old
copy (chain.py). It also signs checkpoints of its log (checkpoint.py), one for each size, and never a root that it was
given; and reports of the self-test (selftest_report.py), which it dates and which no one takes for a record.
"""

from __future__ import annotations

import fcntl
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import msgspec
from cryptography import x509

from firmware.errors import Refused, SignerRefused
from firmware.records import Mode, SealedRecord
from firmware.signing import checkpoint, durable, selftest_report
from firmware.signing.chain import MAX_RECORDS, Chain, Link, draft_name
from firmware.signing.cose import MessageType, parse, sign
from firmware.signing.encoding import decode
from firmware.signing.head import Head
from firmware.signing.journal import Journal
from firmware.signing.keys import Counter, DeviceKey, open_device
from firmware.signing.rate import check_rate
from firmware.signing.schema import DraftEntry, check_draft, check_record
from firmware.signing.statement import statement_of


class ClockQuality(StrEnum):
    """How good the clock was when a record was sealed."""

    SYNCHRONISED = "synchronised"
    FREE_RUNNING = "free-running"
    """Not set by a time server since the start: may be minutes or years off."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a clock says, and how good it is."""

    unix: int
    quality: ClockQuality


Clock = Callable[[], ClockReading]


class Signer:
    """The only maker of SealedRecords. Threads may share it; one process holds the state folder."""

    def __init__(self, state: Path, key: DeviceKey, clock: Clock, counter: Counter | None = None) -> None:
        """Opens the chain in `state`. Raises SignerRefused, `signer-busy` when another process holds the folder."""
        self._folder = state / "chain"
        self._key = key
        self._counter = counter
        self._device = open_device(x509.load_der_x509_certificate(key.certificate))
        self._clock = clock
        self._turn = threading.Lock()
        self._held = _hold(state)
        self._chain: Chain | None = None
        self._checkpoints: dict[int, str] = {}
        self.journal = Journal(state / "journal.jsonl", lambda: clock().unix)
        try:
            self.journal.opened(len(self._opened().links))
        except Refused as refusal:
            self.journal.refused(refusal.code)
            self.close()
            raise

    @property
    def serial(self) -> str:
        """The device's serial."""
        return self._device.claims.serial

    @property
    def world(self) -> Mode:
        """The only world this signer signs in."""
        return self._device.claims.world

    def stranger(self, _uid: int) -> None:
        """A user who may not connect has tried to. Raises OSError."""
        self.journal.refused("socket-stranger")

    def close(self) -> None:
        """Lets another process have the folder."""
        self._held.close()

    def seal(self, draft: Mapping[str, Any]) -> SealedRecord:
        """The signed record and receipt of `draft`, on disk. Raises SignerRefused, or OSError when the disk does."""
        entry = check_draft(draft)
        self._check_world(entry.mode)
        name = draft_name(entry)
        with self._turn:
            chain = self._opened()
            link = chain.sealed(name) or self._next(chain, entry)
        return _sealed(link)

    def head(self) -> Head:
        """What the log ends with. Raises SignerRefused."""
        with self._turn:
            chain = self._opened()
            return Head(chain.log.size, chain.log.root, chain.previous, self.journal.head)

    def checkpoint(self) -> str:
        """The signed note of the log as it is. Raises SignerRefused."""
        with self._turn:
            log = self._opened().log
            if log.size not in self._checkpoints:
                self._checkpoints = {log.size: checkpoint.make(log.size, log.root, self._device, self._key)}
            return self._checkpoints[log.size]

    def report(self, draft: Mapping[str, Any]) -> bytes:
        """The signed report of a self-test, COSE. Raises SignerRefused; nothing is kept."""
        entry = selftest_report.check_draft(draft)
        self._check_world(entry.mode)
        now = self._clock()
        time = {"unix": now.unix, "clock": str(now.quality)}
        with self._turn:
            return sign(
                msgspec.to_builtins(entry, builtin_types=(bytes,)) | {"time": time}, MessageType.SELFTEST, self._key
            )

    def _check_world(self, mode: str) -> None:
        if mode != self._device.claims.world:
            raise SignerRefused("signer-mode", mode=mode, world=str(self._device.claims.world))

    def _opened(self) -> Chain:
        self._chain = self._chain or Chain(self._folder, self._device, self._counter)
        return self._chain

    def _next(self, chain: Chain, entry: DraftEntry) -> Link:
        now, log = self._clock(), chain.log
        chain.check_count()
        _check_turn(chain, entry)
        check_rate((link.record.time.unix for link in chain.links), now.unix)
        payload = msgspec.to_builtins(entry, builtin_types=(bytes,)) | {
            "sequence": log.size + 1,
            "previous": chain.previous,
            "log": {"size": log.size, "root": log.root},
            "time": {"unix": now.unix, "clock": str(now.quality)},
        }
        record = check_record(payload)
        cose = sign(payload, MessageType.RECORD, self._key)
        statement = statement_of(hashlib.sha256(cose).digest(), record)
        receipt = sign(statement.payload(), MessageType.RECEIPT, self._key)
        # Until the append is known to be whole, memory is not believed: a failure is answered by reading the disk.
        self._chain = None
        link = chain.append(cose, receipt)
        self._chain = chain
        return link


def _check_turn(chain: Chain, entry: DraftEntry) -> None:
    """At most one record of a TPS and contest stands."""
    standing = chain.standing(entry.tps, entry.contest)
    if standing and entry.supersedes is None:
        raise SignerRefused("signer-already-sealed", record=standing.sha256.hex())
    if entry.supersedes != (standing.sha256 if standing else None):
        raise SignerRefused("signer-supersedes", record=standing.sha256.hex() if standing else "-")
    if len(chain.links) >= MAX_RECORDS:
        raise SignerRefused("signer-full", most=MAX_RECORDS)


def _sealed(link: Link) -> SealedRecord:
    return SealedRecord(
        cose=link.cose,
        receipt=link.receipt,
        sha256=link.sha256,
        sequence=link.record.sequence,
        payload=decode(parse(link.cose).payload),
    )


def _hold(state: Path) -> IO[bytes]:
    state.mkdir(mode=durable.PRIVATE_FOLDER, parents=True, exist_ok=True)
    held = (state / "lock").open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise SignerRefused("signer-busy", folder=str(state)) from error
    return held
