"""The signed report of a self-test: what may be signed, what anybody can check, and what must not pass for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycddl
import pytest
from click.testing import CliRunner

from firmware.cli import cli
from firmware.errors import Refused
from firmware.receipt.strip import PAPER_COLUMNS, Code
from firmware.receipt.trial import compose
from firmware.selftest import report
from firmware.selftest.finding import Finding, Level
from firmware.selftest.page import COLUMNS, page
from firmware.selftest.plan import PLAN
from firmware.signing import cose, receipt_code
from firmware.signing.client import SignerClient
from firmware.signing.cose import MessageType
from firmware.signing.evidence import examine
from firmware.signing.selftest_report import ReportEntry, check_report
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import VerifiedSelfTest
from tests.readied import TPS, Readied, photograph, readied, strip_picture

CDDL = (Path(cose.__file__).parent / "record.cddl").read_text(encoding="utf-8")
WRONG = Finding("printer", Level.FAILED, "paper-out", "printer.paper-out")
LEFT_OUT = Finding("lamp", Level.SKIPPED)
TOLD = Finding("custody", Level.NOTE, "", "selftest.custody-none")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readied]:
    with readied(tmp_path_factory.mktemp("ready")) as made:
        yield made


def all_but(*others: Finding) -> list[Finding]:
    """Findings of all checks: good, unless said otherwise."""
    names = {entry.name: entry for entry in others}
    return [names.get(entry.name, Finding(entry.name, Level.PASSED, "gut")) for entry in PLAN]


def trust(ready: Readied) -> TrustRoots:
    return TrustRoots.load(ready.folder / "trust")


def verified(ready: Readied, data: bytes) -> ReportEntry:
    finding = examine("report", data, trust(ready))
    assert finding.refusal is None, finding.refusal
    assert isinstance(finding.verified, VerifiedSelfTest)
    return finding.verified.report


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        (all_but(TOLD), "ready"),
        (all_but(LEFT_OUT), "partly"),
        (all_but(WRONG, LEFT_OUT, TOLD), "not-ready"),
    ],
)
def test_a_report_says_what_was_found(ready: Readied, findings: list[Finding], verdict: str) -> None:
    data = report.signed(ready.kiosk, findings)
    said = verified(ready, data)
    assert (said.verdict, said.tps, said.release, said.board) == (verdict, TPS, "0.1.0", "d7fa31c0e2b84511")
    assert len(said.passed) + len(said.notes) + len(said.not_examined) + len(said.failed) == len(PLAN)
    pycddl.Schema(f"start = self-test\n{CDDL}").validate_cbor(cose.parse(data).payload)


def test_the_code_on_the_strip_is_the_report(ready: Readied) -> None:
    """Photographed with a camera that sees 3.3 pixels a millimetre; on narrow paper the code still fits."""
    findings = all_but(WRONG, LEFT_OUT, TOLD)
    slip = report.strip(ready.kiosk, findings, report.signed(ready.kiosk, findings))
    assert verified(ready, photograph(strip_picture(slip)).data).failed == {"printer": "paper-out"}
    for width in PAPER_COLUMNS:
        strip = compose(slip, width)
        assert [element.qr.text for element in strip.elements if isinstance(element, Code)] == [slip.code]
        assert "BELUM SIAP" in strip.text
        assert "Kertas printer habis" in " ".join(strip.text.split())


def test_nobody_signed(ready: Readied) -> None:
    """A strip without a code: what it says is said by nobody."""
    strip = compose(report.strip(ready.kiosk, all_but(), None), 576)
    assert not any(isinstance(element, Code) for element in strip.elements)


def test_anybody_checks_a_report(ready: Readied, tmp_path: Path) -> None:
    (tmp_path / "report.cose").write_bytes(report.signed(ready.kiosk, all_but(WRONG)))
    command = ["verify", "--trust", str(ready.folder / "trust"), str(tmp_path / "report.cose")]
    answer = CliRunner().invoke(cli, command)
    assert answer.exit_code == 0
    assert "failed = printer (paper-out)" in answer.output
    assert "verdict = not-ready" in answer.output
    assert "TRAINING" in answer.output


def draft(ready: Readied, **changes: Any) -> dict[str, Any]:
    return report.draft(ready.kiosk, all_but()) | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mode": "real"}, "signer-mode"),
        ({"failed": {"extra": "x"}}, "schema"),
        ({"not_examined": ["extra"]}, "schema"),
        ({"verdict": "partly"}, "schema"),
        ({"passed": []}, "schema"),
        ({"notes": {"model": "x"}}, "schema"),
        ({"failed": {"Extra": "x"}, "verdict": "not-ready"}, "schema"),
        ({"values": [1]}, "schema"),
    ],
)
def test_a_report_that_the_signer_does_not_sign(ready: Readied, changes: dict[str, Any], code: str) -> None:
    """Another world; ready although something has failed or was left out; a check twice; more than a report."""
    with pytest.raises(Refused) as refusal:
        SignerClient(ready.kiosk.config.signer_socket).report(draft(ready, **changes))
    assert refusal.value.code == code


def test_a_report_that_nobody_believes(ready: Readied) -> None:
    """The device's own key has signed it, and it says ready of a device that is not."""
    assert ready.device_key is not None
    payload = draft(ready, failed={"extra": "x"}) | {"time": {"unix": 1_800_000_000, "clock": "synchronised"}}
    data = cose.sign(payload, MessageType.SELFTEST, ready.device_key)
    assert examine("report", data, trust(ready)).refusal is not None
    with pytest.raises(Refused, match="schema"):
        check_report(payload)


@pytest.mark.parametrize("kind", [MessageType.RECORD, MessageType.RECEIPT, MessageType.ASSIGNMENT])
def test_a_report_passes_for_something_else(ready: Readied, kind: MessageType) -> None:
    assert ready.device_key is not None
    payload = draft(ready) | {"time": {"unix": 1_800_000_000, "clock": "synchronised"}}
    data = cose.sign(payload, kind, ready.device_key)
    assert examine("report", data, trust(ready)).verified is None
    real = report.signed(ready.kiosk, all_but())
    text = receipt_code.encode(real)
    assert examine("code", text.encode(), trust(ready)).refusal is None, "as the text of its code, too"


def test_one_page(ready: Readied) -> None:
    """80 columns; a kiosk that is ready fits a screen of 24 lines."""
    for language in ("id", "en"):
        lines = page("TPS 3171010001001", all_but(), language).splitlines()
        assert len(lines) <= 24
        assert lines[-1] in ("SIAP", "READY")
        broken = page("TPS 3171010001001", all_but(WRONG, LEFT_OUT, TOLD), language).splitlines()
        assert max(len(line) for line in broken) <= COLUMNS
        assert any("paper-out" in line for line in broken)


def test_the_command_signs_what_it_found(ready: Readied, tmp_path: Path) -> None:
    """No station runs, and there is no camera: the page says so, and so does the report that it signs."""
    out = tmp_path / "report.cose"
    command = ["selftest", "--config", str(ready.folder / "kiosk.toml"), "--root", str(ready.root), "--quick"]
    answer = CliRunner().invoke(cli, [*command, "--report", str(out), "--language", "en"])
    assert answer.exit_code == 1
    assert "NOT READY" in answer.stdout
    said = verified(ready, out.read_bytes())
    assert {"camera", "printer"} <= set(said.failed)
    assert {"key", "certificate", "assignment", "board", "ledger", "release", "model"} <= set(said.passed)
    assert set(said.not_examined) == {"collectors", "focus", "strip", "button", "lamp", "training"}


def test_a_report_that_cannot_be_signed_is_not_ready(ready: Readied, tmp_path: Path) -> None:
    """Whoever asked for a report and got none must not go on: only what was asked is looked at, and it has passed."""
    (tmp_path / "kiosk.toml").write_text((ready.folder / "kiosk.toml").read_text())
    for name in ("election.cose", "trust"):
        (tmp_path / name).symlink_to(ready.folder / name)
    command = ["selftest", "--config", str(tmp_path / "kiosk.toml"), "--root", str(ready.root), "--only", "model"]
    assert CliRunner().invoke(cli, command).exit_code == 3
    answer = CliRunner().invoke(cli, [*command, "--report", str(tmp_path / "report.cose")])
    assert answer.exit_code == 1
    assert "signer-unreachable" in answer.stderr
    assert not (tmp_path / "report.cose").exists()


def test_the_target_is_written(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["target", "--out", str(tmp_path / "target.pdf")])
    assert answer.exit_code == 0
    assert (tmp_path / "target.pdf").read_bytes().startswith(b"%PDF")
