"""Step 8, reassign: a spare, or a device that is done, becomes the kiosk of another TPS; in the field, one command.

    python -m provisioning.reassign PLAN.csv C1-0200 --tps 3171010001007 --seal KPU-000345 --replaces C1-0007 \
        --letters /media/stick/letters

The technician's key signs the next edition of the assignment; the one before is kept on the device. Nothing is lost:
refused while a day is open, and while records are neither acknowledged by a collector nor exported; `--evidence FOLDER`
exports and proves them first. The device that the TPS had is noted as faulty (`--replaces`). A new PIN is drawn and
its letter written: the PIN is shown nowhere else.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from provisioning.assign import give
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.errand import errand_options, from_descriptor, the_job
from provisioning.batch.job import End, Job, Result
from provisioning.batch.shown import Errand, page
from provisioning.inventory import LIVE, Event, State, now_text
from provisioning.retire import export


def reassign(job: Job, tps: str, seal: str, replaces: str, evidence: Path | None) -> Result:
    """Gives the device to `tps`. Raises Refused."""
    job.office.definition.polling_station(tps)
    seen = job.look()
    if not seen.serial:
        raise ProvisioningRefused("step-order", serial=job.row.serial, state="installed", first="enrol")
    if seen.day_open:
        raise ProvisioningRefused("device-day-open", serial=seen.serial)
    if seen.unforwarded and evidence is None:
        raise ProvisioningRefused("device-unforwarded", serial=seen.serial, count=seen.unforwarded)
    moved = replace(job, row=replace(job.row, tps=tps, seal=seal))
    if job.dry_run:
        return Result(End.WOULD, f"TPS {seen.tps or '-'} -> {tps}, edition {seen.edition + 1}")
    taken = export(job, evidence).evidence if evidence is not None and seen.unforwarded else None
    _give_up(job, tps, replaces)
    return give(moved, seen, taken)


def _give_up(job: Job, tps: str, replaces: str) -> None:
    """The device that had the TPS has it no more. Only the one that was named: a mistyped TPS takes it from nobody."""
    holder = job.office.inventory.holder(tps)
    if holder is not None and holder.serial == replaces and holder.state in LIVE:
        note = f"replaced by {job.row.serial}"
        job.office.inventory.add(Event(now_text(job.now()), replaces, State.FAULTY, "reassign", note=note))


@click.command(cls=Errand, context_settings={"help_option_names": ["-h", "--help"]})
@errand_options
@click.option("--tps", required=True, help="13 digits.")
@click.option("--seal", required=True, help="Number of the seal that the case will get.")
@click.option("--replaces", default="", metavar="SERIAL", help="The device that this TPS had.")
@click.option("--evidence", type=click.Path(path_type=Path, file_okay=False), help="Export records there first.")
@click.option("--letters", type=click.Path(path_type=Path, file_okay=False), help="Where the PIN letter is written.")
@click.option("--passphrase-fd", type=int, help="File descriptor to read the technician's passphrase from.")
def main(
    tps: str, seal: str, replaces: str, evidence: Path | None, passphrase_fd: int | None, **options: object
) -> None:
    """Give a device to another TPS."""
    begun = time.monotonic()
    ask = None if options["dry_run"] else from_descriptor(passphrase_fd)
    job = the_job(options, ask)
    result = reassign(job, tps, seal, replaces, evidence)
    rows = [
        ("device", job.row.serial),
        ("TPS", f"{tps}, {job.office.definition.polling_station(tps).place}"),
        ("seal", seal),
        ("result", f"{result.end}: {result.said}"),
        ("letter", str(job.letters or "-")),
        ("took", f"{time.monotonic() - begun:.1f} s"),
    ]
    page("reassign", rows, "Print the letter, seal the case, then: c1kiosk selftest")
    sys.exit(0 if result.end in (End.DONE, End.WOULD) else 1)


if __name__ == "__main__":
    main()
