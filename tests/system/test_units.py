"""The systemd units: they parse, they start our commands, and each is shut in as tightly as its privilege allows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from firmware.processes import PROCESSES

UNITS = Path(__file__).parents[2] / "systemd"
MOST_EXPOSED = 20
"""Ten times the exposure level of `systemd-analyze security` that no unit may exceed."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"),
]


@pytest.fixture(params=sorted(PROCESSES))
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit of a process."""
    return copied(request.param, tmp_path)


def copied(process: str, folder: Path) -> Path:
    """A unit's file whose program is one that exists here, since `verify` looks for it."""
    source = UNITS / f"c1kiosk-{process}.service"
    text = source.read_text(encoding="utf-8")
    start = f"ExecStart=/opt/c1kiosk/.venv/bin/c1kiosk run {process} --config /etc/c1kiosk/kiosk.toml"
    assert start in text.splitlines()
    copy = folder / source.name
    copy.write_text(text.replace(start, f"ExecStart={shutil.which('true')}"), encoding="utf-8")
    return copy


@pytest.fixture(params=["signer-sealed.conf", "signer-tpm.conf"])
def signer_with_key(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The signer's unit with what it needs for a key that is not a plain file."""
    copy = copied("signer", tmp_path)
    copy.write_text(copy.read_text(encoding="utf-8") + (UNITS / request.param).read_text(encoding="utf-8"), "utf-8")
    return copy


def test_the_signers_key_lets_others_in(signer_with_key: Path) -> None:
    test_a_unit_does_not_parse(signer_with_key)
    test_a_unit_is_exposed(signer_with_key)


def test_a_unit_does_not_parse(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert unit.name not in done.stderr
    assert done.returncode == 0


def test_a_unit_is_exposed(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(unit)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
