"""A device that claims to be ready and is not: what nobody has set up, and what the verdict may say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.cli import cli
from firmware.errors import Refused
from firmware.messages import LANGUAGES
from firmware.selftest.devices import NotToBeHad
from firmware.selftest.finding import Level, Outcome, Verdict, good, verdict_of
from firmware.selftest.kiosk import Kiosk, ToolFailed
from firmware.selftest.page import says
from firmware.selftest.plan import PLAN, Wish, attempt
from firmware.selftest.tree import Unknown
from tests.test_config import write


def run(path: Path, *options: str) -> tuple[int, dict[str, str]]:
    answer = CliRunner().invoke(cli, ["selftest", "--config", str(path), "--json", *options])
    document = json.loads(answer.stdout)
    assert document["ready"] is (answer.exit_code == 0)
    return answer.exit_code, {row["check"]: row["level"] for row in document["checks"]}


def test_nothing_is_set_up(tmp_path: Path) -> None:
    assert run(tmp_path / "kiosk.toml") == (1, {"config": "failed"})


def test_only_the_configuration_is_there(tmp_path: Path) -> None:
    """Every check that needs a device, a key or a board has failed: none of them is passed for want of looking."""
    status, levels = run(write(tmp_path), "--quick")
    assert status == 1
    passed = {name for name, level in levels.items() if level == "passed"}
    assert passed <= {"config", "memory", "uplink"}
    left_out = {"collectors", "focus", "strip", "button", "lamp", "training"}
    assert {name for name, level in levels.items() if level == "not-examined"} == left_out


P, N, S, F = Level.PASSED, Level.NOTE, Level.SKIPPED, Level.FAILED


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ([], Verdict.NOT_READY),
        ([S, S], Verdict.NOT_READY),
        ([P, F], Verdict.NOT_READY),
        ([P, F, S], Verdict.NOT_READY),
        ([P, S], Verdict.PARTLY),
        ([P, N], Verdict.READY),
    ],
)
def test_nothing_is_ready_by_default(levels: list[Level], verdict: Verdict) -> None:
    assert verdict_of(levels) is verdict


@pytest.mark.parametrize(
    "problem",
    [
        Refused("ledger-full"),
        Refused("a-code-without-a-sentence"),
        Refused("config-unreadable"),
        OSError("gone"),
        Unknown("/sys"),
        ToolFailed("systemctl"),
        NotToBeHad("station-busy"),
        ZeroDivisionError(),
    ],
)
def test_a_check_that_could_not_be_made_has_failed(problem: Exception) -> None:
    def check(_kiosk: Kiosk) -> Outcome:
        raise problem

    kiosk: Kiosk = None  # type: ignore[assignment]
    finding = attempt(check, kiosk).named("model")
    assert finding.level is Level.FAILED
    assert all(says(finding, language) for language in LANGUAGES), "and there is a sentence for it"
    assert attempt(lambda _kiosk: good("fine"), kiosk).level is Level.PASSED


def test_what_somebody_leaves_out() -> None:
    """Quick leaves out people, network and the dry run; no hands only people; `--only` everything else."""
    names = {entry.name for entry in PLAN}
    wanted = lambda wish: {entry.name for entry in PLAN if wish.wants(entry)}  # noqa: E731
    assert wanted(Wish()) == names
    assert names - wanted(Wish(hands=False)) == {"focus", "strip", "button", "lamp"}
    assert names - wanted(Wish(quick=True)) == {"focus", "strip", "button", "lamp", "collectors", "training"}
    assert wanted(Wish(only=("camera", "disk"))) == {"camera", "focus", "disk"}


def test_a_device_without_simulators_passes_for_half_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to a checkout, and so does the demo: an installed program names every command but that one."""
    monkeypatch.setitem(sys.modules, "tests.simulators", None)
    said = CliRunner().invoke(cli, ["--help"], catch_exceptions=False).output
    assert "selftest" in said
    assert "demo" not in said
    assert CliRunner().invoke(cli, ["demo"]).exit_code == 2


def test_a_half_installed_program_cannot_even_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library is missing, so the self-test itself does not load: that has a name and a next step, too."""
    monkeypatch.setitem(sys.modules, "firmware.selftest.command", None)
    with pytest.raises(Refused) as refusal:
        CliRunner().invoke(cli, ["selftest", "--config", str(write(tmp_path))], catch_exceptions=False)
    assert (refusal.value.code, refusal.value.details) == (
        "program-incomplete",
        {"module": "firmware.selftest.command"},
    )
