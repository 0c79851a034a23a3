"""What became of every device: one journal, which power cuts tear and several laptops' commands write at once."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware.errors import Refused
from provisioning.inventory import CSV, JOURNAL, JSON, Device, Event, Inventory, State, desk

AT = "2029-02-10T08:00:00Z"


def event(serial: str = "C1-0001", state: State = State.ASSIGNED, **more: str | int) -> Event:
    return Event(AT, serial, state, "test", **more)  # type: ignore[arg-type]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory(tmp_path / "batch")


def test_what_an_event_does_not_say_stays(inventory: Inventory) -> None:
    inventory.add(event(state=State.ENROLLED, kid="00" * 8))
    inventory.add(event(tps="3171010001001", seal="KPU-1", edition=1))
    inventory.add(event(state=State.FAULTY, note="no picture"))
    device = inventory.device("C1-0001")
    assert (device.state, device.kid, device.seal, device.note) == (State.FAULTY, "00" * 8, "KPU-1", "no picture")
    assert inventory.device("C1-0002") == Device("C1-0002")


def test_the_tables_say_what_the_journal_says(inventory: Inventory) -> None:
    inventory.add(event(tps="3171010001001"))
    inventory.add(event("C1-0000", State.ENROLLED))
    rows = list(csv.DictReader((inventory.folder / CSV).read_text().splitlines()))
    entries = json.loads((inventory.folder / JSON).read_text())
    assert [row["serial"] for row in rows] == [entry["serial"] for entry in entries] == ["C1-0000", "C1-0001"]
    assert rows[1]["tps"] == entries[1]["tps"] == "3171010001001"


def test_the_last_line_was_torn(inventory: Inventory) -> None:
    inventory.add(event())
    path = inventory.folder / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"at":"2029-02-10T08:0')
    assert inventory.device("C1-0001").state is State.ASSIGNED
    inventory.add(event("C1-0002"))
    assert [entry.serial for entry in inventory.events()] == ["C1-0001", "C1-0002"]


def test_a_line_in_the_middle_is_damaged(inventory: Inventory) -> None:
    inventory.add(event())
    inventory.add(event("C1-0002"))
    path = inventory.folder / JOURNAL
    path.write_bytes(path.read_bytes().replace(b'"assigned"', b'"asigned!"', 1))
    with pytest.raises(Refused, match="inventory-unreadable") as refusal:
        inventory.devices()
    assert refusal.value.details["line"] == 1


def test_two_devices_want_one_tps(inventory: Inventory) -> None:
    inventory.assign(event(tps="3171010001001"))
    with pytest.raises(Refused, match="inventory-tps"):
        inventory.assign(event("C1-0002", tps="3171010001001"))
    inventory.add(event(state=State.FAULTY))
    inventory.assign(event("C1-0002", tps="3171010001001"))
    holder = inventory.holder("3171010001001")
    assert holder is not None and holder.serial == "C1-0002"


def test_many_write_at_once(inventory: Inventory) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: inventory.add(event(f"C1-{n:04d}")), range(40)))
    assert len(list(inventory.events())) == len(inventory.devices()) == 40


def test_a_person_writes_down_what_was_seen(inventory: Inventory) -> None:
    inventory.add(event())
    told = CliRunner().invoke(desk, ["note", str(inventory.folder), "C1-0001", "faulty", "--note", "no picture"])
    assert told.exit_code == 0 and "no picture" in told.output
    unknown = CliRunner().invoke(desk, ["note", str(inventory.folder), "C1-0009", "faulty"])
    assert unknown.exit_code == 1 and "inventory-serial" in unknown.output
    ready = CliRunner().invoke(desk, ["note", str(inventory.folder), "C1-0001", "ready"])
    assert ready.exit_code == 2, "only the self-test says ready"
    shown = CliRunner().invoke(desk, ["show", str(inventory.folder), "--state", "faulty"])
    assert "C1-0001" in shown.output
