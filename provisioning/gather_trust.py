"""Gathers the public certificates of one kiosk and its collectors into the trust folder that everybody verifies with.

    python -m provisioning.gather_trust --config /etc/c1kiosk/kiosk.toml --collector collector.pem

The signer must run: it is asked for its own certificate, so that what is trusted is the key that signs. The folder is
written anew each time; the same inputs give the same folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import KioskConfig, load_config
from firmware.errors import Refused
from firmware.forms.loader import shipped_layouts
from firmware.messages import both
from firmware.signing.client import SignerClient, SigningDevice
from firmware.signing.trust import TrustRoots, write_trust


def gather(config: KioskConfig, election: bytes, collectors: Iterable[x509.Certificate]) -> SigningDevice:
    """Writes `config.trust` and opens it again; returns what the signer said. Raises Refused.

    `election` is the bytes of the election definition: records name it by their hash.
    Only the layouts of the election's contests go in: a record of any other form does not verify.
    """
    device = SignerClient(config.signer_socket).device()
    forms = {contest.form for contest in config.definition.election.contests}
    write_trust(
        config.trust,
        election=election,
        layouts=[layout for name, layout in shipped_layouts().items() if name in forms],
        authorities=[device.authority],
        devices=[device.certificate],
        collectors=[certificate.public_bytes(Encoding.DER) for certificate in collectors],
    )
    TrustRoots.load(config.trust)
    return device


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml", show_default=True)
@click.option(
    "--collector", "collectors", type=click.Path(path_type=Path, exists=True), multiple=True, required=True,
    help="A collector's certificate (PEM); may be given several times.",
)  # fmt: skip
def main(path: Path, collectors: tuple[Path, ...]) -> None:
    """Write the trust folder of this kiosk and say whom it believes."""
    try:
        config = load_config(path)
        election = (path.resolve().parent / config.file.election).read_bytes()
        device = gather(config, election, [x509.load_pem_x509_certificate(file.read_bytes()) for file in collectors])
    except Refused as refusal:
        click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
        sys.exit(1)
    click.echo(f"trust folder   {config.trust}")
    click.echo(f"kiosk          TPS {config.tps.code}, {config.mode}, key kept as {device.protection}")
    click.echo(f"collectors     {len(collectors)}")


if __name__ == "__main__":
    main()
