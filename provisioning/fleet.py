"""A batch of devices through the steps, in parallel, over a LAN or with a stick; one bad device never stops the others.

    python -m provisioning.fleet pin PLAN.csv                       write down the devices' ssh keys, once, on the bench
    python -m provisioning.fleet run PLAN.csv --steps install,enrol,assign,selftest --letters DIR --jobs 16
    python -m provisioning.fleet run PLAN.csv --steps enrol --away  at the desk: devices are elsewhere, keys are here
    python -m provisioning.fleet run PLAN.csv --steps enrol --here --only C1-0001    on the device itself, from a stick
    python -m provisioning.fleet status PLAN.csv

Office and plan (office.py, plan.py) are read and checked whole before anything begins. Every step looks at what there
is and does what is missing: the same command again goes on where the last one stopped, was killed, or lost a device.
Exit 0: every device is through every step. 1: not all are; they are listed, each with the reason. 2: wrong use.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from firmware.errors import Refused
from provisioning.assign import assign
from provisioning.authority.desk import Desk, passphrase
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch import host_keys
from provisioning.batch.job import End, Job, Step
from provisioning.batch.office import Office, Papers
from provisioning.batch.place import Here, Place, Ssh
from provisioning.batch.plan import Row, read_plan
from provisioning.batch.putting_in import install
from provisioning.batch.readiness import selftest
from provisioning.batch.shown import refusal_line, table
from provisioning.enrol import enrol
from provisioning.inventory import lines

STEPS: dict[str, Step] = {"install": install, "enrol": enrol, "assign": assign, "selftest": selftest}
"""In the order performed."""
JOBS = 16
"""Devices at a time: what a laptop's cores and a 100 Mbit/s switch serve well."""
REDRAW_S = 0.5
MARGIN_ROWS = 4
"""Of a terminal, beside the devices that are shown."""
REPORT = "fleet.json"
DONE = str(End.DONE)


class Progress(msgspec.Struct):
    """How far a device is in this run."""

    serial: str
    host: str
    tps: str
    step: str = "-"
    state: str = "waiting"
    said: str = ""
    code: str = ""
    """Of the refusal."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the fleet."""

    jobs: Sequence[Job]
    steps: Sequence[str]
    progress: dict[str, Progress]

    @classmethod
    def of(cls, jobs: Sequence[Job], steps: Sequence[str]) -> Run:
        """Nothing has begun."""
        rows = (job.row for job in jobs)
        return cls(jobs, steps, {row.serial: Progress(row.serial, row.host, row.tps) for row in rows})

    @property
    def left(self) -> list[Progress]:
        """The devices that are not through every step."""
        return [entry for entry in self.progress.values() if entry.state != DONE]

    def go(self, at_once: int, shown: Show) -> None:
        """Every device through every step."""
        pool = ThreadPoolExecutor(at_once)
        try:
            pending = {pool.submit(self._device, job) for job in self.jobs}
            while pending:
                _, pending = wait(pending, timeout=REDRAW_S, return_when=FIRST_COMPLETED)
                shown.draw(self.progress.values())
        finally:
            pool.shutdown(cancel_futures=True)

    def _device(self, job: Job) -> None:
        entry, begun = self.progress[job.row.serial], time.monotonic()
        for name in self.steps:
            entry.step, entry.state, entry.said, entry.code = name, "running", "", ""
            result = None
            try:
                result = STEPS[name](job)
            except Refused as refusal:
                entry.state, entry.code, entry.said = "refused", refusal.code, refusal_line(refusal)
            except Exception as problem:  # noqa: BLE001  (a fault of ours with one device is told, and stops no other)
                entry.state, entry.code, entry.said = "fault", type(problem).__name__, str(problem)
            else:
                entry.state, entry.said = str(result.end), result.said
            entry.seconds = round(time.monotonic() - begun, 1)
            if result is None or result.end is not End.DONE:  # what is not done yet, the next step cannot build on
                return


class Show:
    """The table while it runs: redrawn on a terminal, else a line for every change."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._rows = 0
        self._told: dict[str, tuple[str, str]] = {}

    def draw(self, entries: Iterable[Progress]) -> None:
        """What has changed."""
        found = [msgspec.structs.replace(entry) for entry in entries]
        if self._terminal:
            self._redraw(found)
            return
        for entry in found:
            now = (entry.step, entry.state)
            if entry.state not in ("waiting", "running") and self._told.get(entry.serial) != now:
                self._told[entry.serial] = now
                click.echo(f"{entry.serial}  {entry.step}  {entry.state}  {entry.said}", err=True)

    def _redraw(self, found: Sequence[Progress]) -> None:
        width, height = os.get_terminal_size(sys.stderr.fileno())
        shown = sorted((entry for entry in found if entry.state not in ("waiting", DONE)), key=lambda e: e.state)
        text = [*progress_table(shown[: max(height - MARGIN_ROWS, 1)]), summary(found)]
        back = f"\x1b[{self._rows}A" if self._rows else ""
        click.echo(back + "\x1b[J" + "\n".join(line[:width] for line in text), err=True)
        self._rows = len(text)


def progress_table(entries: Sequence[Progress]) -> list[str]:
    """For people."""
    rows = [(e.serial, e.host, e.tps, e.step, e.state, f"{e.seconds:.0f} s", e.said) for e in entries]
    return table(("serial", "host", "TPS", "step", "state", "time", ""), rows)


def summary(entries: Sequence[Progress]) -> str:
    """One line."""
    states = [entry.state for entry in entries]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))


# --- command ----------------------------------------------------------------------------------------------------------

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_office = click.option("--office", "office_path", type=FILE, help="office.toml; without it, the one beside the plan.")
_only = click.option("--only", multiple=True, metavar="SERIAL", help="Only this device; may be given several times.")


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--passphrase-fd", type=int, help="File descriptor to read passphrases from: issuing, TLS, technician.")
@click.pass_context
def desk(ctx: click.Context, passphrase_fd: int | None) -> None:
    """A batch of devices through the steps of provisioning."""
    ctx.obj = None if passphrase_fd is None else os.fdopen(passphrase_fd, "rb", closefd=False)


@desk.command("run")
@click.argument("plan", type=FILE)
@_office
@_only
@click.option("--steps", required=True, help=f"Some of {','.join(STEPS)}.")
@click.option("--jobs", type=click.IntRange(1, 256), default=JOBS, show_default=True, help="Devices at a time.")
@click.option("--here", is_flag=True, help="This machine is the device; needs --only.")
@click.option("--away", is_flag=True, help="The devices are elsewhere: do what needs none, on the papers.")
@click.option("--letters", type=click.Path(path_type=Path, file_okay=False), help="Where PIN letters are written.")
@click.option("--ssh-option", multiple=True, help="A word more for ssh; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.pass_context
def run_command(
    ctx: click.Context, plan: Path, office_path: Path | None, only: tuple[str, ...], steps: str, jobs: int, here: bool,
    away: bool, letters: Path | None, ssh_option: tuple[str, ...], dry_run: bool,
) -> None:  # fmt: skip
    """Take devices through steps."""
    if here and (away or len(only) != 1):
        raise click.UsageError("--here takes exactly one --only, and no --away")
    names = _steps(steps)
    office = _open(ctx, plan, office_path, needs_keys=not dry_run and bool({"enrol", "assign"} & set(names)))
    rows = _rows(plan, office, only)
    with _alone(office.batch):
        places = {row.serial: _place(row, office, ssh_option, here=here, away=away) for row in rows}
        todo = [Job(row, office, places[row.serial], _now, letters, dry_run) for row in rows]
        run = Run.of(todo, names)
        run.go(jobs, Show(terminal=sys.stderr.isatty()))
        _report(office, run)
    sys.exit(0 if not run.left or dry_run else 1)


@desk.command("pin")
@click.argument("plan", type=FILE)
@_office
@_only
@click.option("--port", type=int, default=22, show_default=True)
@click.pass_context
def pin_command(ctx: click.Context, plan: Path, office_path: Path | None, only: tuple[str, ...], port: int) -> None:
    """Write down the devices' ssh keys. Do it on the bench, where the cable ends in the device that you mean."""
    office = _open(ctx, plan, office_path, needs_keys=False)
    hosts = {row.serial: row.host.rpartition("@")[2] for row in _rows(plan, office, only) if row.host}
    found = host_keys.pin(office.known_hosts, hosts, port)
    rows = [(serial, hosts[serial], entry.fingerprint, entry.said) for serial, entry in found.items()]
    click.echo("\n".join(table(("serial", "host", "key", ""), rows)))
    sys.exit(0 if all(entry.pinned for entry in found.values()) else 1)


@desk.command("status")
@click.argument("plan", type=FILE)
@_office
@_only
@click.option("--json", "as_json", is_flag=True, help="Machine output.")
@click.pass_context
def status_command(
    ctx: click.Context, plan: Path, office_path: Path | None, only: tuple[str, ...], as_json: bool
) -> None:
    """Print what the inventory knows of the devices of a plan."""
    office = _open(ctx, plan, office_path, needs_keys=False)
    inventory = office.inventory
    found = [inventory.device(row.serial) for row in _rows(plan, office, only)]
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(lines(found)))


def _steps(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in STEPS:
            raise ProvisioningRefused("steps-unknown", name=name, known=", ".join(STEPS))
    return [name for name in STEPS if name in names]


def _open(ctx: click.Context, plan: Path, path: Path | None, *, needs_keys: bool) -> Office:
    found = path or plan.resolve().parent / "office.toml"
    ask = (lambda name: passphrase(ctx, f"Passphrase of {name}")) if needs_keys else None
    return Office.open(found, ask)


def _rows(plan: Path, office: Office, only: Sequence[str]) -> list[Row]:
    rows = read_plan(plan, office.definition.stations)
    unknown = set(only) - {row.serial for row in rows}
    if unknown:
        raise ProvisioningRefused("inventory-serial", serial=", ".join(sorted(unknown)))
    return [row for row in rows if not only or row.serial in only]


def _place(row: Row, office: Office, options: tuple[str, ...], *, here: bool, away: bool) -> Place | None:
    if here:
        return Here()
    return None if away or not row.host else Ssh(row.host, row.serial, office.known_hosts, options)


@contextmanager
def _alone(batch: Path) -> Iterator[None]:
    """One run of a batch at a time: two would make two keys' requests of one device."""
    batch.mkdir(parents=True, exist_ok=True)
    with (batch / ".fleet.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ProvisioningRefused("office-busy", folder=str(batch)) from error
        yield


def _report(office: Office, run: Run) -> None:
    entries = sorted(run.progress.values(), key=lambda entry: entry.serial)
    Papers(office.batch).keep(REPORT, msgspec.json.format(msgspec.json.encode(entries), indent=1) + b"\n")
    click.echo("\n".join(progress_table(entries)))
    click.echo(f"{summary(entries)}; inventory: {office.batch / 'inventory.csv'}")
    if run.left and not any(job.dry_run for job in run.jobs):
        click.echo("Not done: " + ", ".join(entry.serial for entry in run.left) + ". The same command again goes on.")


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    desk()
