"""How the steps say what they did: refusals as everywhere, tables, one page of result."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click

from firmware.errors import Refused
from firmware.messages import both


class Errand(click.Command):
    """A single command that says a refusal as every command of this program does, and exits 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Code and sentence."""
        try:
            return super().invoke(ctx)
        except Refused as refusal:
            click.echo(refusal_line(refusal), err=True)
            sys.exit(1)


def refusal_line(refusal: Refused) -> str:
    """Code and sentence."""
    return f"{refusal.code}: {both('error.' + refusal.code, **refusal.details)}"


def page(title: str, rows: Iterable[tuple[str, str]], verdict: str) -> None:
    """One page of result: a title, names and values, and one line that says what to do next."""
    click.echo(title)
    for name, value in rows:
        click.echo(f"  {name:<14}{value}")
    click.echo(verdict)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as what stands in them."""
    everything = [list(head), *map(list, rows)]
    widths = [max(len(row[column]) for row in everything) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]
