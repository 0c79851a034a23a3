"""`c1kiosk custody`: the hand-overs of this device, on the device. As root: the folder is the configuration's.

c1kiosk custody add /media/stick/C1-0001/*.cose     append what extends the chain; again changes nothing
c1kiosk custody show
"""

from __future__ import annotations

from pathlib import Path

import click

from firmware.config import load_config
from firmware.messages import both
from firmware.signing import custody_folder, enrolment
from firmware.signing.custody import Custody
from firmware.signing.label import Label
from firmware.signing.officers import OfficerTrust
from firmware.signing.validity import utc

_config = click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml")


@click.group("custody")
def custody_command() -> None:
    """Signed hand-overs of this device."""


@custody_command.command("add")
@_config
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def add_command(path: Path, files: tuple[Path, ...]) -> None:
    """Add hand-overs; all of them, or none when one does not fit."""
    folder, trust, label = _device(path)
    custody, added = custody_folder.add(folder, [custody_folder.read_file(file) for file in files], trust, label)
    _tell(custody, added)


@custody_command.command("show")
@_config
def show_command(path: Path) -> None:
    """Check the chain and tell it."""
    custody = custody_folder.load(*_device(path))
    for event in custody.events:
        said = event.said
        click.echo(
            f"{said.number:3} {utc(said.unix)} {said.giver.name} -> {said.receiver.name}, {said.place}, {said.seal}"
        )
    for finding in custody.findings:
        click.echo(f"{finding.number:3} {finding.oddity}")
    _tell(custody, 0)


def _device(path: Path) -> tuple[Path, OfficerTrust, Label]:
    """Folder, whom to believe, and the label that this device must have. Raises Refused."""
    config = load_config(path)
    enrolled = enrolment.load(config.key_folder / "key")
    return config.custody, OfficerTrust.of_device(config), Label.of(enrolled.certificate)


def _tell(custody: Custody, added: int) -> None:
    holder, events = custody.holder, len(custody.events)
    if holder is None:
        click.echo(both("custody.empty", device=custody.label.serial))
        return
    name = f"{holder.name} ({holder.role})"
    click.echo(both("custody.added", added=added, events=events, holder=name, seal=custody.seal))
