"""The command `c1kiosk`. Each command lives beside the room it belongs to and is loaded only when it is called.

Exit codes: 0 done, 1 refused (with a code and a sentence), 2 wrong use.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import click

from firmware.errors import Refused

COMMANDS = {
    "read": "firmware.reading:read_command",
    "digits": "firmware.reading:digits_command",
    "form": "firmware.forms.command:form_command",
    "verify": "firmware.signing.command:verify_command",
    "journal": "firmware.ledger.command:journal_command",
    "custody": "firmware.signing.custody_command:custody_command",
    "bundle": "firmware.signing.bundling:bundle_command",
    "pull": "firmware.uplink.pull:pull_command",
    "witness-page": "firmware.signing.witness.command:witness_page_command",
    "demo": "tests.simulators.demo:demo_command",
    "selftest": "firmware.selftest.command:selftest_command",
    "target": "firmware.selftest.command:target_command",
    "run": "firmware.processes:run_command",
}

SIMULATORS = "tests.simulators"
"""Only a checkout has them: what an installation consists of has no command of theirs."""


class LazyGroup(click.Group):
    """Imports a command's module when it is used: `verify` needs no camera and no model."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order of the table."""
        return [name for name, target in COMMANDS.items() if _belongs_here(target)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None when there is no such name. Raises Refused("program-incomplete")."""
        target = COMMANDS.get(cmd_name)
        if target is None or not _belongs_here(target):
            return None
        module, attribute = target.split(":")
        try:
            command: Any = getattr(importlib.import_module(module), attribute)
        except ImportError as problem:
            raise Refused("program-incomplete", module=problem.name or module) from problem
        return command if isinstance(command, click.Command) else None


def _belongs_here(target: str) -> bool:
    if not target.startswith(SIMULATORS):
        return True
    try:
        return importlib.util.find_spec(SIMULATORS) is not None
    except ModuleNotFoundError:
        return False


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="c1kiosk")
def cli() -> None:
    """C1 Kiosk: read, check, sign, print and forward the results form of a polling station."""


def main() -> None:
    """Entry point: turns a refusal into its sentence and exit status 1."""
    from firmware.messages import both

    try:
        cli.main(standalone_mode=True)
    except Refused as refusal:
        click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
        sys.exit(1)
