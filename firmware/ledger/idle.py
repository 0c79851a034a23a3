"""May this kiosk be changed now? Asked before an update, an upgrade or another TPS:

    python -m firmware.ledger.idle --ledger /var/lib/c1kiosk/ledger

Exit 0: no day is open. Exit 1, with a code and a sentence: a day is open (`day-open`), or the ledger cannot say, for it
is missing, damaged or newer (`ledger-...`, `session-damaged`). What is not known counts as open.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from firmware.day import day as days
from firmware.errors import LedgerRefused, Refused
from firmware.ledger.store import Ledger
from firmware.messages import both


def check_idle(folder: Path) -> days.Day:
    """The last day of this ledger, closed (number 0: there was none yet). Raises LedgerRefused."""
    with Ledger.open(folder, readonly=True) as ledger:
        day = days.load(ledger)
    if day.open:
        raise LedgerRefused("day-open", day=day.number)
    return day


@click.command()
@click.option("--ledger", type=click.Path(path_type=Path, file_okay=False), required=True, help="The ledger's folder.")
def main(ledger: Path) -> None:
    """Say whether the kiosk may be changed now."""
    try:
        day = check_idle(ledger)
    except Refused as refusal:
        click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
        sys.exit(1)
    click.echo(both("update.idle", day=day.number))


if __name__ == "__main__":
    main()
