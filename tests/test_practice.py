"""The practice forms that are shipped: what a trainer prints is read, and what is wrong on it is found."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.cli import cli
from tests.simulators.practice import FORMS

PRACTICE = Path(__file__).parent.parent / "provisioning" / "practice"
BROKEN = {"c.hasil-ppwp-2024": {"H7"}, "c.hasil-dpr-demo": set()}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_practice_form_is_read_as_its_answers_say(form: str, tmp_path: Path) -> None:
    with (PRACTICE / "answers.csv").open(encoding="utf-8", newline="") as file:
        answers = {row["field"]: int(row["value"]) for row in csv.DictReader(file) if row["form"] == form}
    pages = sorted(str(path) for path in PRACTICE.glob(f"{form}-page*.png"))
    CliRunner().invoke(cli, ["read", *pages, "--json", str(tmp_path / "out.json")])
    out = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert {name: field["value"] for name, field in out["fields"].items()} == answers
    failed = {check["rule"] for check in out["checks"] if check["ok"] is False}
    assert failed == BROKEN[form]
