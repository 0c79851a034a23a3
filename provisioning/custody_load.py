"""A truckload of devices for one hand-over: a CSV with a row for each, as a scanner of labels and a person fill it in.

    label,seal,seal_state,resealed,condition
    C1K1:C1-0001:00112233445566ff,S-0001,intact,,

seal_state (intact), resealed and condition may be left out. What a row says replaces what was typed for all.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from firmware.errors import VerificationRefused

MAX_DEVICES = 5_000
"""Of one load: a kabupaten with the most TPS has three."""
STATES = ("intact", "broken", "missing")
_NEEDED, _MORE = ("label", "seal"), ("seal_state", "resealed", "condition")


def read(path: Path, said: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said of each device of the load. Raises VerificationRefused("custody-load-file")."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise VerificationRefused("custody-load-file", file=str(path), problem=str(error)) from error
    problem = _problem(rows)
    if problem:
        raise VerificationRefused("custody-load-file", file=str(path), problem=problem)
    return [said | _of(row) for row in rows]


def _problem(rows: list[dict[str, str]]) -> str:
    if not 1 <= len(rows) <= MAX_DEVICES:
        return f"{len(rows)} rows"
    strange = [str(name) for name in rows[0] if name not in (*_NEEDED, *_MORE)]
    if strange or any(name not in rows[0] for name in _NEEDED):
        return f"columns are {', '.join((*_NEEDED, *_MORE))}"
    labels = [row["label"] for row in rows]
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values() or not row["label"] or not row["seal"]:
            return f"row {number}: a cell is missing or too many"
        if (row.get("seal_state") or STATES[0]) not in STATES:
            return f"row {number}: seal_state is one of {', '.join(STATES)}"
        if labels.count(row["label"]) > 1:
            return f"row {number}: {row['label']} stands twice"
    return ""


def _of(row: dict[str, str]) -> dict[str, Any]:
    return {
        "load": True,
        "label": row["label"],
        "picture": None,
        "seal": row["seal"],
        "seal_state": row.get("seal_state") or STATES[0],
        "resealed": row.get("resealed") or None,
        "condition": row.get("condition") or "",
    }
