"""What the commands of the office share: how a refusal is said, and where passphrases come from."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from firmware.errors import Refused
from firmware.messages import both


class Desk(click.Group):
    """Says a refusal as every command of this program does."""

    def invoke(self, ctx: click.Context) -> object:
        """Code and sentence, exit 1."""
        try:
            return super().invoke(ctx)
        except Refused as refusal:
            click.echo(f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}", err=True)
            sys.exit(1)


def passphrase(ctx: click.Context, prompt: str, *, least: int = 0) -> bytes:
    """The next line of the descriptor in `ctx.obj`, or asked for; `least` characters, twice, when it is a new one."""
    source: BinaryIO | None = ctx.obj
    if source is not None:
        return source.readline().rstrip(b"\n")
    hint = f" (at least {least} characters)" if least else ""
    return str(click.prompt(prompt + hint, hide_input=True, confirmation_prompt=bool(least), err=True)).encode()
