"""What the commands for one device share: plan, serial, where the device is, and the office with its keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.job import Job
from provisioning.batch.office import Office
from provisioning.batch.place import Here, Place, Ssh
from provisioning.batch.plan import Row, read_plan

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
F = TypeVar("F", bound=Callable[..., Any])


def errand_options(command: F) -> F:
    """PLAN, SERIAL and the options that `the_job` takes."""
    for decorate in (
        click.option("--dry-run", is_flag=True, help="Look, say, and change nothing."),
        click.option("--ssh-option", multiple=True, help="A word more for ssh; may be given several times."),
        click.option("--host", default="", help="[user@]host, when it is not the plan's."),
        click.option("--here", is_flag=True, help="This machine is the device."),
        click.option("--office", type=FILE, help="office.toml; without it, the one beside the plan."),
        click.argument("serial"),
        click.argument("plan", type=FILE),
    ):
        command = decorate(command)
    return command


def the_job(options: dict[str, Any], passphrase: Callable[[str], bytes] | None = None) -> Job:
    """The job of one device; of the office's keys only the technician's is opened, by `passphrase`. Raises Refused."""
    plan: Path = options["plan"]
    office = Office.open(options["office"] or plan.resolve().parent / "office.toml")
    rows = [row for row in read_plan(plan, office.definition.stations) if row.serial == options["serial"]]
    if not rows:
        raise ProvisioningRefused("inventory-serial", serial=options["serial"])
    if passphrase is not None:
        office = office.with_technician(passphrase)
    row = replace(rows[0], host=options["host"] or rows[0].host)
    place = _place(row, office, options)
    return Job(row, office, place, lambda: datetime.now(UTC), options.get("letters"), options["dry_run"])


def from_descriptor(descriptor: int | None) -> Callable[[str], bytes]:
    """Asks for a passphrase, or reads it, a line, from a file descriptor."""
    if descriptor is None:
        return lambda name: str(click.prompt(f"Passphrase of {name}", hide_input=True, err=True)).encode()
    file = os.fdopen(descriptor, "rb", closefd=False)
    return lambda _name: file.readline().rstrip(b"\n")


def _place(row: Row, office: Office, options: dict[str, Any]) -> Place:
    if options["here"]:
        return Here()
    if not row.host:
        raise click.UsageError(f"{row.serial} has no host in the plan: --host or --here")
    return Ssh(row.host, row.serial, office.known_hosts, tuple(options["ssh_option"]))
