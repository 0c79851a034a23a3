"""`c1kiosk selftest`: READY or NOT READY with the reasons, on one page; `c1kiosk target`: the sheet for the camera.

    c1kiosk selftest                everything, with somebody beside the kiosk; --print signs and prints the report
    c1kiosk selftest --no-hands     without what needs a person
    c1kiosk selftest --quick        without person, dry run and network: is an update healthy?
    c1kiosk selftest --only camera  while the lens is turned

Exit status: 0 READY; 1 NOT READY; 3 nothing of what was examined has failed, but not everything was examined.
Run as root: it reads what belongs to the kiosk's users. It changes nothing on the device.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from firmware.building import software
from firmware.config import KioskConfig, load_config
from firmware.errors import Refused
from firmware.messages import DEFAULT_LANGUAGE, LANGUAGES, sentence
from firmware.processes import log_to_stderr
from firmware.receipt.clock import local_time, zone_of
from firmware.receipt.printer import Printed
from firmware.selftest import report
from firmware.selftest.devices import Devices, NotToBeHad
from firmware.selftest.finding import Finding, Level, Verdict, verdict_of
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.lent import LentDevices, station_runs
from firmware.selftest.own import own_devices
from firmware.selftest.page import label, page, says
from firmware.selftest.person import AtTerminal
from firmware.selftest.plan import AREAS, PLAN, Wish, examine
from firmware.selftest.tree import Tree

CONFIG = "config"
"""The check that comes before the others: without it there is nothing to look at."""
STATUS = {Verdict.READY: 0, Verdict.NOT_READY: 1, Verdict.PARTLY: 3}
"""2 is click's for wrong use."""
NAMES = (*AREAS, *(entry.name for entry in PLAN if entry.name not in AREAS))


@contextmanager
def devices_of(config: KioskConfig) -> Iterator[Devices]:
    """The running station's, or the kiosk's own where no station runs."""
    if station_runs(config.station_socket):
        yield LentDevices(config.station_socket)
    else:
        with own_devices(config) as own:
            yield own


@click.command("selftest")
@click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml", show_default=True)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default="/", help="Where /sys and /proc are.")
@click.option("--quick", is_flag=True, help="Nothing that needs a person, a network or more than a few seconds.")
@click.option("--no-hands", is_flag=True, help="Nothing that needs a person beside the kiosk.")
@click.option(
    "--only", type=click.Choice(NAMES), multiple=True, metavar="NAME", help=f"Only these: {', '.join(AREAS)}."
)
@click.option("--print/--no-print", "printed", default=False, help="Print the signed report as a strip.")
@click.option("--report", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write the signed report here.")
@click.option("--json", "as_json", is_flag=True, help="Machine output instead of the page.")
@click.option("--language", type=click.Choice(LANGUAGES), default=DEFAULT_LANGUAGE, show_default=True)
def selftest_command(
    path: Path,
    root: Path,
    quick: bool,
    no_hands: bool,
    only: tuple[str, ...],
    printed: bool,
    out: Path | None,
    as_json: bool,
    language: str,
) -> None:
    """Say READY, or NOT READY and why. Run it as root, with the kiosk's services running."""
    log_to_stderr()  # standard output is for the page, or for machines
    try:
        config = load_config(path)
    except Refused as refusal:
        values = {name: str(value) for name, value in refusal.details.items()}
        failed = Finding(CONFIG, Level.FAILED, refusal.code, f"error.{refusal.code}", values)
        sys.exit(_tell([failed], str(path), as_json, language))
    wish = Wish(quick, not no_hands, only)
    with devices_of(config) as devices:
        kiosk = Kiosk(config, path.resolve().parent, devices, AtTerminal(language), Tree(root))
        findings = [Finding(CONFIG, Level.PASSED, str(config.mode)), *examine(kiosk, wish, _progress(language))]
        status = _tell(findings, _head(kiosk), as_json, language)
        if (printed or out) and not _hand_out(kiosk, findings, out, printed, language):
            status = STATUS[Verdict.NOT_READY]
    sys.exit(status)


def _progress(language: str) -> Any:
    """One line that is written over, when somebody looks."""

    def tell(name: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K  {label(name, language)} ...", err=True, nl=False)

    return tell


def _head(kiosk: Kiosk) -> str:
    """Which kiosk, which program, when."""
    config, now = kiosk.config, kiosk.clock()
    version = report.release_version(kiosk) or software()
    return f"TPS {config.tps.code} · {version} · {local_time(now.unix, zone_of(config.tps.code))}"


def _tell(findings: Sequence[Finding], head: str, as_json: bool, language: str) -> int:
    verdict = verdict_of([entry.level for entry in findings])
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    if as_json:
        document = {"verdict": str(verdict), "ready": verdict is Verdict.READY}
        rows = [_row(entry, language) for entry in findings]
        click.echo(json.dumps({**document, "checks": rows}, ensure_ascii=False, indent=1))
    else:
        click.echo(page(head, findings, language))
    return STATUS[verdict]


def _row(entry: Finding, language: str) -> dict[str, str | bool]:
    told = {"code": entry.code, "sentence": says(entry, language)} if entry.key else {}
    passed = entry.level in (Level.PASSED, Level.NOTE)
    return {"check": entry.name, "level": str(entry.level), "passed": passed, "seen": entry.seen, **told}


def _hand_out(kiosk: Kiosk, findings: Sequence[Finding], out: Path | None, printed: bool, language: str) -> bool:
    """Signs, writes and prints the report; False when any of it was not possible, which is said."""
    try:
        signed = report.signed(kiosk, findings)
    except Refused as refusal:
        click.echo(sentence("selftest.report-not-signed", language, code=refusal.code), err=True)
        return False
    if out:
        out.write_bytes(signed)
        click.echo(sentence("selftest.report-written", language, file=str(out)), err=True)
    if not printed:
        return True
    try:
        outcome = kiosk.devices.print(report.strip(kiosk, findings, signed))
    except NotToBeHad as lack:
        problem = sentence(f"selftest.{lack.code}", language)
    except Refused as refusal:
        problem = sentence(f"error.{refusal.code}", language, **refusal.details)
    else:
        if outcome.printed is Printed.CONFIRMED:
            return True
        problem = sentence(f"printer.{outcome.status}", language)
    click.echo(sentence("selftest.report-not-printed", language, problem=problem), err=True)
    return False


@click.command("target")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file, target.pdf.")
def target_command(out: Path) -> None:
    """Write the sheet that is laid under the camera for the check of focus and light, as PDF for A4."""
    from firmware.forms.target import target_pdf

    out.write_bytes(target_pdf())
    click.echo(sentence("selftest.target-written", DEFAULT_LANGUAGE, file=str(out)))
