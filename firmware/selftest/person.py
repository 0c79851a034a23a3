"""The person beside the kiosk, whom some checks need."""

from __future__ import annotations

from typing import Protocol

import click

from firmware.messages import sentence


class Person(Protocol):
    """Is told what to do, and asked what only eyes can see."""

    def tell(self, code: str, **values: str | int) -> None:
        """The sentence `selftest.<code>`."""

    def agrees(self, code: str) -> bool:
        """The answer to the question `selftest.<code>`; False when there is none."""


class AtTerminal:
    """Whoever sits at the terminal. All of it goes to standard error: standard output is for the page alone."""

    def __init__(self, language: str) -> None:
        self._language = language

    def tell(self, code: str, **values: str | int) -> None:
        """Prints it."""
        click.echo(f"> {sentence(f'selftest.{code}', self._language, **values)}", err=True)

    def agrees(self, code: str) -> bool:
        """Yes or no; the end of the input is no."""
        try:
            return click.confirm(f"> {sentence(f'selftest.{code}', self._language)}", err=True)
        except click.Abort:
            return False
