"""The receipts of a stored record: one strip per witness, each with a job in the ledger that says how far it came.

A job is `sent` before the first byte leaves; only the printer's own word makes it `confirmed`. A strip that may have
come out in part is never taken for printed: its copy is printed again, and the new strip says that it is a reprint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware.ledger.printing import PrintJob, PrintState
from firmware.receipt.printer import Printed, Printer, PrinterStatus
from firmware.receipt.strip import ReceiptLayout
from firmware.records import StoredRecord

INTERRUPTED = "screen.print-interrupted"
"""Sentence for strips of which nobody knows whether they came out."""


class PrintJobs(Protocol):
    """What printing needs of the ledger."""

    def ask_print(self, record: bytes, copy: int, copies: int, reprint: bool = False) -> PrintJob:
        """A new job."""

    def move_print(self, job: int, state: PrintState, note: str = "") -> PrintJob:
        """The next state of a job."""

    def print_jobs(self, record: bytes | None = None) -> tuple[PrintJob, ...]:
        """All jobs, oldest first."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """Prints the copies of a record. `compose(stored, copy, copies, reprint)` draws one strip."""

    jobs: PrintJobs
    printer: Printer
    compose: Callable[[StoredRecord, int, int, bool], ReceiptLayout]
    copies: int

    def printed(self, record: bytes) -> int:
        """How many different copies are certainly on paper."""
        return len(self._confirmed(record))

    def print(self, stored: StoredRecord, again: bool, progress: Callable[[], None]) -> str | None:
        """Prints the copies that are not certainly on paper, or all of them when none is missing and `again`.

        Returns None when all came out, else the key of the sentence that says what the printer needs.
        """
        record = stored.sealed.sha256
        self._give_up_doubtful(record)
        missing = [copy for copy in range(1, self.copies + 1) if copy not in self._confirmed(record)]
        for copy in missing or (range(1, self.copies + 1) if again else ()):
            problem = self._print_copy(stored, copy, reprint=not missing)
            progress()
            if problem is not None:
                return problem
        return None

    def _print_copy(self, stored: StoredRecord, copy: int, reprint: bool) -> str | None:
        job = self.jobs.ask_print(stored.sealed.sha256, copy, self.copies, reprint)
        status = self.printer.status()
        if not status.can_print:
            self.jobs.move_print(job.id, PrintState.SPOILED, str(status))
            return _problem(status)
        strip = self.compose(stored, copy, self.copies, job.reprint)
        self.jobs.move_print(job.id, PrintState.SENT)
        outcome = self.printer.print(strip)
        if outcome.printed is Printed.CONFIRMED:
            self.jobs.move_print(job.id, PrintState.CONFIRMED)
            return None
        self.jobs.move_print(job.id, PrintState.DOUBTFUL, f"{outcome.printed}, {outcome.status}")
        return INTERRUPTED if outcome.status.can_print else _problem(outcome.status)

    def _confirmed(self, record: bytes) -> set[int]:
        return {job.copy for job in self.jobs.print_jobs(record) if job.state is PrintState.CONFIRMED}

    def _give_up_doubtful(self, record: bytes) -> None:
        """Who asks for a print again has looked at the strip and does not count it."""
        for job in self.jobs.print_jobs(record):
            if job.state is PrintState.DOUBTFUL:
                self.jobs.move_print(job.id, PrintState.SPOILED, "printed again")


def _problem(status: PrinterStatus) -> str:
    return f"printer.{status}"
