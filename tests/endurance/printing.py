"""Kills in the middle of printing: `python -m tests.endurance.printing [MISHAPS]`.

A station process prints the strips of a closing with the real ledger and driver on the simulated printer's line. At a
random moment it is killed (SIGKILL), the printer loses its power, both do, the paper ends, or the cover opens. A person
then makes good what happened, starts the station again and says of every strip in doubt what really lies there. In the
end the paper is counted:

    lost       a copy of which no whole strip lies on the table
    doubled    a copy of which two whole strips lie there without CETAK ULANG
    unasked    whole strips and jobs that count as confirmed differ: somebody should have been asked
    by itself  something came out of the printer before anybody asked for it
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from multiprocessing.process import BaseProcess
from pathlib import Path

import click

from firmware.config import PrinterConfig, PrinterDriver
from firmware.ledger.printing import PrintState, closing_name
from firmware.ledger.store import Ledger
from firmware.receipt.connecting import printer_of
from firmware.receipt.conversation import Patience
from firmware.receipt.day import ClosingFacts, ClosingRecord
from firmware.receipts import Document, Receipts, closing_document
from firmware.records import Mode
from tests.simulators.paper_roll import Dots
from tests.simulators.printer import SimulatedPrinter
from tests.simulators.rendering import ends_with, rendered

MISHAPS = 300
COPIES = 2
BAUD = 115_200
MM_PER_SECOND = 1500.0
"""Ten times a real printer's, so that a strip takes half a second: the moments lie as densely in it."""
PATIENCE = Patience(answer_s=0.3, stall_s=0.6, finish_s=4.0)
STRIPS_SECONDS = 0.8
"""From the first byte to the last cut, measured; the moment of a mishap is drawn from it."""
POLL_SECONDS = 0.002
QUIET_SECONDS = 0.2
"""A printer that has done nothing for so long has nothing left to do."""
WIDTH = 576
DAY = "1"
ROLL_MM = 50_000.0
OUT = Path("build/endurance/printing.json")

_PROCESSES = multiprocessing.get_context("forkserver")


class Mishap(StrEnum):
    """What happens."""

    KILL = "station killed"
    POWER = "printer without power"
    BOTH = "power cut"
    PAPER = "paper ends"
    COVER = "cover opened"


@dataclass
class Outcome:
    """What was found after all mishaps."""

    mishaps: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    """Strips in doubt that a person was asked about."""
    answered_whole: int = 0
    interrupted: int = 0
    """Mishaps that left a strip in doubt."""
    lost: int = 0
    doubled: int = 0
    unasked: int = 0
    by_itself: int = 0
    failed: list[str] = field(default_factory=list)
    """The mishaps that any of these four came from."""

    @property
    def failures(self) -> int:
        """What must not be."""
        return self.lost + self.doubled + self.unasked + self.by_itself


def document() -> Document:
    """The strips that are printed: text, a large banner and a code."""
    facts = ClosingFacts(
        mode=Mode.TRAINING,
        tps="3276051004003",
        place="Kel. Contoh, Kec. Contoh",
        at=datetime(2029, 2, 14, 16, 0, tzinfo=UTC),
        clock="synchronised",
        device=None,
        records=(ClosingRecord(1, "Presiden dan Wakil Presiden", bytes(32), superseded=False),),
        contests_open=(),
        log_size=1,
        log_root=bytes(32),
        checkpoint="c1kiosk.id/log/1\n1\n" + "A" * 44 + "\n\n— c1kiosk.id/log/1 " + "b" * 96 + "\n",
    )
    return closing_document(DAY, lambda: facts, COPIES, WIDTH)


def station(folder: Path, device: str) -> None:
    """A station's process: what was being printed is doubtful; prints what is missing, unless a person is needed."""
    config = PrinterConfig(PrinterDriver.ESCPOS_SERIAL, device, BAUD)
    with Ledger.open(folder) as ledger:
        ledger.doubt_unfinished_prints("restart")
        Receipts(ledger, printer_of(config, PATIENCE)).print(document(), again=False, progress=lambda: None)


def one_mishap(folder: Path, mishap: Mishap, moment_s: float, outcome: Outcome) -> None:
    """Prints all strips with one mishap on the way, and counts the paper."""
    wanted, failures_before = wanted_strips(), outcome.failures
    outcome.mishaps[mishap] = outcome.mishaps.get(mishap, 0) + 1
    with SimulatedPrinter(None, WIDTH, BAUD, MM_PER_SECOND, ROLL_MM) as machine:
        process = _start(folder, machine)
        while not machine.received and process.is_alive():
            time.sleep(POLL_SECONDS)
        time.sleep(moment_s)
        _happens(mishap, machine, process)
        process.join()
        _make_good(mishap, machine)
        outcome.by_itself += _prints_by_itself(machine)
        asked_before = outcome.asked
        while _person_answers(folder, machine, wanted, outcome) < COPIES:
            process = _start(folder, machine)
            process.join()
            _wait_for_quiet(machine)
        outcome.interrupted += outcome.asked > asked_before
        count_paper(folder, _pieces(machine), wanted, outcome)
    if outcome.failures > failures_before:
        outcome.failed.append(f"{mishap} after {moment_s:.3f} s")


def wanted_strips() -> dict[tuple[int, bool], Dots]:
    """The paper of every copy, printed for the first time and again."""
    which = [(copy, again) for copy in range(1, COPIES + 1) for again in (False, True)]
    return {(copy, again): rendered(document().compose(copy, COPIES, again)) for copy, again in which}


def _start(folder: Path, machine: SimulatedPrinter) -> BaseProcess:
    process = _PROCESSES.Process(target=station, args=(folder, machine.device))
    process.start()
    return process


def _happens(mishap: Mishap, machine: SimulatedPrinter, process: BaseProcess) -> None:
    if mishap in (Mishap.KILL, Mishap.BOTH):
        process.kill()
    if mishap in (Mishap.POWER, Mishap.BOTH):
        machine.power_off()
    if mishap is Mishap.PAPER:
        machine.roll.dots_left = 1
    if mishap is Mishap.COVER:
        machine.cover_open = True


def _make_good(mishap: Mishap, machine: SimulatedPrinter) -> None:
    """What a person does first. A station that was killed may have left the printer at work: that is waited for."""
    _wait_for_quiet(machine)
    if mishap in (Mishap.POWER, Mishap.BOTH):
        machine.power_on()
    if mishap is Mishap.PAPER:
        machine.load_paper(ROLL_MM)
    machine.cover_open = False


def _prints_by_itself(machine: SimulatedPrinter) -> bool:
    """Whether anything is burnt after the printer was made good and before anybody asked."""
    before = machine.printed_dots
    time.sleep(QUIET_SECONDS)
    return machine.printed_dots != before


def _wait_for_quiet(machine: SimulatedPrinter) -> None:
    before = -1
    while before != machine.printed_dots or machine.busy:
        before = machine.printed_dots
        time.sleep(QUIET_SECONDS)


def _person_answers(folder: Path, machine: SimulatedPrinter, wanted: dict[tuple[int, bool], Dots], out: Outcome) -> int:
    """Tears off what hangs in the printer and answers every question by what lies there. Copies that are printed."""
    name = closing_name(DAY)
    with Ledger.open(folder) as ledger:
        ledger.doubt_unfinished_prints("restart")
        receipts = Receipts(ledger, printer_of(PrinterConfig(PrinterDriver.ESCPOS_SERIAL, machine.device, BAUD)))
        jobs = {job.copy: job for job in ledger.print_jobs(name) if job.state is PrintState.DOUBTFUL}
        if jobs:
            machine.tear_off()
        for copy, job in jobs.items():
            whole = any(ends_with(piece, wanted[copy, job.reprint]) for piece in _pieces(machine))
            receipts.answer(name, copy, whole)
            out.asked += 1
            out.answered_whole += whole
        return receipts.printed(name)


def _pieces(machine: SimulatedPrinter) -> list[Dots]:
    return [strip.dots for strip in machine.strips]


def count_paper(folder: Path, pieces: list[Dots], wanted: dict[tuple[int, bool], Dots], out: Outcome) -> None:
    """Holds what lies on the table against the ledger in `folder`."""
    lying = Counter(which for piece in pieces for which, dots in wanted.items() if ends_with(piece, dots))
    for copy in range(1, COPIES + 1):
        out.lost += lying[copy, False] + lying[copy, True] == 0
        out.doubled += lying[copy, False] > 1
    with Ledger.open(folder) as ledger:
        confirmed = sum(job.state is PrintState.CONFIRMED for job in ledger.print_jobs())
    out.unasked += lying.total() != confirmed


def endure(count: int, seed: int, outcome: Outcome) -> None:
    """So many mishaps at random moments, each on a ledger of its own."""
    chance = random.Random(seed)
    _PROCESSES.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            mishap = chance.choice(list(Mishap))
            one_mishap(Path(folder) / str(number), mishap, chance.uniform(0.0, STRIPS_SECONDS), outcome)


@click.command()
@click.argument("mishaps", type=click.IntRange(1), default=MISHAPS)
@click.option("--seed", default=1, show_default=True, help="Which mishaps, and when.")
def main(mishaps: int, seed: int) -> None:
    """Mishaps while printing."""
    outcome = Outcome()
    endure(mishaps, seed, outcome)
    figures = json.dumps(asdict(outcome), indent=1)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(figures + "\n", encoding="utf-8")
    click.echo(figures)
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    main()
