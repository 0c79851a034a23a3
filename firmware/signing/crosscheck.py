"""What several pieces of evidence say together: does the receipt belong to the record, is there a fork.

A device's log only grows. Two messages of one key with the same log size must name the same log root and the same
record; if they do not, the device kept two histories, and the two messages prove it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from firmware.errors import VerificationRefused
from firmware.signing.claims import Claim, Report
from firmware.signing.schema import LogEntry
from firmware.signing.statement import statement_of
from firmware.signing.verification import VerifiedAcknowledgement, VerifiedReceipt, VerifiedRecord


def check_together(
    records: Sequence[VerifiedRecord],
    receipts: Sequence[VerifiedReceipt],
    acknowledgements: Sequence[VerifiedAcknowledgement],
    report: Report,
) -> None:
    """Returns when all pieces agree; raises VerificationRefused."""
    _check_forks(records, receipts)
    _check_chain(records, report)
    if records:
        _check_receipts(records, receipts, report)
    known = {entry.sha256 for entry in records} | {entry.statement.record for entry in receipts}
    for acknowledgement in acknowledgements if known else ():
        if acknowledgement.record not in known:
            raise VerificationRefused("acknowledgement-other-record", record=acknowledgement.record.hex())
        report(Claim("together-acknowledgement", {"record": acknowledgement.record.hex()}))


def _check_receipts(records: Sequence[VerifiedRecord], receipts: Sequence[VerifiedReceipt], report: Report) -> None:
    by_hash = {entry.sha256: entry for entry in records}
    for receipt in receipts:
        record = by_hash.get(receipt.statement.record)
        if record is None:
            raise VerificationRefused("receipt-other-record", record=receipt.statement.record.hex())
        if receipt.statement != statement_of(record.sha256, record.record) or receipt.kid != record.kid:
            raise VerificationRefused("receipt-differs", record=record.sha256.hex())
        report(Claim("together-receipt", {"record": record.sha256.hex(), "fields": len(receipt.results)}))


def _check_forks(records: Sequence[VerifiedRecord], receipts: Sequence[VerifiedReceipt]) -> None:
    seen: dict[tuple[bytes, int], tuple[LogEntry, bytes]] = {}
    heads = [(entry.kid, entry.record.log, entry.sha256) for entry in records]
    heads += [(entry.kid, entry.statement.log, entry.statement.record) for entry in receipts]
    for kid, log, record in heads:
        if seen.setdefault((kid, log.size), (log, record)) != (log, record):
            raise VerificationRefused("chain-fork", sequence=log.size + 1, kid=kid.hex())


def _check_chain(records: Sequence[VerifiedRecord], report: Report) -> None:
    """Records that follow one another name one another; a record that was corrected is named."""
    ordered = sorted(records, key=lambda entry: (entry.kid, entry.record.sequence))
    for first, second in pairwise(ordered):
        if first.kid == second.kid and second.record.sequence == first.record.sequence + 1:
            if second.record.previous != first.sha256:
                raise VerificationRefused("chain-previous", sequence=second.record.sequence)
            report(Claim("together-chain", {"sequence": second.record.sequence, "before": first.record.sequence}))
    known = {entry.sha256 for entry in records}
    for entry in ordered:
        if entry.record.supersedes in known:
            old = entry.record.supersedes.hex()
            report(Claim("together-superseded", {"old": old, "new": entry.sha256.hex(), "reason": entry.record.reason}))
