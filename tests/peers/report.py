"""The result of one run as a Markdown table and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.peers.scoring import COVERAGES, Score


@dataclass(frozen=True, slots=True)
class Row:
    """One reader with its figures, or the reason why it has none."""

    reader: str
    version: str
    score: Score | None
    milliseconds: float | None
    """Median processor time a cell, one thread."""
    missing: str | None = None


def table(rows: Sequence[Row], ours: float) -> str:
    """Markdown; `ours` is our own time in milliseconds, to which the others' are held."""
    parts = [f"{part:.0%}" for part in COVERAGES]
    heads = ["reader", "answered", "right of all", "wrong of answered"]
    heads += [f"wrong at {part}" for part in parts] + ["crosses and unclear read as digit", "ms a cell", "time to ours"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(_cells(row, parts, ours, len(heads)))} |" for row in rows]
    return "\n".join(lines)


def _cells(row: Row, parts: Sequence[str], ours: float, columns: int) -> list[str]:
    name = f"{row.reader} {row.version}".strip()
    if row.score is None or row.milliseconds is None:
        return [name, f"not installed: {row.missing}", *[""] * (columns - 2)]
    score = row.score
    wrong = len(score.wrong)
    silent = [score.silent[part] for part in parts]
    return [
        name,
        f"{score.answered / score.digits:.1%}",
        f"{score.right / score.digits:.2%}",
        f"{wrong} ({wrong / score.answered:.2%})" if score.answered else "none answered",
        *("answers fewer" if count is None else str(count) for count in silent),
        f"{score.others_as_digit} of {score.others}",
        f"{row.milliseconds:.2f}",
        f"{row.milliseconds / ours:.1f}",
    ]


def as_json(rows: Sequence[Row], lookalikes: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Everything that was measured, for a program."""
    return {
        "machine": platform.machine(),
        "threads": 1,
        "readers": [asdict(row) for row in rows],
        "lookalikes": lookalikes,
    }
