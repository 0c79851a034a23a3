"""A batch: one bad device stops no other, a fault of ours neither; the same run again goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.signing.keys import Protection
from provisioning import fleet
from provisioning.batch import host_keys
from provisioning.batch.job import Job, Result
from provisioning.batch.place import Here, Ran, Ssh
from provisioning.fleet import Run, Show, desk
from provisioning.inventory import State
from tests.provisioned import Batch, make_batch

STEPS = ("enrol", "assign")
QUIET = Show(terminal=False)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return make_batch(tmp_path)


def states(run: Run) -> dict[str, str]:
    return {entry.serial: entry.code or entry.state for entry in run.progress.values()}


def test_one_bad_device_stops_no_other(batch: Batch) -> None:
    jobs = [batch.job(number) for number in (1, 2, 3, 4)]
    batch.place("C1-0002").plugged = False
    jobs[2] = replace(jobs[2], row=replace(jobs[2].row, protection=Protection.TPM))
    run = Run.of(jobs, STEPS)
    run.go(4, QUIET)
    assert states(run) == {
        "C1-0001": "done", "C1-0002": "device-unreachable", "C1-0003": "enrol-protection", "C1-0004": "done",
    }  # fmt: skip
    assert [entry.serial for entry in run.left] == ["C1-0002", "C1-0003"]
    batch.place("C1-0002").plugged = True
    jobs[2] = batch.job(3)
    again = Run.of(jobs, STEPS)
    again.go(4, QUIET)
    assert again.left == []
    assert {entry.state for entry in batch.office.inventory.devices()} == {State.ASSIGNED}


def test_a_fault_of_ours_with_one_device(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job) -> Result:
        if job.row.serial == "C1-0001":
            raise ZeroDivisionError("ours")
        return fleet.enrol(job)

    monkeypatch.setitem(fleet.STEPS, "enrol", broken)
    run = Run.of([batch.job(1), batch.job(2)], ["enrol"])
    run.go(2, QUIET)
    assert states(run) == {"C1-0001": "ZeroDivisionError", "C1-0002": "done"}


def test_steps_come_in_their_order_and_a_stopped_device_goes_no_further(batch: Batch) -> None:
    job = batch.job()
    batch.place("C1-0001").plugged = False
    run = Run.of([job], STEPS)
    run.go(1, QUIET)
    assert run.progress["C1-0001"].step == "enrol"
    assert fleet._steps("assign, enrol") == ["enrol", "assign"]


# --- as it is typed ---------------------------------------------------------------------------------------------------


def typed(batch: Batch, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(desk, [*words, "--office", str(batch.office.path)])
    return result.exit_code, result.output


def plan(batch: Batch, *rows: str) -> str:
    path = batch.folder / "plan.csv"
    path.write_text("\n".join(("serial,host,tps,seal,protection", *rows)) + "\n", encoding="utf-8")
    return str(path)


ROW = "C1-0001,10.0.0.1,3171010001002,KPU-1,plain-file"


def test_a_step_that_does_not_exist(batch: Batch) -> None:
    assert typed(batch, "run", plan(batch, ROW), "--steps", "enrol,fly")[0] == 1
    assert "steps-unknown" in typed(batch, "run", plan(batch, ROW), "--steps", "fly")[1]


def test_a_wrong_row_begins_nothing(batch: Batch) -> None:
    path = plan(batch, ROW, "C1-0002,10.0.0.2,999,KPU-2,plain-file")
    status, said = typed(batch, "run", path, "--steps", "enrol", "--dry-run")
    assert status == 1 and "plan-unreadable" in said
    assert not batch.office.batch.exists()


def test_here_means_one_device(batch: Batch) -> None:
    assert typed(batch, "run", plan(batch, ROW), "--steps", "enrol", "--here")[0] == 2
    assert typed(batch, "run", plan(batch, ROW), "--steps", "enrol", "--here", "--away", "--only", "C1-0001")[0] == 2


def test_devices_that_are_elsewhere_wait(batch: Batch) -> None:
    status, said = typed(batch, "run", plan(batch, ROW), "--steps", "enrol", "--away", "--dry-run")
    assert status == 0 and "C1-0001" in said
    report = json.loads((batch.office.batch / "fleet.json").read_text())
    assert report[0]["state"] == "would be done"


def test_two_runs_at_once(batch: Batch) -> None:
    with fleet._alone(batch.office.batch):
        status, said = typed(batch, "run", plan(batch, ROW), "--steps", "enrol", "--away", "--dry-run")
    assert status == 1 and "office-busy" in said


def test_a_batch_says_where_its_devices_are(batch: Batch) -> None:
    run = Run.of([batch.job()], STEPS)
    run.go(1, QUIET)
    status, said = typed(batch, "status", plan(batch, ROW))
    assert status == 0 and "assigned" in said
    assert json.loads(typed(batch, "status", plan(batch, ROW), "--json")[1])[0]["tps"] == "3171010001002"


# --- the way to a device ----------------------------------------------------------------------------------------------


def test_ssh_asks_nobody_about_host_keys(tmp_path: Path) -> None:
    command = Ssh("10.0.0.1", "C1-0001", tmp_path / "known hosts").command(["echo", "a b"])
    assert "StrictHostKeyChecking=yes" in command and "HostKeyAlias=C1-0001" in command
    assert command[-3:] == ["--", "root@10.0.0.1", "echo 'a b'"]
    assert f"UserKnownHostsFile='{tmp_path / 'known hosts'}'" in command


def test_this_machine_is_the_device() -> None:
    assert Here().run(["cat"], b"\0\xff") == Ran(0, b"\0\xff", "")
    assert Here().run(["/does/not/exist"]).status == 127


def test_a_key_is_pinned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"10.0.0.1": "QUJD"}
    monkeypatch.setattr(
        host_keys, "_scan", lambda hosts, port: {host: answers[host] for host in hosts if host in answers}
    )
    path = tmp_path / "known_hosts"
    hosts = {"C1-0001": "10.0.0.1", "C1-0002": "10.0.0.2"}
    first = host_keys.pin(path, hosts, 22)
    assert (first["C1-0001"].said, first["C1-0002"].said) == ("new", "does not answer")
    assert path.read_text() == "C1-0001 ssh-ed25519 QUJD\n"
    answers["10.0.0.1"] = "REVG"
    again = host_keys.pin(path, hosts, 22)["C1-0001"]
    assert (again.pinned, again.said) == (False, "ANOTHER KEY")
    assert path.read_text() == "C1-0001 ssh-ed25519 QUJD\n"
