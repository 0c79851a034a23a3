"""`make evaluate`: measures reading on every data set and writes report.json, report.md and plots."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tests.evaluation import datasets, plots, report, runner
from tests.evaluation.seen import Loose, Tps

OUT = datasets.ROOT / "build" / "evaluation"
FIELDS = 4000
"""A level: some 400 TPS in all, which two cores make and read in ten minutes. The share of one silent error in 10,000
is seen from 30,000 on."""


def _levels(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in value.split(",") if part.strip())
    wrong = [level for level in chosen if level not in datasets.LEVELS]
    if wrong:
        raise click.BadParameter(f"no level {', '.join(wrong)}; there are {', '.join(datasets.LEVELS)}")
    return chosen


@click.command()
@click.option("--fields", default=FIELDS, show_default=True, help="Rendered fields a level.")
@click.option("--levels", default=",".join(datasets.LEVELS), show_default=True, callback=_levels, help="By comma.")
@click.option("--real/--no-real", default=True, help="Whether real forms and digits are measured where they are.")
@click.option("--workers", default=runner.default_workers(), show_default=True, help="Processes, one thread each.")
@click.option("--crops", type=click.Path(file_okay=False, path_type=Path), help="Pictures of asked and wrong fields.")
@click.option("--out", default=OUT, type=click.Path(file_okay=False, path_type=Path), help="Where all of it goes.")
def main(fields: int, levels: tuple[str, ...], real: bool, workers: int, crops: Path | None, out: Path) -> None:
    """Measures reading on real and rendered forms. A run that was stopped goes on where it was."""
    missing = "" if datasets.available() else str(datasets.DATA)
    if missing:
        click.echo(
            f"real forms and digits: {missing} is missing (set C1KIOSK_DATA); only rendered forms are read", err=True
        )
    measured = real and not missing
    tasks = [task for level in levels for task in datasets.rendered_tasks(level, fields)]
    tasks = [*(datasets.real_tasks() if measured else []), *tasks]
    program = runner.program_digest()
    seen = _read(tasks, runner.Store.of_program(out), workers, crops)
    found = report.make(program, runner.model().sha256, missing, seen, _loose() if measured else {})
    report.write(out, found)
    plots.write(out, found)
    click.echo((out / report.MARKDOWN).read_text(encoding="utf-8"))
    click.echo(f"written: {out}", err=True)


def _read(tasks: Sequence[datasets.Task], store: runner.Store, workers: int, crops: Path | None) -> list[Tps]:
    entries = runner.run(tasks, store, workers, crops)
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        entries, length=len(tasks), label="polling stations", show_pos=True, file=sys.stderr, hidden=hidden
    ) as bar:
        return list(bar)


def _loose() -> dict[str, list[Loose]]:
    """Loose digit boxes; a minute."""
    click.echo("loose digit boxes", err=True)
    boxes = datasets.held_back_boxes()
    return {
        "boxes 2024, held back, labels as published": boxes["published"],
        "boxes 2024, held back, labels corrected": boxes["corrected"],
        "CVL digits on plain cells": list(datasets.cvl_digits(runner.model())),
    }


if __name__ == "__main__":
    main()
