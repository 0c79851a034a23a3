"""Is anything worse than before the update? Run on the kiosk, before it and after it:

    python -m provisioning.image.health now > before.json      the units that are active, the checks that pass
    python -m provisioning.image.health compare before.json    exit 0: nothing is worse; 1: what is, a line each

What was not good before does not have to be good now: a kiosk may be mended by an update. The self-test is the quick
one, without strip and dry run. What the place decides and no release can mend is not compared: a Pi without a battery
does not know the time until a time server tells it, and it is warm from the update.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import msgspec

UNITS = tuple(f"c1kiosk-{name}.service" for name in ("signer", "station", "endpoint", "uplink", "screen"))
SELFTEST = ("/opt/c1kiosk/.venv/bin/c1kiosk", "selftest", "--quick", "--json")
SURROUNDINGS = frozenset({"clock", "battery", "power", "temperature", "collectors"})
"""Checks of the self-test that say nothing about the release."""
SELFTEST_SECONDS = 120
"""Ten times what the quick one takes on a Pi 4 with every picture of a day to read."""


class _Check(msgspec.Struct):
    check: str
    passed: bool


class _Page(msgspec.Struct):
    """What `c1kiosk selftest --json` says, as far as it matters here."""

    checks: tuple[_Check, ...]


class Health(msgspec.Struct, frozen=True):
    """What is good."""

    units: tuple[str, ...]
    checks: tuple[str, ...]


def worse(before: Health, now: Health) -> tuple[str, ...]:
    """What was good and is not."""
    units, checks = set(before.units) - set(now.units), set(before.checks) - set(now.checks) - SURROUNDINGS
    return (*(f"{unit} is not active" for unit in sorted(units)), *(f"{check} fails" for check in sorted(checks)))


def look(selftest: tuple[str, ...] = SELFTEST) -> Health:
    """What is good now. A self-test that does not answer has no good checks."""
    return Health(tuple(unit for unit in UNITS if _active(unit)), _passed(selftest))


def _active(unit: str) -> bool:
    try:
        return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0  # noqa: S603, S607
    except OSError:  # no systemd, so nothing is active
        return False


def _passed(selftest: tuple[str, ...]) -> tuple[str, ...]:
    try:
        done = subprocess.run(selftest, check=False, capture_output=True, timeout=SELFTEST_SECONDS)  # noqa: S603
        page = msgspec.json.decode(done.stdout, type=_Page)
    except (OSError, subprocess.TimeoutExpired, msgspec.MsgspecError) as problem:
        click.echo(f"the self-test does not answer: {problem}", err=True)
        return ()
    return tuple(entry.check for entry in page.checks if entry.passed)


@click.group()
def main() -> None:
    """Judge a slot on trial."""


@main.command("now")
def now_command() -> None:
    """Write down what is good."""
    click.echo(msgspec.json.encode(look()).decode())


@main.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def compare_command(before: Path) -> None:
    """Say what is worse than BEFORE."""
    found = worse(msgspec.json.decode(before.read_bytes(), type=Health), look())
    for line in found:
        click.echo(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
