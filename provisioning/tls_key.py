"""A key for TLS and its certificate, on the machine that speaks TLS: kiosk, laptop or collector.

    python -m provisioning.tls_key request --name C1-0001 --out /etc/c1kiosk/tls/uplink
    (the TLS authority answers: python -m provisioning.ca tls TLS request.pem --party kiosk --name C1-0001 > issued.pem)
    python -m provisioning.tls_key install /etc/c1kiosk/tls/uplink issued.pem

The key is not encrypted (a service reads it): mode 0600, for the service's user. It signs nothing but handshakes.
"""

from __future__ import annotations

from pathlib import Path

import click

from provisioning.authority import key_folder
from provisioning.authority.desk import Desk

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A key for TLS and its certificate."""


@main.command("request")
@click.option("--name", required=True, help="Serial of the kiosk, or name of the laptop or collector.")
@click.option("--out", type=FOLDER, required=True)
def request_command(name: str, out: Path) -> None:
    """Make key.pem and request.pem in a folder."""
    click.echo(str(key_folder.make(out, name, None)))


@main.command("install")
@click.argument("folder", type=FOLDER)
@click.argument("certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def install_command(folder: Path, certificate: Path) -> None:
    """Put the issued certificate beside its key, as certificate.pem."""
    made = key_folder.install(folder, certificate.read_bytes())
    click.echo(f"{made.subject.rfc4514_string()}, valid to {made.not_valid_after_utc:%Y-%m-%d}")


if __name__ == "__main__":
    main()
