"""A kiosk is to be updated while its polling station is open, or while nobody can tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware.day import day as days
from firmware.day.day import Checked, Day, Moment
from firmware.errors import Refused
from firmware.ledger.idle import check_idle
from firmware.ledger.store import Ledger

MORNING, EVENING = Moment(1_900_000_000, "synchronised"), Moment(1_900_050_000, "synchronised")


def _opened() -> Day:
    return Day().opened((Checked("tps", True, "3273250008001"),), 4, 0, MORNING)


def _asked(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "firmware.ledger.idle", "--ledger", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_update_between_opening_and_closing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        days.save(_opened(), ledger)
        while_it_runs = _asked(tmp_path)
    assert (while_it_runs.returncode, while_it_runs.stdout) == (1, "")
    assert while_it_runs.stderr.startswith("day-open: ")
    assert _asked(tmp_path).returncode == 1


def test_an_update_after_the_day(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert check_idle(tmp_path).number == 0
        days.save(_opened().closed(EVENING), ledger)
    assert check_idle(tmp_path).number == 1
    assert _asked(tmp_path).returncode == 0


def test_the_ledger_cannot_say(tmp_path: Path) -> None:
    missing, damaged, draft = tmp_path / "missing", tmp_path / "damaged", tmp_path / "draft"
    for folder in (damaged, draft):
        with Ledger.open(folder) as ledger:
            ledger.save_draft(days.KEY, b"{}}")
    (damaged / "ledger.sqlite").write_bytes(b"not a ledger" * 1000)
    for folder, code in ((missing, "ledger-missing"), (damaged, "ledger-fault"), (draft, "session-damaged")):
        with pytest.raises(Refused) as refusal:
            check_idle(folder)
        assert refusal.value.code == code
        answer = _asked(folder)
        assert answer.returncode == 1 and answer.stderr.startswith(f"{code}: ")
