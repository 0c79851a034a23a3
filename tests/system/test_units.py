"""The systemd units: they parse, they start our commands, and each is shut in as tightly as its privilege allows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from firmware.alive import PATIENCE_SECONDS, SELF_CHECKS
from firmware.heartbeat import BEATS_IN_TIME
from firmware.processes import PROCESSES

UNITS = Path(__file__).parents[2] / "systemd"
MOST_EXPOSED = 20
"""Ten times the exposure level of `systemd-analyze security` that no unit may exceed."""
SCREEN_EXPOSED = 25
"""The browser's unit: it shuts its own pages in, which takes namespaces, and it draws on the graphics card."""

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


def test_a_unit_is_exposed(unit: Path, most: int = MOST_EXPOSED) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", str(unit)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_browser_is_exposed() -> None:
    test_a_unit_is_exposed(UNITS / "c1kiosk-screen.service", SCREEN_EXPOSED)


def test_a_process_is_not_started_with_the_kiosk() -> None:
    wanted = set((UNITS / "c1kiosk.target").read_text(encoding="utf-8").split())
    assert {f"c1kiosk-{process}.service" for process in PROCESSES} <= {word.removeprefix("Wants=") for word in wanted}


def test_a_service_is_given_up_or_is_watched_by_nobody(unit: Path) -> None:
    """systemd gives up after five failures in ten seconds, unless it is told otherwise."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    assert {"StartLimitIntervalSec=0", "Restart=always", "Type=notify", "LimitCORE=0"} <= set(lines)
    assert any(line.startswith("WatchdogSec=") for line in lines)


def test_the_watchdog_barks_before_a_service_could_answer() -> None:
    """Three self-checks fit into its patience, each with the patience of its own."""
    for process in SELF_CHECKS:
        text = (UNITS / f"c1kiosk-{process}.service").read_text(encoding="utf-8")
        found = re.search("^WatchdogSec=([0-9]+)$", text, re.MULTILINE)
        assert found and int(found[1]) >= BEATS_IN_TIME * PATIENCE_SECONDS
