"""Devices get certificates and TPS: cut off anywhere and run again; what belongs to another is refused by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import KeyDriver, KioskFile, LanConfig, PrinterConfig, PrinterDriver, load_config
from firmware.day.pin import read_pin
from firmware.errors import Refused
from firmware.records import Mode
from firmware.signing.keys import Protection
from firmware.signing.trust import TrustRoots
from provisioning import release
from provisioning.assign import assign
from provisioning.batch.job import End, Job
from provisioning.batch.words import Seen, Wish
from provisioning.enrol import DEVICE, UPLINK, certificates_of, enrol
from provisioning.inventory import State
from provisioning.on_device import drop_ins
from tests import sealing
from tests.provisioned import Batch, an_office, make_batch, now


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return make_batch(tmp_path)


def refused(code: str, job: Job) -> Refused:
    with pytest.raises(Refused) as refusal:
        enrol(job)
        assign(job)
    assert refusal.value.code == code, str(refusal.value)
    return refusal.value


def state(batch: Batch, number: int = 1) -> State:
    return batch.office.inventory.device(f"C1-{number:04d}").state


def test_a_device_is_enrolled_and_assigned(batch: Batch) -> None:
    job = batch.job()
    assert enrol(job).end is End.DONE
    assert state(batch) is State.ENROLLED
    assert assign(job).end is End.DONE
    assert state(batch) is State.ASSIGNED
    ground = batch.place("C1-0001").ground
    config = load_config(ground.etc / "kiosk.toml")
    assert config.tps.code == sealing.TPS[1]
    assert config.uplink_tls is not None and config.uplink_tls.key.stat().st_mode & 0o777 == 0o400
    read_pin(config.pin)
    assert len(TrustRoots.load(config.trust).devices) == 1
    assert [path.name for path in (batch.folder / "letters").iterdir()] == [f"{sealing.TPS[1]}-C1-0001-1.pdf"]
    seen = job.look()
    assert (seen.fault, seen.edition, seen.seal) == ("", 1, "KPU-000001")


def test_a_step_is_run_again(batch: Batch) -> None:
    job = batch.job()
    for _ in range(2):
        enrol(job)
        assign(job)
    asked = batch.place("C1-0001").asked
    assert (asked.count("enrol"), asked.count("assign")) == (1, 1), "nothing is done twice"
    assert len(list(batch.office.inventory.events())) == 3, "enrolled, reserved, assigned"


@pytest.mark.parametrize("verb", ["look", "request", "enrol", "assign"])
def test_the_cable_is_pulled_after(batch: Batch, verb: str) -> None:
    job, place = batch.job(), batch.place("C1-0001")
    place.cut_after = verb
    refused("device-unreachable", job)
    place.plugged = True
    enrol(job)
    assert assign(job).end is End.DONE
    assert job.look().fault == ""
    letters = list((batch.folder / "letters").iterdir())
    assert len(letters) == 1, "one letter, of the PIN that the device has"


def test_a_stick_goes_to_the_device_to_the_desk_and_back(batch: Batch) -> None:
    away = replace(batch.office, issuing=None, tls_issuing=None)
    device, desk = batch.job(), batch.job(here=False)
    assert enrol(replace(desk)).end is End.WAITS_FOR_DEVICE
    assert enrol(replace(device, office=away)).end is End.WAITS_FOR_OFFICE
    assert enrol(desk).end is End.WAITS_FOR_DEVICE
    assert enrol(replace(device, office=away)).end is End.DONE
    assert state(batch) is State.ENROLLED


def test_a_key_was_being_made_when_the_power_went(batch: Batch) -> None:
    ground = batch.place("C1-0001").ground
    ground.signer.mkdir()
    (ground.signer / "making").write_text("C1-0001")
    assert enrol(batch.job()).end is End.DONE
    assert not (ground.signer / "making").exists()


# --- what belongs to another ------------------------------------------------------------------------------------------


def swap(batch: Batch, name: str, of: int) -> None:
    """The paper of another device lies where that of the first should be."""
    data = batch.office.papers(f"C1-{of:04d}").read(name)
    assert data is not None
    batch.office.papers("C1-0001").keep(name, data)


@pytest.mark.parametrize("name", [DEVICE, UPLINK])
def test_the_certificate_of_another_device(batch: Batch, name: str) -> None:
    enrol(batch.job(2))
    place = batch.place("C1-0001")
    place.cut_after = "request"
    refused("device-unreachable", batch.job())
    place.plugged = True
    swap(batch, name, 2)
    refusal = refused("enrol-other-device", batch.job())
    assert refusal.details == {"said": "C1-0002", "found": "C1-0001"}
    assert place.asked.count("enrol") == 0, "it was not even sent"


def test_a_certificate_that_has_expired(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    late = replace(job, now=lambda: now() + timedelta(days=9000))
    refused("enrol-expired", late)


def test_a_clock_in_1970(batch: Batch) -> None:
    refused("enrol-clock", replace(batch.job(), now=lambda: now() - timedelta(days=9000)))


def test_a_certificate_of_another_world(batch: Batch) -> None:
    """The device was begun for the training; the plan is now of the real election."""
    place = batch.place("C1-0001")
    place.cut_after = "request"
    refused("device-unreachable", batch.job())
    place.plugged = True
    wish = Wish("C1-0001", Mode.REAL, batch.office.key, "", "host", False)
    with pytest.raises(Refused, match="enrol-other-world"):
        batch.job().ask("request", wish, Seen)


def test_the_keys_were_made_anew_after_the_certificate_was_issued(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    empty = make_batch_device(batch)
    refusal = refused("enrol-other-key", replace(job, place=empty.place("C1-0001")))
    assert refusal.details["serial"] == "C1-0001"


def make_batch_device(batch: Batch) -> Batch:
    """The same office, another card in the device."""
    return Batch(batch.folder / "again", batch.office)


def test_another_device_answers_at_that_address(batch: Batch) -> None:
    enrol(batch.job(1))
    job = replace(batch.job(2), place=batch.place("C1-0001"))
    refusal = refused("enrol-other-serial", job)
    assert refusal.details == {"serial": "C1-0002", "found": "C1-0001"}


def test_the_authority_of_another_election_issued(batch: Batch) -> None:
    others = an_office("other").issuers
    refused("certificate-issuer", replace(batch.job(), office=replace(batch.office, issuers=others)))


def test_a_root_is_never_replaced(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    pinned = batch.place("C1-0001").ground.etc / "trust" / "root.pem"
    before, other = pinned.read_bytes(), an_office("other").root.public_bytes(Encoding.PEM).decode()
    with pytest.raises(Refused, match="enrol-other-root"):
        job.ask("enrol", msgspec.structs.replace(certificates_of(job), root=other), Seen)
    assert pinned.read_bytes() == before


def test_a_plan_promises_a_tpm_that_is_not_there(batch: Batch) -> None:
    job = batch.job()
    refused("enrol-protection", replace(job, row=replace(job.row, protection=Protection.TPM)))


# --- whose TPS it is --------------------------------------------------------------------------------------------------


def test_a_tps_is_given_twice(batch: Batch) -> None:
    first = batch.job(1)
    enrol(first)
    assign(first)
    refusal = refused("inventory-tps", batch.job(2, tps=sealing.TPS[1]))
    assert refusal.details["serial"] == "C1-0001"
    assert state(batch, 2) is State.ENROLLED
    assert not (batch.place("C1-0002").ground.etc / "assignment.cose").exists()


def test_a_device_moves_without_anybody_saying_so(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    assign(job)
    refused("assigned-elsewhere", batch.job(1, tps=sealing.TPS[7]))


def test_it_is_assigned_before_it_is_enrolled(batch: Batch) -> None:
    with pytest.raises(Refused, match="step-order"):
        assign(batch.job())


def test_the_template_is_wrong(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    template = batch.office.template.replace(b"picamera2", b"mock")
    with pytest.raises(Refused, match="config-invalid"):
        assign(replace(job, office=replace(batch.office, template=template)))
    assert not (batch.place("C1-0001").ground.etc / "kiosk.toml").exists()
    assert state(batch) is State.ENROLLED


def test_a_kiosk_toml_was_edited_on_the_device(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    assign(job)
    path = batch.place("C1-0001").ground.etc / "kiosk.toml"
    path.chmod(0o640)
    path.write_text(path.read_text().replace(sealing.TPS[1], sealing.TPS[2]))
    assert job.look().fault == "assignment-tps"


def test_a_spare_has_no_tps(batch: Batch) -> None:
    job = batch.job(tps="")
    enrol(job)
    assert assign(job).end is End.DONE
    assert state(batch) is State.ENROLLED


def test_a_dry_run_changes_nothing(batch: Batch) -> None:
    job = replace(batch.job(), dry_run=True)
    assert enrol(job).end is End.WOULD
    assert not list(batch.place("C1-0001").ground.state.iterdir())
    enrol(batch.job())
    assert assign(job).end is End.WOULD
    assert not (batch.folder / "letters").exists()


# --- what the units of one device need --------------------------------------------------------------------------------


SETTINGS = {
    "tpm": ("c1kiosk-signer.service.d/key.conf", "DeviceAllow=/dev/tpmrm0 rw"),
    "sealed-credential": ("c1kiosk-signer.service.d/key.conf", "LoadCredentialEncrypted=device-key:"),
    "network": ("c1kiosk-station.service.d/printer.conf", "IPAddressAllow=192.0.2.7"),
    "lan": ("c1kiosk-endpoint.service.d/lan.conf", "IPAddressAllow=192.168.4.0/24"),
}


def test_a_drop_in_says_no_more_than_an_audit_lets_pass(batch: Batch) -> None:
    job = batch.job()
    enrol(job)
    assign(job)
    config = load_config(batch.place("C1-0001").ground.etc / "kiosk.toml")
    for name, (path, line) in SETTINGS.items():
        texts = drop_ins(replace(config, file=with_setting(config.file, name)), Path(__file__).parents[1] / "systemd")
        assert line in texts[path]
        entry = release.Entry(f"etc/systemd/system/{path}", release.Kind.FILE, "0644", "0:0")
        assert release.compare_local([entry], lambda _path, text=texts[path]: text.encode()) == []


def with_setting(file: KioskFile, name: str) -> KioskFile:
    change = msgspec.structs.replace
    if name == "network":
        return change(file, printer=PrinterConfig(PrinterDriver.ESCPOS_NETWORK, "192.0.2.7:9100"))
    if name == "lan":
        return change(file, lan=LanConfig("192.168.4.1", "c", "k", "ca"))
    return change(file, key=change(file.key, driver=KeyDriver(name)))
