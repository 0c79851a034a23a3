"""`make endurance`: 2,000 captures with random faults; writes endurance.json, memory.png and log.txt.

Exit code 1 when an answer did not fit its fault, or when a process, a descriptor, memory or a segment was left.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from firmware.processes import log_to_stderr
from tests.endurance.plot import draw
from tests.endurance.run import Sample, endure

CAPTURES = 2000
OUT = Path("build/endurance")


@click.command()
@click.argument("captures", type=click.IntRange(10), default=CAPTURES)
@click.option("--seed", default=1, show_default=True, help="Which faults, and when.")
@click.option("--out", default=OUT, type=click.Path(file_okay=False, path_type=Path), help="Where all of it goes.")
def main(captures: int, seed: int, out: Path) -> None:
    """Captures in a row, with faults."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("wb") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    log_to_stderr()
    with tempfile.TemporaryDirectory() as folder:
        outcome = endure(captures, seed, Path(folder) / "desk", _tell)
    figures = {**asdict(outcome), "growth_bytes": outcome.growth_bytes, "failures": outcome.failures}
    (out / "endurance.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw(out / "memory.png", outcome)
    click.echo(json.dumps({name: value for name, value in figures.items() if name != "samples"}, indent=1))
    sys.exit(1 if outcome.failures else 0)


def _tell(sample: Sample) -> None:
    if sample.captures % 100 == 0:
        click.echo(
            f"{sample.captures:5d} captures  {sample.seconds:4.0f} s  {sample.kiosk_bytes / 1e6:6.1f} MB  "
            f"{sample.descriptors} descriptors  {sample.processes} processes"
        )


if __name__ == "__main__":
    main()
