"""The last step before a device leaves: its self-test (`c1kiosk selftest`) says READY, and nothing else does.

The camera looks at the printed target meanwhile: focus and lighting are among what it checks. What it said is kept in
the device's papers, whatever it said.
"""

from __future__ import annotations

import msgspec

from provisioning.inventory import State
from provisioning.issuing import ProvisioningRefused
from provisioning.job import End, Job, Result

REPORT = "selftest.json"
COMMAND = ("/opt/c1kiosk/.venv/bin/c1kiosk", "selftest", "--json")
SELFTEST_S = 600.0
"""With a test strip, a dry run of a whole form and a slow printer: a few minutes."""
NAMED = 6
"""Failed checks that are named in a table; the report has all."""
PREPARED = (State.ASSIGNED, State.SEALED, State.READY)


class Check(msgspec.Struct, frozen=True):
    """One line of the report; more may stand in it."""

    check: str
    passed: bool | None


class Report(msgspec.Struct, frozen=True):
    """What is needed of the report."""

    ready: bool
    checks: tuple[Check, ...]


def selftest(job: Job) -> Result:
    """Runs the self-test. Raises ProvisioningRefused("selftest-not-ready") with the checks that did not pass."""
    if job.place is None:
        return Result(End.WAITS_FOR_DEVICE)
    known = job.office.inventory.device(job.row.serial)
    if known.state not in PREPARED:
        raise ProvisioningRefused("step-order", serial=job.row.serial, state=str(known.state), first="assign")
    if job.dry_run:
        return Result(End.WOULD, "run the self-test")
    ran = job.place.run(COMMAND, within_s=SELFTEST_S)
    try:
        report = msgspec.json.decode(ran.out, type=Report)
    except msgspec.MsgspecError:
        raise ProvisioningRefused(
            "device-command", command="selftest", status=ran.status, said=ran.err[-200:]
        ) from None
    job.papers.keep(REPORT, ran.out)
    failed = [entry.check for entry in report.checks if not entry.passed]
    if ran.status != 0 or not report.ready:
        named = ", ".join(failed[:NAMED]) + (f" and {len(failed) - NAMED} more" if len(failed) > NAMED else "")
        raise ProvisioningRefused("selftest-not-ready", serial=job.row.serial, checks=named or f"status {ran.status}")
    job.note(State.READY, "selftest")
    return Result(End.DONE, "READY")
