"""Custody: signed hand-overs of devices, on an officer's laptop, without a network.

    python -m provisioning.custody hand-over --trust TRUST --chain CHAINS --picture label.jpg
        --giver /media/stick/gudang --receiver /media/stick2/siti --place "Gudang KPU Kota" --seal S-0001
    python -m provisioning.custody hand-over ... --devices truck.csv          a truckload, in place of label and seal
    python -m provisioning.custody offer ... --receiver-certificate siti.pem --out offer.cose     one stick at a time:
    python -m provisioning.custody take offer.cose --trust TRUST --chain CHAINS --receiver /media/stick2/siti
    python -m provisioning.custody show --trust TRUST --chain CHAINS [--label ...]
    python -m provisioning.custody export --trust TRUST --chain CHAINS --csv F --json F --geojson F

CHAINS holds a folder for each device, named by its serial. It travels with the devices, on a stick, and is copied onto
each with `c1kiosk custody add` (see firmware/signing/custody_folder.py). The device is named by its label: a picture of
the code, or its text typed. Both sign; a party without a key is named by --giver-name or --receiver-name with a role,
and --alone says why one signature is enough. Nothing is written before the whole chain, with the new event, holds.
A truckload is a CSV with the columns label and seal, and if wanted seal_state, resealed, condition: all of its devices
or none; typed again after it was interrupted it goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from cryptography import x509

from firmware.errors import Refused, VerificationRefused
from firmware.messages import both
from firmware.signing import custody_folder, durable
from firmware.signing.custody import Custody, check_chain
from firmware.signing.election import load_pem
from firmware.signing.handover import HandOver, Party, give, open_offer, party_of, take
from firmware.signing.key_file import FileKey
from firmware.signing.label import PREFIX, Label
from firmware.signing.officers import OfficerTrust, Role, officer_of
from firmware.signing.receipt_picture import codes_in
from firmware.signing.schema import check
from firmware.signing.trust import TrustRoots
from firmware.signing.validity import utc
from provisioning import custody_export, custody_load
from provisioning.authority import key_folder
from provisioning.authority.desk import Desk, passphrase
from provisioning.batch.shown import refusal_line

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NEW = click.Path(path_type=Path, dir_okay=False)
ROLES = click.Choice([str(role) for role in Role])
MILLION = 1_000_000
MAX_PICTURE_BYTES = 64 * 1024 * 1024
"""Of a photograph of a label."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is here, with a key or without."""

    giver: Party
    giver_key: FileKey | None
    receiver: Party
    receiver_key: FileKey | None

    def sign(self, entry: HandOver) -> bytes:
        """The event, by everybody who has a key. Raises VerificationRefused("custody-alone")."""
        first = self.giver_key or self.receiver_key
        if first is None:
            raise VerificationRefused("custody-alone", number=entry.number)
        event = give(entry, first)
        return take(event, entry.unix, self.receiver_key) if self.giver_key and self.receiver_key else event


F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passphrase-fd", type=int, help="File descriptor to read passphrases from, giver's line first.")
@click.pass_context
def main(ctx: click.Context, passphrase_fd: int | None) -> None:
    """Signed hand-overs of devices."""
    ctx.obj = None if passphrase_fd is None else os.fdopen(passphrase_fd, "rb", closefd=False)


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_places = _options(
    click.option("--trust", type=click.Path(path_type=Path, file_okay=False, exists=True), required=True),
    click.option("--chain", type=FOLDER, required=True, help="Folder with a folder of events for each device."),
)
_device = _options(
    click.option("--label", help="Text of the device's label, C1K1:..."),
    click.option("--picture", type=FILE, help="Picture of the device's label, instead of its text."),
)
_seen = _options(
    click.option("--giver", type=FOLDER, help="Key folder of who gives."),
    click.option("--giver-name", help="Who gives, without a key."),
    click.option("--giver-role", type=ROLES),
    click.option("--place", required=True, help="Where, in words."),
    click.option("--at", help="LATITUDE,LONGITUDE in degrees."),
    click.option("--seal", help="Number on the seal as you see it."),
    click.option("--seal-state", type=click.Choice(["intact", "broken", "missing"]), default="intact"),
    click.option("--resealed", help="Number of the seal you put on now."),
    click.option("--condition", default="", help="What is to be remarked."),
)


@main.command("hand-over")
@_places
@_device
@_seen
@click.option("--devices", type=FILE, help="CSV of many devices: label, seal.")
@click.option("--receiver", type=FOLDER, help="Key folder of who takes.")
@click.option("--receiver-name", help="Who takes, without a key.")
@click.option("--receiver-role", type=ROLES)
@click.option("--alone", default="", help="Why one signature is enough, when one has no key.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.pass_context
def hand_over_command(
    ctx: click.Context, /, trust: Path, chain: Path, devices: Path | None, dry_run: bool, **said: Any
) -> None:
    """Sign a hand-over by both who are here, or by one who says why that is enough."""
    believed = OfficerTrust.of(TrustRoots.load(trust))
    load = [said] if devices is None else custody_load.read(devices, said)
    both_here = Parties(*_party(ctx, said, "giver"), *_party(ctx, said, "receiver"))
    done: list[Custody] = []
    refused = 0
    for number, entry in enumerate(load, start=1):
        try:
            done.append(_handed_over(chain, entry, both_here, believed))
        except Refused as refusal:
            if devices is None:
                raise
            refused += 1
            click.echo(f"device {number}, {entry['label']}: {refusal_line(refusal)}")
    if refused:
        raise VerificationRefused("custody-load", refused=refused, devices=len(load))
    for custody in done:
        if not dry_run:
            custody_folder.add(chain / custody.label.serial, [custody.events[-1].data], believed, custody.label)
        click.echo(told(custody)[0] if devices else "\n".join(told(custody)))
    if dry_run:
        click.echo("dry run: nothing was written")


def _handed_over(chain: Path, said: dict[str, Any], here: Parties, believed: OfficerTrust) -> Custody:
    """The chain of a device with one more event; as it is when that event is its last one already."""
    label = _label(said)
    have = custody_folder.load(chain / label.serial, believed, label)
    if said.get("load") and have.events and _same(have.events[-1].said, said, here):
        return have
    entry = _entry(have, label, said, _now(have), here.giver, here.receiver, said["alone"])
    return check_chain([*(event.data for event in have.events), here.sign(entry)], believed, label)


def _same(last: HandOver, said: dict[str, Any], here: Parties) -> bool:
    """The load was being handed over when it was interrupted."""
    now = (here.giver, here.receiver, said["place"], said["seal"], said["resealed"])
    return (last.giver, last.receiver, last.place, last.seal, last.resealed) == now


@main.command("offer")
@_places
@_device
@_seen
@click.option("--receiver-certificate", type=FILE, required=True, help="Certificate of who will take it.")
@click.option("--out", type=NEW, required=True)
@click.pass_context
def offer_command(ctx: click.Context, /, trust: Path, chain: Path, out: Path, **said: Any) -> None:
    """Sign as the giver; the receiver signs later, on another laptop, with `take`."""
    believed, label = OfficerTrust.of(TrustRoots.load(trust)), _label(said)
    have = custody_folder.load(chain / label.serial, believed, label)
    giver, key = _party(ctx, said, "giver")
    if key is None:
        raise click.UsageError("an offer is signed by its giver: --giver FOLDER")
    receiver = party_of(officer_of(load_pem(said["receiver_certificate"])))
    entry = _entry(have, label, said, _now(have), giver, receiver, "")
    if out.exists():
        raise VerificationRefused("custody-unreadable", file=str(out), problem="it is there already")
    _write(out, give(entry, key))
    click.echo(f"offer {entry.number} of {label.serial} for {receiver.name} ({receiver.role}): {out}")


@main.command("take")
@_places
@click.argument("offer", type=FILE)
@click.option("--receiver", type=FOLDER, required=True, help="Key folder of who takes.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@click.pass_context
def take_command(ctx: click.Context, trust: Path, chain: Path, offer: Path, receiver: Path, dry_run: bool) -> None:
    """Sign what the giver has offered."""
    believed = OfficerTrust.of(TrustRoots.load(trust))
    data = custody_folder.read_file(offer)
    giver, entry = open_offer(data, believed)
    label = Label(entry.device, entry.kid)
    have = custody_folder.load(chain / label.serial, believed, label)
    click.echo(f"{giver.name} ({giver.role}) gives {label.serial} at {entry.place}, seal {entry.seal}")
    if entry in (event.said for event in have.events):
        click.echo("taken before; nothing was written")
        return
    event = take(data, _now(have), _key(ctx, receiver))
    _finish(chain, event, have, believed, dry_run)


@main.command("show")
@_places
@click.option("--label", help="Of one device only.")
def show_command(trust: Path, chain: Path, label: str | None) -> None:
    """Check the chains and tell them, a line for each event."""
    believed = OfficerTrust.of(TrustRoots.load(trust))
    refused = 0
    for serial, found in custody_export.chains(chain, believed, Label.parse(label) if label else None):
        if isinstance(found, Refused):
            refused += 1
            click.echo(f"{serial}: REFUSED {found.code}: {both('error.' + found.code, **found.details)}")
        else:
            click.echo("\n".join(told(found)))
    if refused:
        raise SystemExit(1)


@main.command("export")
@_places
@click.option("--csv", "csv_file", type=NEW)
@click.option("--json", "json_file", type=NEW)
@click.option("--geojson", "geojson_file", type=NEW)
def export_command(trust: Path, chain: Path, **files: Path | None) -> None:
    """Write the checked chains for a logistics dashboard; refused ones are named, not left out."""
    believed = OfficerTrust.of(TrustRoots.load(trust))
    found = list(custody_export.chains(chain, believed))
    for name, write in custody_export.WRITERS.items():
        if (path := files[f"{name}_file"]) is not None:
            _write(path, write(found))
            click.echo(str(path))
    refused = [serial for serial, entry in found if isinstance(entry, Refused)]
    click.echo(f"devices {len(found)}, refused {len(refused)}{': ' if refused else ''}{', '.join(refused)}")
    if refused:
        raise SystemExit(1)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, in the place of what is there."""
    try:
        durable.replace(path, data, custody_folder.READABLE)
    except OSError as error:
        raise VerificationRefused("custody-unreadable", file=str(path), problem=str(error.strerror)) from error


def told(custody: Custody) -> list[str]:
    """A page about one device."""
    holder = custody.holder
    head = f"{custody.label.serial}: {len(custody.events)} hand-overs"
    lines = [f"{head}, with {holder.name} ({holder.role}), seal {custody.seal}" if holder else head]
    for event in custody.events:
        said, odd = event.said, [str(entry.oddity) for entry in custody.findings if entry.number == event.said.number]
        route = f"{said.giver.name} ({said.giver.role}) -> {said.receiver.name} ({said.receiver.role})"
        lines.append(
            f"  {said.number:3} {utc(said.unix)}  {route}, {said.place}, seal {said.seal}  {' '.join(odd)}".rstrip()
        )
    return lines


def label_in(picture: bytes, file: str) -> Label:
    """The one label in a picture; raises VerificationRefused("label-picture")."""
    found = codes_in(picture, PREFIX)
    if len(found) != 1:
        raise VerificationRefused("label-picture", file=file)
    return Label.parse(found.pop())


def _label(said: dict[str, Any]) -> Label:
    if said["seal"] is None:
        raise click.UsageError("--seal, the number as you see it (or --devices FILE)")
    text, picture = said["label"], said["picture"]
    if (text is None) is (picture is None):
        raise click.UsageError("either --label or --picture")
    if text is not None:
        return Label.parse(text)
    with picture.open("rb") as file:
        return label_in(file.read(MAX_PICTURE_BYTES), str(picture))


def _party(ctx: click.Context, said: dict[str, Any], which: str) -> tuple[Party, FileKey | None]:
    folder, name, role = said[which], said[f"{which}_name"], said[f"{which}_role"]
    if folder is not None and name is None:
        key = _key(ctx, folder)
        return party_of(officer_of(x509.load_der_x509_certificate(key.certificate))), key
    if folder is None and name and role:
        return Party(name, role, None), None
    raise click.UsageError(f"--{which} FOLDER, or --{which}-name with --{which}-role")


def _key(ctx: click.Context, folder: Path) -> FileKey:
    return key_folder.load(folder, passphrase(ctx, f"Passphrase of {folder}"))


def _entry(
    have: Custody, label: Label, said: dict[str, Any], now: int, giver: Party, receiver: Party, alone: str
) -> HandOver:
    """What is signed, of the shape that will be believed. Raises VerificationRefused before anybody signs."""
    if have.holder and have.holder.role != giver.role:
        raise VerificationRefused("custody-holder", holder=have.holder.role, giver=giver.role)
    entry = HandOver(
        device=label.serial,
        kid=label.kid,
        number=len(have.events) + 1,
        previous=have.head,
        unix=now,
        place=said["place"],
        at=_at(said["at"]),
        seal=said["seal"],
        seal_state=said["seal_state"],
        resealed=said["resealed"],
        condition=said["condition"],
        giver=giver,
        receiver=receiver,
        alone=alone,
    )
    try:
        return check(msgspec.to_builtins(entry, builtin_types=(bytes,)), HandOver)
    except VerificationRefused as refusal:
        problem = str(refusal.details.get("problem", ""))
        raise VerificationRefused("custody-text", field=problem.rpartition("$.")[2], problem=problem) from refusal


def _at(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.UsageError("--at LATITUDE,LONGITUDE in degrees, as -6.914744,107.609810") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise click.UsageError("--at: no such place on earth")
    return round(latitude * MILLION), round(longitude * MILLION)


def _now(have: Custody) -> int:
    now = int(datetime.now(UTC).timestamp())
    last = have.events[-1].taken if have.events else 0
    if now < last:
        raise VerificationRefused("custody-clock", time=utc(now), last=utc(last))
    return now


def _finish(chain: Path, event: bytes, have: Custody, believed: OfficerTrust, dry_run: bool) -> None:
    folder = chain / have.label.serial
    if dry_run:
        custody = check_chain([*(entry.data for entry in have.events), event], believed, have.label)
        click.echo("dry run: nothing was written")
    else:
        custody, _new = custody_folder.add(folder, [event], believed, have.label)
    click.echo("\n".join(told(custody)))


if __name__ == "__main__":
    main()
