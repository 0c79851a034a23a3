"""Gets a device its certificate. Performed as root in the office, on the device itself:

    python -m firmware.signing.enrol request --config kiosk.toml --serial C1-0001 > C1-0001.csr
    (the election's issuer looks at the device, and makes C1-0001.pem of it: certificate, then its own)
    python -m firmware.signing.enrol install --config kiosk.toml C1-0001.pem

Where the key is made follows from `[key] driver`, its world from the election; both stand in the request and must come
back in the certificate unchanged. A device that was enrolled before is first emptied (its state folder is removed);
the old key is then still in the TPM or credential, and only `--replace` destroys it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self, assert_never

import click
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import KeyDriver, KioskConfig, load_config
from firmware.errors import Refused, SignerRefused
from firmware.messages import both
from firmware.records import Mode
from firmware.signing import durable, enrolment, sealed_key
from firmware.signing.key_elsewhere import KeyElsewhere
from firmware.signing.keys import DeviceClaims, Protection, claims_of
from firmware.signing.training_key import TrainingKey

CREDENTIAL_FILE = Path("/etc/c1kiosk/device-key.cred")
"""Where the unit's LoadCredentialEncrypted= looks (systemd/signer-sealed.conf)."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a device's key is made, and for which world."""

    folder: Path
    """Of the request and the certificate, and of the key itself when it is a plain file."""
    driver: KeyDriver
    tcti: str
    world: Mode

    @classmethod
    def of(cls, config: KioskConfig) -> Self:
        """As kiosk.toml and the election say."""
        return cls(config.key_folder / "key", config.file.key.driver, config.file.key.tcti, config.mode)


def request(
    place: KeyPlace,
    serial: str,
    *,
    seal: str,
    credential: Path,
    replace: bool,
    board: Path = Path(enrolment.BOARD_SERIAL),
) -> str:
    """Makes the device's key and returns the request for its certificate, PEM. Raises SignerRefused (`key-...`)."""
    folder = place.folder
    if not enrolment.SERIAL.fullmatch(serial):
        raise SignerRefused("key-serial", serial=serial)
    if (folder / enrolment.REQUEST_NAME).exists():
        raise SignerRefused("key-exists", file=str(folder / enrolment.REQUEST_NAME))
    _make_folder(folder.parent)
    key, protection = _make(place, seal, credential, replace)
    made = enrolment.make_request(key, DeviceClaims(place.world, serial, protection))
    _make_folder(folder)
    enrolment.keep_board(folder)
    enrolment.keep_request(folder, made)
    return made.public_bytes(Encoding.PEM).decode()


def _make(place: KeyPlace, seal: str, credential: Path, replace: bool) -> tuple[ec.EllipticCurvePrivateKey, Protection]:
    match place.driver:
        case KeyDriver.TPM:
            from firmware.signing import tpm_key

            return KeyElsewhere(tpm_key.make(place.tcti, replace=replace)), Protection.TPM
        case KeyDriver.SEALED_CREDENTIAL:
            if replace:
                credential.unlink(missing_ok=True)
            return sealed_key.make(credential, seal), Protection.SEALED_FILE
        case KeyDriver.TRAINING_FILE:
            key = TrainingKey.open(place.folder).file.private_key
            _hand_over(place.folder)
            return key, Protection.PLAIN_FILE
        case KeyDriver.DEVELOPMENT_FILE as driver:
            raise SignerRefused("key-self-made", driver=str(driver))
        case never:
            assert_never(never)


def _make_folder(folder: Path) -> None:
    """Folders that are missing, for whom the folder around them belongs to."""
    if folder.exists():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=durable.PRIVATE_FOLDER)
    _hand_over(folder)


def _hand_over(folder: Path) -> None:
    """A folder and its files to whom the folder around them belongs: the signer is not root."""
    owner = folder.parent.stat()
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)


@click.group()
def main() -> None:
    """Get this device its certificate."""


_config = click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml")


@main.command("request")
@_config
@click.option("--serial", required=True, help="The device's serial, as on its label.")
@click.option("--seal", type=click.Choice(sealed_key.SEALS), default="auto", help="What a sealed key is sealed with.")
@click.option("--credential", type=click.Path(path_type=Path), default=CREDENTIAL_FILE, help="Where a sealed key goes.")
@click.option("--replace", is_flag=True, help="Destroy the key that is there.")
def request_command(path: Path, serial: str, seal: str, credential: Path, replace: bool) -> None:
    """Make this device's key; print the request for its certificate."""
    try:
        place = KeyPlace.of(load_config(path))
        click.echo(request(place, serial, seal=seal, credential=credential, replace=replace), nl=False)
    except Refused as refusal:
        _refuse(refusal)


@main.command("install")
@_config
@click.argument("certificate", type=click.Path(path_type=Path, exists=True))
def install_command(path: Path, certificate: Path) -> None:
    """Install what the issuer made of the request: the device's certificate, then the issuer's own, PEM."""
    try:
        enrolled = enrolment.install(KeyPlace.of(load_config(path)).folder, certificate.read_bytes())
        claims = claims_of(enrolled.certificate)
    except Refused as refusal:
        _refuse(refusal)
    click.echo(f"device {claims.serial}: {claims.world}, key kept as {claims.protection}")


def _refuse(refusal: Refused) -> NoReturn:
    click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
