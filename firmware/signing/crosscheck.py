"""What several pieces of evidence say together: does the receipt belong to the record, do the proofs hold, is there a
fork (history.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from firmware.errors import VerificationRefused
from firmware.signing import merkle
from firmware.signing.claims import Claim, Report
from firmware.signing.history import Told, check_history
from firmware.signing.proof import ProofKind
from firmware.signing.statement import statement_of
from firmware.signing.verification import (
    Verified,
    VerifiedAcknowledgement,
    VerifiedCheckpoint,
    VerifiedProof,
    VerifiedReceipt,
    VerifiedRecord,
)

Kind = TypeVar("Kind")


def check_together(evidence: Sequence[Verified], report: Report) -> None:
    """Returns when all pieces agree; raises VerificationRefused."""
    records, receipts = _of(evidence, VerifiedRecord), _of(evidence, VerifiedReceipt)
    told = list(_told(evidence))
    _check_histories(told, report)
    _check_chain(records, report)
    if records:
        _check_receipts(records, receipts, report)
    for proof in _of(evidence, VerifiedProof):
        _check_proof(proof, told, report)
    known = {entry.sha256 for entry in records} | {entry.statement.record for entry in receipts}
    for acknowledgement in _of(evidence, VerifiedAcknowledgement) if known else ():
        if acknowledgement.record not in known:
            raise VerificationRefused("acknowledgement-other-record", record=acknowledgement.record.hex())
        report(Claim("together-acknowledgement", {"record": acknowledgement.record.hex()}))


def _of(evidence: Sequence[Verified], kind: type[Kind]) -> list[Kind]:
    return [entry for entry in evidence if isinstance(entry, kind)]


def _told(evidence: Sequence[Verified]) -> Iterable[Told]:
    """What every message says of its device's log."""
    for entry in evidence:
        match entry:
            case VerifiedRecord(record=record):
                yield Told(entry.kid, record.log.size, record.log.root, entry.sha256, record.previous)
            case VerifiedReceipt(statement=statement):
                yield Told(entry.kid, statement.log.size, statement.log.root, statement.record)
            case VerifiedCheckpoint():
                yield Told(entry.kid, entry.size, entry.root)
            case VerifiedProof(checkpoint=checkpoint):
                yield Told(checkpoint.kid, checkpoint.size, checkpoint.root)


def _check_histories(told: Sequence[Told], report: Report) -> None:
    by_key: dict[bytes, list[Told]] = defaultdict(list)
    for message in told:
        by_key[message.kid].append(message)
    for kid, messages in by_key.items():
        check_history(messages)
        if len(messages) > 1:
            report(Claim("together-history", {"messages": len(messages), "kid": kid.hex()}))


def _check_receipts(records: Sequence[VerifiedRecord], receipts: Sequence[VerifiedReceipt], report: Report) -> None:
    by_hash = {entry.sha256: entry for entry in records}
    for receipt in receipts:
        record = by_hash.get(receipt.statement.record)
        if record is None:
            raise VerificationRefused("receipt-other-record", record=receipt.statement.record.hex())
        if receipt.statement != statement_of(record.sha256, record.record) or receipt.kid != record.kid:
            raise VerificationRefused("receipt-differs", record=record.sha256.hex())
        report(Claim("together-receipt", {"record": record.sha256.hex(), "fields": len(receipt.results)}))


def _check_chain(records: Sequence[VerifiedRecord], report: Report) -> None:
    """Says which records follow one another and which were corrected; that they may is for the history to say."""
    ordered = sorted(records, key=lambda entry: (entry.kid, entry.record.sequence))
    for first, second in pairwise(ordered):
        if first.kid == second.kid and second.record.sequence == first.record.sequence + 1:
            report(Claim("together-chain", {"sequence": second.record.sequence, "before": first.record.sequence}))
    known = {entry.sha256 for entry in records}
    for entry in ordered:
        if entry.record.supersedes in known:
            old = entry.record.supersedes.hex()
            report(Claim("together-superseded", {"old": old, "new": entry.sha256.hex(), "reason": entry.record.reason}))


def _check_proof(proof: VerifiedProof, told: Sequence[Told], report: Report) -> None:
    """The proof leads from a message that was given to its checkpoint."""
    number, hashes, head = proof.proof.number, proof.proof.hashes, proof.checkpoint
    at = [message for message in told if (message.kid, message.size) == (head.kid, number)]
    if proof.proof.kind is ProofKind.INCLUSION:
        entry = next((message.entry for message in at if message.entry is not None), None)
        if entry is None:
            raise VerificationRefused("proof-other-record", index=number)
        merkle.verify_inclusion(entry, number, head.size, head.root, hashes)
        report(Claim("together-inclusion", {"record": entry.hex(), "size": head.size}))
        return
    if not at:
        raise VerificationRefused("proof-other-record", index=number)
    merkle.verify_consistency(number, head.size, at[0].root, head.root, hashes)
    report(Claim("together-consistency", {"old": number, "size": head.size}))
