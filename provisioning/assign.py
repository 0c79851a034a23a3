"""Step 5, assign: a device becomes the kiosk of a TPS.

It gets kiosk.toml, the ketua's PIN with its letter, a trust folder, and the assignment that a technician signs.

A TPS that another live device holds is refused before anything is made; so is a device that holds another TPS (that is
`reassign`). The PIN is drawn here, goes into the letter and, hashed, onto the device; then it is nowhere. Run again
after it was cut off, a new PIN is drawn unless the device has the one whose letter is there.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from firmware.day.pin import make_pin
from firmware.errors import VerificationRefused
from firmware.signing.assignment import MAX_BYTES, Device, make_assignment, open_assignment
from firmware.signing.certificates import load_certificates
from firmware.signing.trust import write_signed_trust
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.job import End, Job, Result
from provisioning.batch.kiosk_toml import kiosk_file, written
from provisioning.batch.words import Evidence, Provision, Seen
from provisioning.enrol import DEVICE
from provisioning.inventory import Event, State, now_text
from provisioning.papers import letter
from provisioning.set_pin import draw_pin

PIN_DIGEST = "pin.sha256"


def assign(job: Job) -> Result:
    """Assigns, or says that it is done. Raises Refused."""
    if not job.row.tps:
        return Result(End.DONE, "a spare, for no TPS yet")
    if job.place is None:
        return Result(End.WAITS_FOR_DEVICE)
    seen = job.look()
    if not seen.serial:
        raise ProvisioningRefused("step-order", serial=job.row.serial, state="installed", first="enrol")
    if seen.tps not in ("", job.row.tps):
        raise ProvisioningRefused("assigned-elsewhere", serial=seen.serial, found=seen.tps, tps=job.row.tps)
    return give(job, seen, evidence=None)


def give(job: Job, seen: Seen, evidence: Evidence | None) -> Result:
    """Gives the device to the TPS of its row. Raises Refused."""
    kiosk = written(kiosk_file(job.office.template, job.row.changes, job.office.file.kiosk))
    wanted = wanted_device(job, seen)
    if _is(seen, wanted, job, kiosk):
        if _earlier(job):
            job.note(State.ASSIGNED, "assign", **_facts(seen))
        return Result(End.DONE, f"TPS {seen.tps}, edition {seen.edition}")
    if job.office.technician is None:
        return Result(End.WAITS_FOR_OFFICE, "needs the technician's key")
    if job.dry_run:
        return Result(End.WOULD, f"assign to TPS {job.row.tps}, edition {seen.edition + 1}")
    _reserve(job)
    signed = _signed(job, wanted, seen.edition + 1)
    pin = _pin(job, seen, seen.edition + 1)
    provision = Provision(kiosk, pin, signed, trust_of(job), evidence)
    seen = job.ask("assign", provision, Seen)
    if seen.fault or seen.tps != job.row.tps:
        raise VerificationRefused("assignment-tps", said=job.row.tps, found=seen.tps or seen.fault)
    job.note(State.ASSIGNED, "assign", **_facts(seen))
    return Result(End.DONE, f"TPS {seen.tps}, edition {seen.edition}")


def wanted_device(job: Job, seen: Seen) -> Device:
    """What the assignment will say of the device."""
    file = kiosk_file(job.office.template, job.row.changes, job.office.file.kiosk)
    election = bytes.fromhex(job.office.definition.sha256)
    kid = bytes.fromhex(seen.kid)
    return Device(seen.serial, kid, job.row.tps, election, str(file.camera.driver), str(file.printer.driver))


def _is(seen: Seen, wanted: Device, job: Job, kiosk: bytes) -> bool:
    """The device is what it should be, and the letter of its PIN is known."""
    same = (seen.tps, seen.seal, seen.election) == (wanted.tps, job.row.seal, wanted.election.hex())
    return same and seen.kiosk == hashlib.sha256(kiosk).hexdigest() and _has_letter(job, seen)


def _has_letter(job: Job, seen: Seen) -> bool:
    return bool(seen.pin) and job.papers.read(PIN_DIGEST) == seen.pin.encode()


def _earlier(job: Job) -> bool:
    known = job.office.inventory.device(job.row.serial)
    return known.state in (State.UNKNOWN, State.INSTALLED, State.ENROLLED)


def _facts(seen: Seen) -> dict[str, str | int]:
    return {"kid": seen.kid, "tps": seen.tps, "seal": seen.seal, "edition": seen.edition}


def _reserve(job: Job) -> None:
    """The TPS is this device's from now on. Raises ProvisioningRefused("inventory-tps")."""
    known = job.office.inventory.device(job.row.serial)
    if known.tps != job.row.tps:
        state = known.state if known.state is not State.UNKNOWN else State.ENROLLED
        job.office.inventory.assign(Event(now_text(job.now()), job.row.serial, state, "assign begins", tps=job.row.tps))


def _signed(job: Job, wanted: Device, edition: int) -> bytes:
    """The assignment: the one that was signed before a cut, if it says the same, else a new one."""
    name = f"assignment-{edition}.cose"
    before = job.papers.read(name)
    if before is not None and len(before) <= MAX_BYTES:
        opened = open_assignment(before, job.office.trust)
        if (opened.device, opened.seal, opened.edition) == (wanted, job.row.seal, edition):
            return before
    assert job.office.technician is not None
    made = make_assignment(wanted, edition, job.row.seal, int(job.now().timestamp()), job.office.technician)
    open_assignment(made, job.office.trust)
    job.papers.keep(name, made)
    return made


def _pin(job: Job, seen: Seen, edition: int) -> bytes:
    """pin.json of a new PIN whose letter is on disk; empty when the device keeps the one it has for this TPS."""
    if seen.tps == job.row.tps and _has_letter(job, seen):
        return b""
    if job.letters is None:
        raise ProvisioningRefused("office-key", what="--letters", file="the command")
    pin = draw_pin()
    made = make_pin(pin)
    place = job.office.definition.polling_station(job.row.tps).place
    text = letter.Letter(job.row.tps, place, job.row.serial, edition, f"{job.now():%Y-%m-%d}", pin)
    letter.keep(job.letters, f"{job.row.tps}-{job.row.serial}-{edition}.pdf", letter.draw(text))
    job.papers.keep(PIN_DIGEST, hashlib.sha256(made).hexdigest().encode())
    return made


def trust_of(job: Job) -> dict[str, bytes]:
    """The trust folder of one kiosk: everything that it believes, and of the devices itself alone."""
    office, data = job.office, job.papers.read(DEVICE)
    assert data is not None
    own = load_certificates(data, DEVICE)[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_signed_trust(
            folder,
            root=office.root.public_bytes(Encoding.DER),
            authority=office.authority.public_bytes(Encoding.DER),
            election=office.beside(office.file.election).read_bytes(),
            layouts=office.layouts,
            devices=[own.public_bytes(Encoding.DER)],
        )
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
