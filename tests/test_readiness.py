"""READY is what the device's own key has signed after everything was examined; nothing else is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from firmware.errors import Refused
from firmware.signing.cose import MessageType, sign
from firmware.signing.training_key import TrainingKey
from provisioning.assign import assign
from provisioning.batch.job import End, Job
from provisioning.batch.place import COMMAND_S, Ran
from provisioning.batch.readiness import selftest
from provisioning.enrol import enrol
from provisioning.inventory import State
from tests import sealing
from tests.provisioned import Batch, InFolder, make_batch, now


@dataclass
class Examined(InFolder):
    """A device whose self-test and report are told."""

    found: bytes = b""
    report: bytes = b""

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """As Place."""
        if command[0] == "cat":
            return Ran(0 if self.report else 1, self.report, "")
        if "selftest" in command:
            return Ran(3, self.found, "no camera here")
        return super().run(command, stdin, within_s)


def found(verdict: str, **levels: str) -> bytes:
    checks = [
        {"check": name, "level": level, "passed": level == "passed", "seen": ""} for name, level in levels.items()
    ]
    return json.dumps({"verdict": verdict, "ready": verdict == "ready", "checks": checks}).encode()


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return make_batch(tmp_path)


@pytest.fixture
def job(batch: Batch) -> Job:
    made = batch.job()
    enrol(made)
    assign(made)
    return made


def on(job: Job, **said: bytes) -> Job:
    place = job.place
    assert isinstance(place, InFolder)
    return replace(job, place=Examined(place.ground, **said))


def report(job: Job, batch: Batch, **changes: Any) -> bytes:
    """What the device's signer signs."""
    draft = {
        "mode": "training", "election": bytes.fromhex(batch.office.definition.sha256), "tps": job.row.tps,
        "software": "c1kiosk 0.1.0", "release": "0.1.0", "board": "", "verdict": "ready", "passed": ["camera"],
        "notes": {}, "not_examined": [], "failed": {},
        "time": {"unix": int(now().timestamp()), "clock": "synchronised"},
    }  # fmt: skip
    key = TrainingKey.open(batch.place(job.row.serial).ground.key)
    return sign(draft | changes, MessageType.SELFTEST, key)


def refused(job: Job) -> Refused:
    with pytest.raises(Refused) as refusal:
        selftest(job)
    return refusal.value


def state(batch: Batch) -> State:
    return batch.office.inventory.device("C1-0001").state


def test_a_device_whose_report_says_ready(batch: Batch, job: Job) -> None:
    assert selftest(on(job, report=report(job, batch))).end is End.DONE
    assert state(batch) is State.READY


def test_nothing_has_failed_but_nobody_was_beside_it(batch: Batch, job: Job) -> None:
    result = selftest(on(job, found=found("partly", camera="passed", focus="not-examined")))
    assert result.end is End.WAITS_FOR_PERSON
    assert state(batch) is State.ASSIGNED


@pytest.mark.parametrize("verdict", ["not-ready", "partly", "unheard-of"])
def test_something_has_failed(batch: Batch, job: Job, verdict: str) -> None:
    refusal = refused(on(job, found=found(verdict, camera="failed", clock="passed")))
    assert (refusal.code, refusal.details["checks"]) == ("selftest-not-ready", "camera")
    assert state(batch) is State.ASSIGNED


def test_the_self_test_says_nothing(job: Job) -> None:
    assert refused(on(job, found=b"")).code == "device-command"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "not-ready", "failed": {"focus": "blurred"}},
        {"verdict": "partly", "not_examined": ["button"]},
        {"tps": sealing.TPS[2]},
        {"time": {"unix": int((now() - timedelta(days=8)).timestamp()), "clock": "synchronised"}},
    ],
)
def test_a_report_that_is_not_good_enough(batch: Batch, job: Job, change: dict[str, Any]) -> None:
    refusal = refused(on(job, report=report(job, batch, **change)))
    assert refusal.code in ("selftest-not-ready", "certificate-validity")
    assert state(batch) is State.ASSIGNED


def test_the_report_of_another_device(batch: Batch, job: Job) -> None:
    other = batch.job(2)
    enrol(other)
    forged = report(replace(other, row=replace(other.row, tps=job.row.tps)), batch)
    assert refused(on(job, report=forged)).code == "device-unknown"


def test_it_is_tested_before_it_is_assigned(batch: Batch) -> None:
    made = batch.job(3)
    enrol(made)
    assert refused(made).code == "step-order"
