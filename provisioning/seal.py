"""Step 6, seal and label: labels are printed, stuck on and scanned; only what was scanned counts as sealed.

    python -m provisioning.seal labels PLAN.csv labels.pdf              sheets of A4; --roll: 62 x 29 mm, one a page
    python -m provisioning.seal confirm PLAN.csv                        scan the label, then the seal, of each device

A scanner that types is enough: it reads the label's code and the number of the seal, in turn. A label that names
another key than the inventory, or a seal that is not the one that the assignment names, is refused; the rest goes on.
The letters with the PINs were written by `assign`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from firmware.errors import Refused
from firmware.signing import durable
from firmware.signing.label import Label as Named
from provisioning.authority.desk import Desk
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.office import Office
from provisioning.batch.plan import read_plan
from provisioning.batch.shown import page, refusal_line
from provisioning.inventory import Device, Event, Inventory, State, now_text
from provisioning.papers.label import Label, roll, sheets

LABELLED = (State.ENROLLED, State.ASSIGNED, State.SEALED, State.READY)
SEALABLE = (State.ASSIGNED, State.SEALED, State.READY)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_office = click.option("--office", "office_path", type=FILE, help="office.toml; without it, the one beside the plan.")


def label_of(device: Device) -> Label:
    """The label of a device that has a key. Raises ProvisioningRefused("step-order")."""
    if device.state not in LABELLED:
        raise ProvisioningRefused("step-order", serial=device.serial, state=str(device.state), first="enrol")
    return Label(device.serial, device.kid, device.tps, device.seal)


def confirm(inventory: Inventory, text: str, seal: str, now: datetime) -> Device:
    """A device's label and seal were scanned: it is sealed. Raises Refused."""
    named = Named.parse(text)
    device = inventory.device(named.serial)
    if device.state is State.UNKNOWN:
        raise ProvisioningRefused("inventory-serial", serial=named.serial)
    if device.state not in SEALABLE:
        raise ProvisioningRefused("step-order", serial=named.serial, state=str(device.state), first="assign")
    kid = named.kid.hex()
    if (kid, seal) != (device.kid, device.seal):
        raise ProvisioningRefused("label-other", said=f"{kid}, {seal}", found=f"{device.kid}, {device.seal}")
    if device.state is State.ASSIGNED:
        inventory.add(Event(now_text(now), named.serial, State.SEALED, "seal", seal=seal))
    return inventory.device(named.serial)


def scans(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Label and seal of each device: on one line, or on two."""
    words = (word for line in lines for word in line.split())
    for label in words:
        yield label, next(words, "")


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
def desk() -> None:
    """Labels, and what was sealed."""


@desk.command("labels")
@click.argument("plan", type=FILE)
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@_office
@click.option("--roll", "on_roll", is_flag=True, help="One label a page, 62 x 29 mm.")
@click.option("--only", multiple=True, metavar="SERIAL", help="Only this device; may be given several times.")
def labels_command(plan: Path, out: Path, office_path: Path | None, on_roll: bool, only: Sequence[str]) -> None:
    """Write the labels of the plan's devices as PDF."""
    inventory, serials = _opened(plan, office_path)
    labels = [label_of(inventory.device(serial)) for serial in serials if not only or serial in only]
    out.unlink(missing_ok=True)
    durable.create(out, roll(labels) if on_roll else sheets(labels))
    page("labels", [("labels", str(len(labels))), ("file", str(out))], "Print at 100 %, stick them on, then confirm.")


@desk.command("confirm")
@click.argument("plan", type=FILE)
@_office
def confirm_command(plan: Path, office_path: Path | None) -> None:
    """Read scanned labels and seals until the input ends."""
    inventory, serials = _opened(plan, office_path)
    for text, seal in scans(sys.stdin):
        try:
            device = confirm(inventory, text, seal, datetime.now(UTC))
        except Refused as refusal:
            click.echo(f"[x] {refusal_line(refusal)}", err=True)
        else:
            click.echo(f"[v] {device.serial}  TPS {device.tps}  seal {device.seal}")
    left = [serial for serial in serials if inventory.device(serial).state in (State.ASSIGNED,)]
    page("seal", [("not sealed", ", ".join(left) or "none")], "NOT DONE" if left else "DONE")
    sys.exit(1 if left else 0)


def _opened(plan: Path, office_path: Path | None) -> tuple[Inventory, list[str]]:
    office = Office.open(office_path or plan.resolve().parent / "office.toml")
    return office.inventory, [row.serial for row in read_plan(plan, office.definition.stations)]


if __name__ == "__main__":
    desk()
