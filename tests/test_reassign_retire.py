"""A device moves to another TPS, or goes: nothing is lost, and no key is wiped on somebody's word."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from firmware.day import day as days
from firmware.errors import Refused
from firmware.ledger.store import Ledger
from firmware.signing.bundling import bundle_command, check
from firmware.signing.signer import ClockQuality, ClockReading, Signer
from firmware.signing.training_key import TrainingKey
from firmware.signing.trust import TrustRoots
from provisioning.assign import assign
from provisioning.batch import evidence
from provisioning.batch.job import End, Job
from provisioning.batch.place import COMMAND_S, Ran
from provisioning.batch.words import Evidence, Seen
from provisioning.enrol import enrol
from provisioning.inventory import State
from provisioning.reassign import reassign
from provisioning.retire import export, wipe
from provisioning.seal import confirm, label_of, scans
from provisioning.seal import desk as seal_desk
from tests import sealing
from tests.provisioned import Batch, InFolder, make_batch, now

OTHER = sealing.TPS[9]


@dataclass
class WithTools(InFolder):
    """A device whose tar and coreutils answer as well."""

    def run(self, command: Sequence[str], stdin: bytes = b"", within_s: float = COMMAND_S) -> Ran:
        """As Place."""
        match command:
            case ["tar", *_]:
                return Ran(0, papers(self.ground.etc), "")
            case ["setpriv", *words]:
                return self._bundle(words)
            case ["cat", there]:
                return Ran(0, self._path(there).read_bytes(), "")
            case ["test", "-e", there]:
                return Ran(0 if self._path(there).exists() else 1, b"", "")
            case ["install" | "rm", *_, there]:
                self._path(there).parent.mkdir(exist_ok=True)
                return Ran(0, b"", "")
        return super().run(command, stdin, within_s)

    def _bundle(self, words: list[str]) -> Ran:
        """`c1kiosk bundle`, on this device's folders."""
        arguments = [str(self._path(word)) for word in words[words.index("bundle") + 1 :]]
        done = CliRunner().invoke(bundle_command, arguments)
        return Ran(done.exit_code, b"", done.output)

    def _path(self, word: str) -> Path:
        state, etc = "/var/lib/c1kiosk", "/etc/c1kiosk"
        return Path(word.replace(state, str(self.ground.state)).replace(etc, str(self.ground.etc)))


def papers(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(folder / "assignment.cose", "assignment.cose")
    return out.getvalue()


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return make_batch(tmp_path)


@pytest.fixture
def job(batch: Batch) -> Job:
    made = batch.job()
    enrol(made)
    assign(made)
    return replace(made, place=WithTools(batch.place("C1-0001").ground))


def refused(code: str, job: Job, tps: str = OTHER, replaces: str = "") -> None:
    with pytest.raises(Refused) as refusal:
        reassign(job, tps, "KPU-NEW", replaces, None)
    assert refusal.value.code == code, str(refusal.value)


def test_a_device_moves_and_the_assignment_before_is_kept(batch: Batch, job: Job) -> None:
    etc = batch.place("C1-0001").ground.etc
    before, pin = (etc / "assignment.cose").read_bytes(), (etc / "pin.json").read_bytes()
    assert reassign(job, OTHER, "KPU-NEW", "", None).end is End.DONE
    seen = job.look()
    assert (seen.tps, seen.seal, seen.edition, seen.fault) == (OTHER, "KPU-NEW", 2, "")
    assert (etc / "assignments" / "1.cose").read_bytes() == before
    assert (etc / "pin.json").read_bytes() != pin, "the ketua of the TPS before knows that PIN"
    assert len(list((batch.folder / "letters").iterdir())) == 2
    assert batch.office.inventory.holder(sealing.TPS[1]) is None


def test_the_cable_is_pulled_while_it_moves(batch: Batch, job: Job) -> None:
    place = job.place
    assert isinstance(place, WithTools)
    place.cut_after = "assign"
    refused("device-unreachable", job)
    place.plugged = True
    assert reassign(job, OTHER, "KPU-NEW", "", None).end is End.DONE
    assert job.look().edition == 2


def test_a_tps_is_taken_only_from_the_device_that_is_named(batch: Batch, job: Job) -> None:
    other = batch.job(9)
    enrol(other)
    assign(other)
    refused("inventory-tps", job)
    refused("inventory-tps", job, replaces="C1-0008")
    assert reassign(job, OTHER, "KPU-NEW", "C1-0009", None).end is End.DONE
    assert batch.office.inventory.device("C1-0009").state is State.FAULTY


def test_a_tps_that_does_not_exist(job: Job) -> None:
    refused("tps-unknown", job, tps="0000000000000")


def open_day(batch: Batch) -> None:
    with Ledger.open(batch.place("C1-0001").ground.ledger) as ledger:
        days.save(days.Day().opened((), 4, 0, days.Moment(1, "synchronised")), ledger)


def test_the_day_is_open(batch: Batch, job: Job) -> None:
    open_day(batch)
    refused("device-day-open", job)
    with pytest.raises(Refused, match="device-day-open"):
        job.ask("wipe", Evidence(0, ""), Seen)
    with pytest.raises(Refused, match="device-day-open"):
        export(job, batch.folder / "evidence")


def test_records_are_nowhere_else(batch: Batch, job: Job) -> None:
    seal(batch, 1)
    assert job.look().unforwarded == 1
    refused("device-unforwarded", job)
    with pytest.raises(Refused, match="evidence-moved"):
        job.ask("wipe", Evidence(0, ""), Seen)
    assert (batch.place("C1-0001").ground.etc / "tls/uplink/key.pem").exists()


def seal(batch: Batch, count: int) -> None:
    """So many records more of the device's own key, with their pictures."""
    ground = batch.place("C1-0001").ground
    key, election = TrainingKey.open(ground.key), bytes.fromhex(batch.office.definition.sha256)
    with Ledger.open(ground.ledger) as ledger:
        there = len(ledger.record_hashes())
        times = (int(now().timestamp()) + 3600 * number for number in range(there, there + count))
        for unix in times:
            signer = Signer(ground.signer, key, lambda unix=unix: ClockReading(unix, ClockQuality.FREE_RUNNING))
            wish = sealing.draft(1, mode="training", election=election)
            if there:
                wish |= {"supersedes": ledger.records()[-1].sealed.sha256, "reason": "salah tulis"}
            ledger.commit(signer.seal(wish), sealing.pictures_of(1))
            signer.close()
            there += 1


# --- retire -----------------------------------------------------------------------------------------------------------


def test_a_device_that_never_sealed_is_retired(batch: Batch, job: Job) -> None:
    folder = batch.folder / "evidence"
    proven = export(job, folder)
    assert proven.evidence == Evidence(0, "") and not proven.bundle
    summary, wiped = wipe(job, folder)
    device = batch.office.inventory.device("C1-0001")
    assert (device.state, device.evidence) == (State.RETIRED, summary.name)
    etc = batch.place("C1-0001").ground.etc
    assert not (etc / "pin.json").exists() and not list((etc / "tls").rglob("key.pem"))
    assert not (batch.place("C1-0001").ground.key / "key.pem").exists()
    assert str(etc / "pin.json") in wiped.overwritten
    assert (etc / "assignment.cose").exists(), "what is evidence stays"


def test_the_records_are_proven_elsewhere_before_the_keys_go(batch: Batch, job: Job) -> None:
    seal(batch, 2)
    folder = batch.folder / "evidence"
    proven = export(job, folder)
    assert proven.evidence.records == 2
    own = folder / "C1-0001"
    check(own / evidence.BUNDLE, TrustRoots.load(own / evidence.TRUST))
    summary, _wiped = wipe(job, folder)
    assert summary.bundle == hashlib.sha256((own / evidence.BUNDLE).read_bytes()).hexdigest()
    assert batch.office.inventory.device("C1-0001").state is State.RETIRED
    assert len(Ledger.open(batch.place("C1-0001").ground.ledger, readonly=True).record_hashes()) == 2


def test_a_record_was_sealed_after_the_export(batch: Batch, job: Job) -> None:
    seal(batch, 1)
    folder = batch.folder / "evidence"
    export(job, folder)
    seal(batch, 1)
    with pytest.raises(Refused, match="evidence-moved"):
        wipe(job, folder)
    assert (batch.place("C1-0001").ground.etc / "pin.json").exists()


def test_one_byte_of_the_bundle_is_another(batch: Batch, job: Job) -> None:
    seal(batch, 1)
    folder = batch.folder / "evidence"
    export(job, folder)
    path = folder / "C1-0001" / evidence.BUNDLE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Refused, match="evidence-unverified"):
        wipe(job, folder)
    summary = msgspec.json.decode((folder / "C1-0001" / evidence.SUMMARY).read_bytes(), type=evidence.Summary)
    forged = msgspec.structs.replace(summary, bundle=hashlib.sha256(bytes(data)).hexdigest())
    (folder / "C1-0001" / evidence.SUMMARY).write_bytes(msgspec.json.encode(forged))
    with pytest.raises(Refused, match="evidence-unverified"):
        wipe(job, folder)


def test_a_device_with_records_moves_after_they_were_exported(batch: Batch, job: Job) -> None:
    seal(batch, 1)
    assert reassign(job, OTHER, "KPU-NEW", "", batch.folder / "evidence").end is End.DONE
    assert (job.look().tps, job.look().records) == (OTHER, 1)
    assert evidence.prove(batch.folder / "evidence" / "C1-0001", "C1-0001").evidence.records == 1


@pytest.mark.parametrize("name", [evidence.SUMMARY, evidence.DEVICE])
def test_the_evidence_is_not_whole(batch: Batch, job: Job, name: str) -> None:
    folder = batch.folder / "evidence"
    export(job, folder)
    (folder / "C1-0001" / name).unlink()
    with pytest.raises(Refused, match="evidence-unverified"):
        wipe(job, folder)
    assert (batch.place("C1-0001").ground.etc / "pin.json").exists()


def test_the_evidence_is_of_another_device(batch: Batch, job: Job) -> None:
    folder = batch.folder / "evidence"
    export(job, folder)
    shutil.copytree(folder / "C1-0001", folder / "C1-0002")
    with pytest.raises(Refused, match="of device C1-0001"):
        evidence.prove(folder / "C1-0002", "C1-0002")


def test_a_bundle_was_damaged_on_the_stick(batch: Batch, job: Job) -> None:
    own = batch.folder / "evidence" / "C1-0001"
    own.mkdir(parents=True)
    (own / evidence.DEVICE).write_bytes(b"x")
    (own / evidence.BUNDLE).write_bytes(b"damaged")
    summary = evidence.Summary("C1-0001", Evidence(1, "00" * 32), "00" * 32)
    (own / evidence.SUMMARY).write_bytes(msgspec.json.encode(summary))
    with pytest.raises(Refused, match="not the one that was written"):
        evidence.prove(own, "C1-0001")


def test_the_evidence_lies_on_the_same_disk(tmp_path: Path) -> None:
    assert not evidence.other_medium(tmp_path, tmp_path.parent)
    assert evidence.other_medium(Path("/dev/shm"), tmp_path) or not Path("/dev/shm").is_mount()


# --- seal -------------------------------------------------------------------------------------------------------------


def test_a_label_and_its_seal_are_scanned(batch: Batch, job: Job) -> None:
    inventory = batch.office.inventory
    text = label_of(inventory.device("C1-0001")).text
    assert confirm(inventory, text, "KPU-000001", now()).state is State.SEALED
    assert confirm(inventory, text, "KPU-000001", now()).state is State.SEALED


@pytest.mark.parametrize(
    ("text", "seal", "code"),
    [
        ("C1K1:C1-0001:0000000000000000", "KPU-000001", "label-other"),
        ("{label}", "KPU-000002", "label-other"),
        ("C1K1:C1-0009:0000000000000000", "KPU-000001", "inventory-serial"),
        ("https://example.org", "KPU-000001", "label-form"),
        ("C1K1:", "KPU-000001", "label-form"),
    ],
)
def test_a_label_is_on_the_wrong_case(batch: Batch, job: Job, text: str, seal: str, code: str) -> None:
    inventory = batch.office.inventory
    label = label_of(inventory.device("C1-0001")).text
    with pytest.raises(Refused) as refusal:
        confirm(inventory, text.format(label=label), seal, now())
    assert refusal.value.code == code
    assert inventory.device("C1-0001").state is State.ASSIGNED


def test_a_scanner_types_both_on_one_line_or_on_two() -> None:
    assert list(scans(["C1K1:a:b KPU-1\n", "C1K1:c:d\n", "KPU-2\n", "C1K1:e:f"])) == [
        ("C1K1:a:b", "KPU-1"), ("C1K1:c:d", "KPU-2"), ("C1K1:e:f", ""),
    ]  # fmt: skip


def test_labels_are_printed_and_confirmed_as_they_are_typed(batch: Batch, job: Job) -> None:
    plan = batch.folder / "plan.csv"
    plan.write_text(f"serial,host,tps,seal,protection\nC1-0001,h,{sealing.TPS[1]},KPU-000001,plain-file\n")
    where, out = ["--office", str(batch.office.path)], batch.folder / "labels.pdf"
    runner = CliRunner()
    assert runner.invoke(seal_desk, ["labels", str(plan), str(out), *where]).exit_code == 0
    assert out.read_bytes().startswith(b"%PDF")
    text = label_of(batch.office.inventory.device("C1-0001")).text
    wrong = runner.invoke(seal_desk, ["confirm", str(plan), *where], input=f"{text}\nKPU-9\n")
    assert (wrong.exit_code, "NOT DONE" in wrong.output) == (1, True)
    right = runner.invoke(seal_desk, ["confirm", str(plan), *where], input=f"{text}\nKPU-000001\n")
    assert (right.exit_code, "DONE" in right.output) == (0, True)
    assert batch.office.inventory.device("C1-0001").state is State.SEALED
