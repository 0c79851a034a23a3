"""Step 9, retire: the evidence is taken off and proven elsewhere, then the keys are wiped. Two commands, on purpose.

    python -m provisioning.retire export PLAN.csv C1-0001 EVIDENCE    EVIDENCE/C1-0001 is written and read back
    python -m provisioning.retire wipe PLAN.csv C1-0001 EVIDENCE      refuses unless that is whole, elsewhere, and all

`wipe` proves the evidence again, from the medium; the device refuses when it has sealed a record since, when a day is
open, and here on the device (--here) a folder on the same disk is no other medium. A TPM's key is gone when it is
evicted. A key that was a file is overwritten and removed, but flash may keep old cells: the page says so, and the
device's certificate should then be revoked from now on (`ca revoke`), and the card destroyed if that matters.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import click
import msgspec

from firmware.signing import durable
from provisioning.assign import trust_of
from provisioning.authority.desk import Desk
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch import evidence
from provisioning.batch.errand import errand_options, the_job
from provisioning.batch.evidence import Summary
from provisioning.batch.job import Job
from provisioning.batch.place import Here, ask
from provisioning.batch.shown import page
from provisioning.batch.words import Wiped
from provisioning.device.ground import Ground
from provisioning.inventory import State

EXPORT_S = 1800.0
"""A day's pictures are some hundred megabytes, read twice from a slow card."""
THERE = "/var/lib/c1kiosk/export"
AS_STATION = ("setpriv", "--reuid=c1kiosk-station", "--regid=c1kiosk", "--clear-groups")
"""The signer answers the station, and the ledger is the station's."""
_PAPERS = ("tar", "-c", "-C", "/etc/c1kiosk", "--exclude=tls", "--exclude=*.cred", "--exclude=pin.json", ".")
_BUNDLE = (
    *AS_STATION, "/opt/c1kiosk/.venv/bin/c1kiosk", "bundle", "--ledger", "/var/lib/c1kiosk/ledger",
    "--trust", "/etc/c1kiosk/trust",
)  # fmt: skip


def export(job: Job, folder: Path) -> Summary:
    """Writes and proves the evidence of a device in `folder`/serial. Raises Refused."""
    assert job.place is not None
    seen = job.look()
    if seen.day_open:
        raise ProvisioningRefused("device-day-open", serial=job.row.serial)
    own = folder / job.row.serial
    own.mkdir(parents=True, exist_ok=True)
    for name, data in trust_of(job).items():
        _write(own / evidence.TRUST / name, data)
    _write(own / evidence.DEVICE, ask(job.place, _PAPERS, within_s=EXPORT_S))
    digest = _bundle(job, own / evidence.BUNDLE) if seen.records else ""
    summary = Summary(job.row.serial, seen.evidence, digest)
    _write(own / evidence.SUMMARY, msgspec.json.encode(summary))
    proven = evidence.prove(own, job.row.serial)
    known = job.office.inventory.device(job.row.serial)
    job.note(State.RETURNED if known.state is State.OPEN else known.state, "evidence", evidence=proven.name)
    return proven


def _bundle(job: Job, path: Path) -> str:
    """The bundle, made on the device, fetched; its SHA-256."""
    place, there = job.place, f"{THERE}/{job.row.serial}.tar"
    assert place is not None
    ask(place, ["install", "-d", "-o", "c1kiosk-station", "-g", "c1kiosk", "-m", "700", THERE])
    ask(place, ["rm", "-f", there])
    more = []
    for option, needed in (("--outbox", "/var/lib/c1kiosk/outbox"), ("--signer", "/run/c1kiosk/signer.sock")):
        if place.run(["test", "-e", needed]).status == 0:
            more += [option, needed]
    ask(place, [*_BUNDLE, *more, there], within_s=EXPORT_S)
    _write(path, ask(place, ["cat", there], within_s=EXPORT_S))
    ask(place, ["rm", "-rf", THERE])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wipe(job: Job, folder: Path) -> tuple[Summary, Wiped]:
    """Proves the evidence, then has the device destroy its keys. Raises Refused."""
    own = folder / job.row.serial
    summary = evidence.prove(own, job.row.serial)
    if isinstance(job.place, Here) and not evidence.other_medium(own, Ground().state):
        raise ProvisioningRefused("evidence-unverified", serial=job.row.serial, problem="it lies on the device's disk")
    wiped = job.ask("wipe", summary.evidence, Wiped)
    job.note(State.RETIRED, "retire", evidence=summary.name)
    return summary, wiped


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    durable.create(path, data)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
def desk() -> None:
    """Take a device out of use."""


@desk.command("export")
@errand_options
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export_command(folder: Path, **options: object) -> None:
    """Write a device's evidence into FOLDER and prove it."""
    job = the_job(options)
    if job.dry_run:
        seen = job.look()
        page("export", [("records", str(seen.records)), ("day open", str(seen.day_open))], "Nothing was written.")
        return
    summary = export(job, folder)
    rows = [
        ("device", summary.serial),
        ("records", str(summary.evidence.records)),
        ("bundle", summary.bundle or "none: no record was sealed"),
        ("folder", str(folder / summary.serial)),
    ]
    page("export", rows, "PROVEN: copy the folder to a second medium, then wipe.")


@desk.command("wipe")
@errand_options
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def wipe_command(folder: Path, **options: object) -> None:
    """Wipe a device's keys; FOLDER is where `export` wrote."""
    job = the_job(options)
    if job.dry_run:
        summary = evidence.prove(folder / job.row.serial, job.row.serial)
        page("retire", [("evidence", summary.name)], "Proven. Nothing was wiped.")
        return
    summary, wiped = wipe(job, folder)
    rows = [
        ("device", summary.serial),
        ("evidence", summary.name),
        ("gone", ", ".join(wiped.destroyed) or "nothing was in a TPM"),
        ("overwritten", ", ".join(wiped.overwritten) or "nothing"),
        ("card", wiped.trimmed or "cannot be told which cells are free"),
    ]
    sure = not any(name.endswith((".cred", "signer/key/key.pem")) for name in wiped.overwritten)
    page(
        "retire", rows, "RETIRED." if sure else "RETIRED. Flash may keep old cells: revoke the certificate from now on."
    )


if __name__ == "__main__":
    desk()
