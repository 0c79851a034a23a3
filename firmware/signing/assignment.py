"""The assignment: which TPS a device is for, signed by the technician who gave it to that TPS.

COSE_Sign1, type ASSIGNMENT, by an officer of role `technician`, whose certificate stands in it (officers.py). It lies
in `/etc/c1kiosk/assignment.cose` and binds the device's serial and key, the TPS, the election definition, camera and
printer, the number of the seal on the case, and an edition, which counts the assignments of this device from 1. Those
before it stay in `/etc/c1kiosk/assignments/<edition>.cose`: nothing is overwritten.

`check_assignment` raises unless all of this holds:

    - an officer of this election, technician, valid and not revoked at the time of signing, signed it
    - it is of this device: serial and key id of the device's own certificate
    - the TPS, the election (SHA-256 of the definition), camera and printer are those of kiosk.toml

So a card that was swapped, a kiosk.toml that was edited and a device that was taken to another TPS are found and named.
It does not say who sealed the case or carried the device: that is custody (custody.py). Refusals (VerificationRefused):
`assignment-device`, `-key`, `-tps`, `-election`, `-parts`, `-missing`, `-edition`, and those of officers.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta

from firmware.config import KioskConfig
from firmware.errors import VerificationRefused
from firmware.signing.cose import MessageType, SigningKey, parse
from firmware.signing.keys import claims_of, key_id
from firmware.signing.officers import Officer, OfficerTrust, Role, open_by_officer, sign_as_officer
from firmware.signing.schema import Hash, Strict, TpsCode, UnixTime, check

NAME = "assignment.cose"
"""Beside kiosk.toml."""
EARLIER = "assignments"
"""Folder of the editions before, beside kiosk.toml."""
MAX_EDITION = 999
MAX_BYTES = 8 * 1024
"""Ours are about 1 kB, most of it the officer's certificate."""

Serial = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")]
Seal = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9./-]{0,31}\Z")]
"""As printed on the seal."""
Driver = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}\Z")]


class AssignmentEntry(Strict, frozen=True):
    """What is signed."""

    serial: Serial
    kid: Annotated[bytes, Meta(min_length=8, max_length=8)]
    tps: TpsCode
    election: Hash
    camera: Driver
    printer: Driver
    edition: Annotated[int, Meta(ge=1, le=MAX_EDITION)]
    seal: Seal
    unix: UnixTime


msgspec.json.Decoder(AssignmentEntry)
# Resolved now, by one thread (schema.py).


@dataclass(frozen=True, slots=True)
class Device:
    """What a device is by its own files: what an assignment is held against."""

    serial: str
    kid: bytes
    tps: str
    election: bytes
    """SHA-256 of the definition."""
    camera: str
    printer: str

    @classmethod
    def of(cls, config: KioskConfig, certificate: x509.Certificate) -> Self:
        """By kiosk.toml and the certificate of the key that signs. Raises VerificationRefused."""
        return cls(
            serial=claims_of(certificate).serial,
            kid=key_id(certificate.public_bytes(Encoding.DER)),
            tps=config.tps.code,
            election=bytes.fromhex(config.definition.sha256),
            camera=str(config.file.camera.driver),
            printer=str(config.file.printer.driver),
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """A verified assignment."""

    device: Device
    edition: int
    seal: str
    unix: int
    officer: Officer


def make_assignment(device: Device, edition: int, seal: str, unix: int, key: SigningKey) -> bytes:
    """COSE bytes, signed by an officer's key. Raises SchemaRefused for what no assignment may say."""
    payload = asdict(device) | {"edition": edition, "seal": seal, "unix": unix}
    check(payload, AssignmentEntry)
    return sign_as_officer(payload, MessageType.ASSIGNMENT, key)


def open_assignment(data: bytes, trust: OfficerTrust) -> Assignment:
    """The assignment of whichever device, signed by a technician of this election. Raises VerificationRefused."""
    officer, payload = open_by_officer(
        parse(data, MAX_BYTES), MessageType.ASSIGNMENT, trust, frozenset({Role.TECHNICIAN})
    )
    entry = check(payload, AssignmentEntry)
    device = Device(entry.serial, entry.kid, entry.tps, entry.election, entry.camera, entry.printer)
    return Assignment(device, entry.edition, entry.seal, entry.unix, officer)


def check_assignment(data: bytes, trust: OfficerTrust, device: Device) -> Assignment:
    """The assignment of this device, as the module's text says. Raises VerificationRefused."""
    assignment = open_assignment(data, trust)
    said = assignment.device
    if said.serial != device.serial:
        raise VerificationRefused("assignment-device", said=said.serial, found=device.serial)
    if said.kid != device.kid:
        raise VerificationRefused("assignment-key", said=said.kid.hex(), found=device.kid.hex())
    if said.tps != device.tps:
        raise VerificationRefused("assignment-tps", said=said.tps, found=device.tps)
    if said.election != device.election:
        raise VerificationRefused(
            "assignment-election", said=said.election.hex()[:16], found=device.election.hex()[:16]
        )
    if (said.camera, said.printer) != (device.camera, device.printer):
        parts = f"{said.camera}, {said.printer}"
        raise VerificationRefused("assignment-parts", said=parts, found=f"{device.camera}, {device.printer}")
    return assignment


def read_assignment(folder: Path) -> bytes:
    """The bytes in the folder of kiosk.toml. Raises VerificationRefused("assignment-missing")."""
    try:
        with (folder / NAME).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise VerificationRefused("assignment-missing", file=str(folder / NAME)) from error


def check_follows(new: Assignment, old: Assignment) -> None:
    """`new` may take the place of `old`: the same device, the next edition. Raises VerificationRefused."""
    if (new.device.serial, new.device.kid) != (old.device.serial, old.device.kid):
        raise VerificationRefused("assignment-device", said=new.device.serial, found=old.device.serial)
    if new.edition != old.edition + 1:
        raise VerificationRefused("assignment-edition", said=new.edition, expected=old.edition + 1)
