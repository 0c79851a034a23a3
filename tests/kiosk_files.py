"""The files that tell a kiosk what it is, for tests that start its real processes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors import parts


def write_kiosk(folder: Path, key: dict[str, str]) -> Path:
    """A kiosk.toml with this `[key]`, and the election of the test vectors; returns its path."""
    top = {"tps": parts.TPS, "election": "election.json", "state": "state", "run": "run"}
    tables = {
        "camera": {"driver": "picamera2"},
        "printer": {"driver": "escpos-serial", "device": "/dev/ttyUSB0"},
        "key": key,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in top.items()]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{entry} = {json.dumps(value)}" for entry, value in table.items())]
    (folder / "election.json").write_bytes(parts.election())
    path = folder / "kiosk.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
