"""`c1kiosk selftest`: the technician's one page. READY only when every check says so; nothing is ready by default.

Each check looks at one thing that the station needs and answers with a finding: passed or not, and what was seen.
It changes nothing, and asks the running signer when there is one.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from firmware.building import form_of, open_camera, open_printer
from firmware.capture.camera import CameraFault
from firmware.config import KioskConfig, load_config
from firmware.digit_model.classifier import DigitModel
from firmware.errors import Refused
from firmware.ledger.store import Ledger
from firmware.messages import both
from firmware.signing.client import SignerClient
from firmware.signing.head import compare
from firmware.signing.keys import key_id
from firmware.signing.service import system_clock
from firmware.signing.signer import ClockQuality
from firmware.signing.trust import TrustRoots

FREE_BYTES_LEAST = 2 * 1024**3
"""Space for the day: 20 pages, three pictures each of 12 MB, with everything else twice over."""
PROGRAM_YEAR = 2026
"""A clock that shows an earlier year has lost its time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw."""

    name: str
    passed: bool
    seen: str


Check = Callable[[KioskConfig], str]
"""Returns what was seen; raises Refused, or NotReady, when it is not good enough."""


class NotReady(Exception):
    """A check that did not pass; the text says what was seen."""


def _model(config: KioskConfig) -> str:
    return f"sha256 {DigitModel.load(config.models).sha256[:16]}"


def _forms(config: KioskConfig) -> str:
    contests = config.definition.election.contests
    return ", ".join(form_of(contest).id for contest in contests)


def _trust(config: KioskConfig) -> str:
    trust = TrustRoots.load(config.trust)
    if trust.election.sha256 != config.definition.sha256:
        raise NotReady(both("selftest.other-election"))
    return f"{trust.fingerprint[:16]}, {len(trust.devices)} + {len(trust.collectors)}"


def _key(config: KioskConfig) -> str:
    device = SignerClient(config.signer_socket).device()
    claims = TrustRoots.load(config.trust).device(key_id(device.certificate)).claims
    if claims.world is not config.mode:
        raise NotReady(both("selftest.other-world", world=str(claims.world)))
    return f"{claims.serial}, {device.protection}"


def _ledger(config: KioskConfig) -> str:
    with Ledger.open(config.ledger_folder, readonly=True) as ledger:
        ledger.check()
        compare(SignerClient(config.signer_socket).head(), ledger.record_hashes())
        return str(len(ledger.record_hashes()))


def _space(config: KioskConfig) -> str:
    free = shutil.disk_usage(config.state).free
    seen = f"{free / 1024**3:.1f} GiB"
    if free < FREE_BYTES_LEAST:
        raise NotReady(seen)
    return seen


def _printer(config: KioskConfig) -> str:
    status = open_printer(config).status()
    if not status.can_print:
        raise NotReady(both(f"printer.{status}"))
    return str(status)


def _camera(config: KioskConfig) -> str:
    camera = open_camera(config)
    try:
        shots = camera.capture()
    finally:
        camera.close()
    if isinstance(shots, CameraFault):
        raise NotReady(both(f"camera.{shots}"))
    return f"{len(shots[0].data) // 1024} KiB"


def _clock(_config: KioskConfig) -> str:
    now = system_clock()
    seen = f"{datetime.fromtimestamp(now.unix, UTC):%Y-%m-%d %H:%M} UTC, {now.quality}"
    if now.quality is not ClockQuality.SYNCHRONISED or datetime.fromtimestamp(now.unix, UTC).year < PROGRAM_YEAR:
        raise NotReady(seen)
    return seen


CHECKS: tuple[tuple[str, Check], ...] = (
    ("model", _model),
    ("forms", _forms),
    ("trust", _trust),
    ("key", _key),
    ("ledger", _ledger),
    ("space", _space),
    ("camera", _camera),
    ("printer", _printer),
    ("clock", _clock),
)


def examine(path: Path) -> Iterator[Finding]:
    """Every finding about the kiosk with this configuration; only the first when the configuration does not load."""
    try:
        config = load_config(path)
    except Refused as refusal:
        yield Finding("config", False, both(f"error.{refusal.code}", **refusal.details))
        return
    yield Finding("config", True, f"{config.tps.code}, {config.mode}")
    for name, check in CHECKS:
        yield _find(name, check, config)


def _find(name: str, check: Check, config: KioskConfig) -> Finding:
    try:
        return Finding(name, True, check(config))
    except Refused as refusal:
        return Finding(name, False, both(f"error.{refusal.code}", **refusal.details))
    except (NotReady, OSError) as problem:
        return Finding(name, False, str(problem))


@click.command("selftest")
@click.option("--config", "path", type=click.Path(path_type=Path), default="/etc/c1kiosk/kiosk.toml", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Machine output instead of sentences.")
def selftest_command(path: Path, as_json: bool) -> None:
    """Say READY, or NOT READY and why."""
    findings = list(examine(path))
    ready = bool(findings) and all(finding.passed for finding in findings)
    if as_json:
        rows = [{"check": entry.name, "passed": entry.passed, "seen": entry.seen} for entry in findings]
        click.echo(json.dumps({"ready": ready, "checks": rows}, ensure_ascii=False, indent=1))
    else:
        for entry in findings:
            click.echo(f"[{'v' if entry.passed else 'x'}] {both('selftest.' + entry.name)}: {entry.seen}")
        click.echo(both("selftest.ready" if ready else "selftest.not-ready"))
    sys.exit(0 if ready else 1)
