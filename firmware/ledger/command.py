"""`c1kiosk journal`: the audit journal of a kiosk, checked and written out, one line of JSON for each event."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from firmware.ledger.store import Ledger
from firmware.messages import both
from firmware.signing.audit import check_journal


@click.command("journal")
@click.option("--ledger", type=click.Path(path_type=Path, file_okay=False), required=True, help="The ledger's folder.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to; else to standard output.")
def journal_command(ledger: Path, out: Path | None) -> None:
    """Export the audit journal; refused when its chain does not hold."""
    with Ledger.open(ledger, readonly=True) as opened:
        lines = opened.export_journal()
    heads = check_journal(lines)
    if out is None:
        sys.stdout.buffer.write(lines)
    else:
        out.write_bytes(lines)
    click.echo(both("journal.exported", events=len(heads) - 1, head=heads[-1].hex()), err=True)
