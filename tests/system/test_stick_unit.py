"""The unit and the rule that put a bundle onto a stick: they parse, and the writer is shut in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.test_units import UNITS, test_a_unit_does_not_parse, test_a_unit_is_exposed

PYTHON = "/opt/c1kiosk/.venv/bin/python"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"),
]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here, since `verify` looks for it."""
    source = UNITS / "c1kiosk-stick@.service"
    text = source.read_text(encoding="utf-8")
    modules = ("system_disk", "stick_steps write", "stick_steps release")
    steps = [f"{PYTHON} -m firmware.uplink.{module} %i" for module in modules]
    assert all(step in text for step in steps)
    copy = tmp_path / source.name
    copy.write_text(text.replace(PYTHON, str(shutil.which("true"))), encoding="utf-8")
    return copy


def test_the_sticks_unit_is_wrong_or_open(unit: Path) -> None:
    test_a_unit_does_not_parse(unit)
    test_a_unit_is_exposed(unit)


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="no udevadm here")
def test_the_sticks_rule_does_not_parse() -> None:
    if "verify" not in subprocess.run(["udevadm", "--help"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this udevadm cannot check rules")
    rule = UNITS / "99-c1kiosk-stick.rules"
    subprocess.run(["udevadm", "verify", "--no-style", str(rule)], capture_output=True, check=True)
