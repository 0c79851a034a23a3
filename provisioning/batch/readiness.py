"""The last step before a device leaves: READY, by the signed report of a self-test in which everything was examined.

Over a network nobody sees the target under the camera or presses the button. So this step runs the self-test without
hands; what has failed is refused here and named. When nothing has, somebody beside the device runs

    sudo c1kiosk selftest --print --report /var/lib/c1kiosk/selftest.cose

and this step, run again, fetches the report: READY is what the device's own key has signed for this TPS, of this
election, within REPORT_AGE. Whatever was said is kept in the device's papers.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from firmware.signing.trust import LAYOUTS, TrustRoots
from firmware.signing.validity import utc
from firmware.signing.verification import verify_selftest
from provisioning.assign import trust_of
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.job import End, Job, Result
from provisioning.inventory import State

FOUND, REPORT = "selftest.json", "selftest.cose"
THERE = f"/var/lib/c1kiosk/{REPORT}"
COMMAND = ("/opt/c1kiosk/.venv/bin/c1kiosk", "selftest", "--no-hands", "--json")
SELFTEST_S = 600.0
"""With a dry run of a whole night of forms: minutes on a slow card."""
REPORT_AGE = timedelta(days=7)
"""From the bench to the village."""
CLOCKS_APART_S = 3600
"""The device's clock may be ahead of the laptop's."""
NAMED = 6
"""Failed checks that are named in a table; the report has all."""
PREPARED = (State.ASSIGNED, State.SEALED, State.READY)


class Check(msgspec.Struct, frozen=True):
    """One line of what it found; more stands in it."""

    check: str
    level: str


class Found(msgspec.Struct, frozen=True):
    """What is needed of it."""

    verdict: str
    checks: tuple[Check, ...]


msgspec.json.Decoder(Found)
# Resolved now, by one thread (words.py).


def selftest(job: Job) -> Result:
    """READY, or who is waited for. Raises ProvisioningRefused("selftest-not-ready") with what has failed."""
    if job.place is None:
        return Result(End.WAITS_FOR_DEVICE)
    known = job.office.inventory.device(job.row.serial)
    if known.state not in PREPARED:
        raise ProvisioningRefused("step-order", serial=job.row.serial, state=str(known.state), first="assign")
    if job.dry_run:
        return Result(End.WOULD, "run the self-test")
    signed = job.place.run(["cat", THERE])
    if signed.status == 0:
        return _believe(job, signed.out)
    _run(job)
    return Result(End.WAITS_FOR_PERSON, f"sudo c1kiosk selftest --print --report {THERE}")


def _believe(job: Job, signed: bytes) -> Result:
    files = trust_of(job)
    layouts = {name.removeprefix(f"{LAYOUTS}/"): data for name, data in files.items() if name.startswith(LAYOUTS)}
    trust = TrustRoots.of_files({name: data for name, data in files.items() if "/" not in name}, layouts)
    report = verify_selftest(signed, trust).report
    job.papers.keep(REPORT, signed)
    age = job.now().timestamp() - report.time.unix
    if report.verdict != "ready":
        _refuse(job, [*report.failed] or [*report.not_examined])
    if report.tps != job.row.tps or not -CLOCKS_APART_S <= age <= REPORT_AGE.total_seconds():
        _refuse(job, [f"report of TPS {report.tps}, {utc(report.time.unix)}: run it again"])
    job.note(State.READY, "selftest")
    return Result(End.DONE, f"READY, {utc(report.time.unix)}")


def _run(job: Job) -> None:
    assert job.place is not None
    ran = job.place.run(COMMAND, within_s=SELFTEST_S)
    try:
        found = msgspec.json.decode(ran.out, type=Found)
    except msgspec.MsgspecError:
        said = ran.err.strip()[-200:]
        raise ProvisioningRefused("device-command", command="selftest", status=ran.status, said=said) from None
    job.papers.keep(FOUND, ran.out)
    failed = [entry.check for entry in found.checks if entry.level == "failed"]
    if failed or found.verdict not in ("ready", "partly"):
        _refuse(job, failed or [found.verdict])


def _refuse(job: Job, checks: list[str]) -> None:
    named = ", ".join(checks[:NAMED]) + (f" and {len(checks) - NAMED} more" if len(checks) > NAMED else "")
    raise ProvisioningRefused("selftest-not-ready", serial=job.row.serial, checks=named)
