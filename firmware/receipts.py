"""The strips of a document: one for each witness and officer, each with a job in the ledger that says how far it came.

A document is a stored record, or the opening or closing of a day. A job is `sent` before the first byte leaves; only
the printer's own word, or a person's, makes it `confirmed`. A strip of which nobody knows whether it came out whole is
never taken for printed and never printed again by itself: a person says what lies there. What is printed again says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firmware.forms.layout import FormLayout
from firmware.ledger.printing import PrintJob, PrintState, closing_name, opening_name, record_name
from firmware.receipt.day import ClosingFacts, OpeningFacts, compose_closing, compose_opening
from firmware.receipt.layout import compose
from firmware.receipt.printer import Printed, Printer, PrinterStatus
from firmware.receipt.strip import ReceiptLayout
from firmware.records import StoredRecord
from firmware.signing.keys import DeviceClaims

INTERRUPTED = "screen.print-interrupted"
"""Sentence for strips of which nobody knows whether they came out."""


@dataclass(frozen=True, slots=True)
class Document:
    """Something to be printed in `copies` strips."""

    name: str
    """As in the ledger: `record/<SHA-256>`, `opening/<day>`, `closing/<day>`."""
    copies: int
    compose: Callable[[int, int, bool], ReceiptLayout]
    """(copy, copies, reprint) -> the strip."""


def record_document(
    stored: StoredRecord, form: FormLayout, place: str, device: DeviceClaims | None, copies: int, width_dots: int
) -> Document:
    """The receipt of a stored record. Composing raises ReceiptRefused, see layout.compose."""

    def draw(copy: int, copies: int, reprint: bool) -> ReceiptLayout:
        return compose(stored, form, place, copy, copies, reprint, width_dots, device=device)

    return Document(record_name(stored.sealed.sha256), copies, draw)


def opening_document(day: str, facts: Callable[[], OpeningFacts], copies: int, width_dots: int) -> Document:
    """The opening receipt of `day`, a name that no other day of this ledger has. Asks for `facts` when drawn."""

    def draw(copy: int, copies: int, reprint: bool) -> ReceiptLayout:
        return compose_opening(facts(), copy, copies, reprint, width_dots)

    return Document(opening_name(day), copies, draw)


def closing_document(day: str, facts: Callable[[], ClosingFacts], copies: int, width_dots: int) -> Document:
    """The closing receipt of `day`."""

    def draw(copy: int, copies: int, reprint: bool) -> ReceiptLayout:
        return compose_closing(facts(), copy, copies, reprint, width_dots)

    return Document(closing_name(day), copies, draw)


class PrintJobs(Protocol):
    """What printing needs of the ledger."""

    def ask_print(self, document: str, copy: int, copies: int, reprint: bool = False) -> PrintJob:
        """A new job."""

    def move_print(self, job: int, state: PrintState, note: str = "") -> PrintJob:
        """The next state of a job."""

    def print_jobs(self, document: str | None = None) -> tuple[PrintJob, ...]:
        """All jobs, oldest first."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """Prints documents, and keeps what is certain about their strips."""

    jobs: PrintJobs
    printer: Printer

    def printed(self, name: str) -> int:
        """How many different copies of the document are certainly on paper."""
        return len(self._in_state(name, PrintState.CONFIRMED))

    def doubtful(self, name: str) -> tuple[int, ...]:
        """The copies of which nobody knows whether they came out whole; `answer` settles each."""
        return tuple(sorted(self._in_state(name, PrintState.DOUBTFUL)))

    def print(self, document: Document, again: bool, progress: Callable[[], None]) -> str | None:
        """Prints the copies that are not certainly on paper, or all of them as reprints when none is missing and
        `again`. While a copy is doubtful nothing is printed: its strip may still hang in the printer.

        `progress` is called after every strip. Returns None when all came out, else the key of the sentence that says
        what a person has to do; nothing goes on by itself after that.
        """
        if self.doubtful(document.name):
            return INTERRUPTED
        copies = range(1, document.copies + 1)
        missing = sorted(set(copies) - self._in_state(document.name, PrintState.CONFIRMED))
        for copy in missing or (copies if again else ()):
            problem = self._print_copy(document, copy, reprint=not missing)
            progress()
            if problem is not None:
                return problem
        return None

    def answer(self, name: str, copy: int, whole: bool) -> None:
        """A person says whether a doubtful strip came out whole. If not, it is missing again, and the next print of it
        is marked. Answering where nothing is doubtful changes nothing: the question was answered before."""
        state = PrintState.CONFIRMED if whole else PrintState.SPOILED
        for job in self.jobs.print_jobs(name):
            if job.copy == copy and job.state is PrintState.DOUBTFUL:
                self.jobs.move_print(job.id, state, "a person has looked")

    def _print_copy(self, document: Document, copy: int, reprint: bool) -> str | None:
        job = self.jobs.ask_print(document.name, copy, document.copies, reprint)
        status = self.printer.clear() if self._interrupted_before(job) else self.printer.status()
        if not status.can_print:
            self.jobs.move_print(job.id, PrintState.SPOILED, str(status))
            return _problem(status)
        strip = document.compose(copy, document.copies, job.reprint)
        self.jobs.move_print(job.id, PrintState.SENT)
        outcome = self.printer.print(strip)
        if outcome.printed is Printed.CONFIRMED:
            self.jobs.move_print(job.id, PrintState.CONFIRMED)
            return None
        sent_nothing = outcome.printed is Printed.NOT_PRINTED
        state = PrintState.SPOILED if sent_nothing else PrintState.DOUBTFUL
        self.jobs.move_print(job.id, state, f"{outcome.printed}, {outcome.status}")
        return INTERRUPTED if outcome.status.can_print else _problem(outcome.status)

    def _interrupted_before(self, job: PrintJob) -> bool:
        """Whether the last strip of any document ended in anything but the printer's own word: a part of it may still
        hang in the printer. Notes stand only beside other endings."""
        before = [entry for entry in self.jobs.print_jobs() if entry.id < job.id]
        return bool(before) and before[-1].note != ""

    def _in_state(self, name: str, state: PrintState) -> set[int]:
        return {job.copy for job in self.jobs.print_jobs(name) if job.state is state}


def _problem(status: PrinterStatus) -> str:
    return f"printer.{status}"
