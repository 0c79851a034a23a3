"""An officer's key: made by the officer, on the officer's own laptop or stick.

    python -m provisioning.officer request --name "Siti Aminah" --out /media/stick/siti
    (request.pem goes to the issuing authority, who looks at the identity card and the letter of appointment:
     python -m provisioning.ca officer ISSUING request.pem --name "Siti Aminah" --role pps > siti.pem)
    python -m provisioning.officer install /media/stick/siti siti.pem
    python -m provisioning.officer show /media/stick/siti

The key is encrypted under a passphrase, which is asked for, or read from file descriptor N with `--passphrase-fd N`.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
from cryptography import x509

from firmware.signing.election import load_pem
from firmware.signing.key_file import CERTIFICATE_NAME
from firmware.signing.officers import officer_of
from provisioning.authority import key_folder
from provisioning.authority.desk import Desk, passphrase
from provisioning.authority.key_folder import MIN_PASSPHRASE

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passphrase-fd", type=int, help="File descriptor to read the passphrase from.")
@click.pass_context
def main(ctx: click.Context, passphrase_fd: int | None) -> None:
    """An officer's key and certificate."""
    ctx.obj = None if passphrase_fd is None else os.fdopen(passphrase_fd, "rb", closefd=False)


@main.command("request")
@click.option("--name", required=True, help="As on the identity card.")
@click.option("--out", type=FOLDER, required=True)
@click.pass_context
def request_command(ctx: click.Context, name: str, out: Path) -> None:
    """Make an encrypted key and the request for its certificate."""
    click.echo(str(key_folder.make(out, name, passphrase(ctx, f"New passphrase for {out}", least=MIN_PASSPHRASE))))


@main.command("install")
@click.argument("folder", type=FOLDER)
@click.argument("certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def install_command(folder: Path, certificate: Path) -> None:
    """Put the issued certificate beside its key."""
    _show(key_folder.install(folder, certificate.read_bytes()))


@main.command("show")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def show_command(folder: Path) -> None:
    """Whose key this is."""
    _show(load_pem(folder / CERTIFICATE_NAME))


def _show(certificate: x509.Certificate) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    officer = officer_of(certificate)
    click.echo(f"officer   {officer.name}, {officer.role}, key {officer.kid.hex()}")
    click.echo(f"valid     {begin:%Y-%m-%d} to {end:%Y-%m-%d}")


if __name__ == "__main__":
    main()
