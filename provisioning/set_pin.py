"""Sets the ketua's PIN of a kiosk: `python -m provisioning.set_pin FOLDER`, with the folder of kiosk.toml.

Without --choose a PIN is drawn and shown once, for the PIN letter. Setting it again replaces the old one.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from firmware.day.pin import make_pin
from firmware.errors import Refused
from firmware.messages import both
from firmware.signing import durable

NAME = "pin.json"
DIGITS = 6
READABLE_BY_STATION = 0o640
"""Of the group that the folder belongs to."""


def draw_pin() -> str:
    """A PIN of DIGITS digits that is not one of those tried first."""
    while True:
        pin = "".join(secrets.choice("0123456789") for _ in range(DIGITS))
        try:
            make_pin(pin)
        except Refused:
            continue
        return pin


def set_pin(folder: Path, pin: str) -> Path:
    """Writes pin.json, whole or not at all. Raises LayoutRefused("pin-form")."""
    path, incoming = folder / NAME, folder / f".{NAME}.new"
    incoming.unlink(missing_ok=True)
    durable.write(incoming, make_pin(pin))
    os.chown(incoming, -1, folder.stat().st_gid)
    incoming.chmod(READABLE_BY_STATION)
    incoming.replace(path)
    durable.sync_folder(folder)
    return path


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--choose", is_flag=True, help="Type the PIN (twice, unseen) instead of having one drawn.")
def main(folder: Path, choose: bool) -> None:
    """Set the ketua's PIN of the kiosk whose kiosk.toml is in FOLDER."""
    pin = click.prompt("PIN", hide_input=True, confirmation_prompt=True) if choose else draw_pin()
    try:
        path = set_pin(folder, pin)
    except Refused as refusal:
        click.echo(both(f"error.{refusal.code}", **refusal.details), err=True)
        sys.exit(1)
    if not choose:
        click.echo(f"PIN: {pin}")
    click.echo(f"{path}")


if __name__ == "__main__":
    main()
