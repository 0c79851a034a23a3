"""Chooses from which posterior a number is read without asking, and writes it into the model's manifest with its curve.

`python -m tests.evaluation.choose`, after training and before `make evaluate`: rendered TPS of the medium level that no
figure is reported on. Both what is measured and what the posteriors themselves promise must keep the target: with some
ten thousand fields, no error seen is no proof of none.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from firmware.digit_model.manifest import MANIFEST, Manifest, Numbers, Point
from firmware.reading import MODELS
from tests.evaluation import runner
from tests.evaluation.curve import TARGET
from tests.evaluation.datasets import CHOICE_SEED, rendered_tasks
from tests.evaluation.seen import Field

LEVEL = "medium"
FIELDS = 10_000
THRESHOLDS = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 0.9999)


def measured(fields: Sequence[Field]) -> tuple[Point, ...]:
    """What happens at every threshold."""
    found = []
    for threshold in THRESHOLDS:
        read = [field for field in fields if field.open and field.confidence >= threshold]
        promised = sum(1.0 - field.confidence for field in read)
        found.append(Point(threshold, len(read), sum(not field.right for field in read), round(promised, 3)))
    return tuple(found)


def chosen(curve: Sequence[Point], fields: int, target: float = TARGET) -> float:
    """The lowest threshold from which on every higher one keeps the target too; the highest when none does."""
    allowed = target * fields
    best = curve[-1].threshold
    for point in reversed(curve):
        if max(point.silent, point.promised) > allowed:
            break
        best = point.threshold
    return best


@click.command()
@click.option("--fields", default=FIELDS, show_default=True, help="Rendered fields.")
@click.option("--workers", default=runner.default_workers(), show_default=True, help="Processes, one thread each.")
@click.option("--models", default=MODELS, type=click.Path(file_okay=False, path_type=Path), help="Of digits.json.")
def main(fields: int, workers: int, models: Path) -> None:
    """Measures, chooses, and writes the manifest."""
    tasks = rendered_tasks(LEVEL, fields, CHOICE_SEED)
    store = runner.Store.of_program(Path("build") / "choose")
    with click.progressbar(
        runner.run(tasks, store, workers), length=len(tasks), file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        seen = [field for entry in bar for field in entry.fields]
    curve = measured(seen)
    accept = chosen(curve, len(seen))
    on = f"rendered TPS of the {LEVEL} level, seeds from {CHOICE_SEED} on"
    manifest = msgspec.json.decode((models / MANIFEST).read_bytes(), type=Manifest)
    manifest = msgspec.structs.replace(manifest, numbers=Numbers(accept, TARGET, on, len(seen), curve))
    (models / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    for point in curve:
        click.echo(f"{point.threshold:<8}{point.read:>7} read {point.silent:>4} silent {point.promised:>8} promised")
    click.echo(f"accept_number {accept} of {len(seen)} fields")


if __name__ == "__main__":
    main()
