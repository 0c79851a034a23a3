"""Writes what was measured on whole forms into the model card: `python -m tests.evaluation.card FOLDER...`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from firmware.reading import MODELS
from tests.evaluation import report

CARD = MODELS / "CARD.md"
BEGIN, END = "<!-- forms: begin (written by tests.evaluation.card) -->", "<!-- forms: end -->"


def filled(card: str, folders: Sequence[Path]) -> str:
    """The card with the tables of these reports between its marks. Raises ValueError when it has none."""
    head, begin, rest = card.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the card has no place for {BEGIN}")
    return f"{head}{BEGIN}\n\n" + "\n".join(report.card_section(folder) for folder in folders) + f"\n{END}{tail}"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    """Fills the card with the reports in FOLDERS, as `make evaluate` left them."""
    CARD.write_text(filled(CARD.read_text(encoding="utf-8"), folders), encoding="utf-8")


if __name__ == "__main__":
    main()
