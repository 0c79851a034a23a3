"""A device that claims to be ready and is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware import selftest
from firmware.config import KioskConfig
from firmware.errors import Refused
from tests.test_config import write


def run(path: Path) -> tuple[int, dict[str, bool]]:
    answer = CliRunner().invoke(selftest.selftest_command, ["--config", str(path), "--json"])
    document = json.loads(answer.output)
    assert document["ready"] is (answer.exit_code == 0)
    return answer.exit_code, {row["check"]: row["passed"] for row in document["checks"]}


def test_nothing_is_set_up(tmp_path: Path) -> None:
    assert run(tmp_path / "kiosk.toml") == (1, {"config": False})


def test_only_the_configuration_is_there(tmp_path: Path) -> None:
    status, checks = run(write(tmp_path))
    assert status == 1
    assert checks["config"]
    assert [name for name in ("model", "trust", "key", "ledger", "space", "camera", "printer") if checks[name]] == []


@pytest.mark.parametrize("problem", [None, Refused("ledger-full"), OSError("gone"), selftest.NotReady("late")])
def test_one_check_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception | None) -> None:
    def last(_config: KioskConfig) -> str:
        if problem:
            raise problem
        return "good"

    monkeypatch.setattr(selftest, "CHECKS", (("model", lambda _config: "good"), ("clock", last)))
    assert run(write(tmp_path)) == (1 if problem else 0, {"config": True, "model": True, "clock": problem is None})


def test_every_check_has_a_name_for_people(tmp_path: Path) -> None:
    answer = CliRunner().invoke(selftest.selftest_command, ["--config", str(write(tmp_path))])
    assert answer.exit_code == 1
    assert "NOT READY" in answer.output
    assert len(answer.output.strip().splitlines()) == len(selftest.CHECKS) + 2
