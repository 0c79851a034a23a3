"""The inventory: what became of every device. One journal is the truth; tables are made of it.

    inventory.jsonl   a line for each thing that happened to a device: appended, synced, never changed
    inventory.csv     the last state of every device, for a spreadsheet
    inventory.json    the same, for a program

A line that a power cut has torn at the end is taken off by the next one; any other line that cannot be read refuses
(`inventory-unreadable`): a truth with a hole is none. Several commands may write at once (a lock on the journal).

    python -m provisioning.inventory show OFFICE
    python -m provisioning.inventory note OFFICE C1-0001 faulty --note "no picture"
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import click
import msgspec

from firmware.signing import durable
from provisioning.authority.desk import Desk
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.shown import table

JOURNAL, CSV, JSON, LOCK = "inventory.jsonl", "inventory.csv", "inventory.json", ".inventory.lock"


class State(StrEnum):
    """How far a device has come."""

    UNKNOWN = "unknown"
    INSTALLED = "installed"
    ENROLLED = "enrolled"
    ASSIGNED = "assigned"
    SEALED = "sealed"
    READY = "ready"
    """Its self-test said so."""
    OPEN = "open"
    """At its TPS, between opening and closing."""
    RETURNED = "returned"
    RETIRED = "retired"
    """Its keys are gone."""
    FAULTY = "faulty"


LIVE = frozenset(State) - {State.UNKNOWN, State.RETIRED, State.FAULTY}
"""States in which a device holds the TPS it was assigned to."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the journal."""

    at: str
    """UTC, ISO 8601, by the laptop's clock."""
    serial: str
    state: State
    what: str
    """The step, or why a person wrote this."""
    kid: str = ""
    tps: str = ""
    seal: str = ""
    edition: int = 0
    evidence: str = ""
    """SHA-256 of the evidence that was exported."""
    note: str = ""


msgspec.json.Decoder(Event)
# Resolved now, by one thread (words.py).


class Device(msgspec.Struct, frozen=True):
    """What the journal says of a device: its last state, and the last of everything else."""

    serial: str
    state: State = State.UNKNOWN
    at: str = ""
    kid: str = ""
    tps: str = ""
    seal: str = ""
    edition: int = 0
    evidence: str = ""
    note: str = ""

    def after(self, event: Event) -> Device:
        """With one event more; what an event does not say stays, but for the note."""
        said = {name: getattr(event, name) or getattr(self, name) for name in _KEPT}
        return Device(serial=self.serial, state=event.state, at=event.at, note=event.note, **said)


_KEPT = ("kid", "tps", "seal", "edition", "evidence")


class Inventory:
    """The inventory in a folder. Threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, event: Event) -> None:
        """One line more, on disk on return, and both tables anew."""
        with self._locked():
            self._append(event)

    def assign(self, event: Event) -> None:
        """As `add`, when no other live device holds the TPS. Raises ProvisioningRefused("inventory-tps")."""
        with self._locked():
            holder = self.holder(event.tps)
            if holder is not None and holder.serial != event.serial:
                raise ProvisioningRefused("inventory-tps", tps=event.tps, serial=holder.serial, state=str(holder.state))
            self._append(event)

    def holder(self, tps: str) -> Device | None:
        """The live device that a TPS was given to."""
        return next((entry for entry in self._read().values() if entry.tps == tps and entry.state in LIVE), None)

    def device(self, serial: str) -> Device:
        """What is known of a device; unknown when nothing is."""
        return self._read().get(serial, Device(serial))

    def devices(self) -> list[Device]:
        """Every device, by serial."""
        return sorted(self._read().values(), key=lambda entry: entry.serial)

    def events(self) -> Iterator[Event]:
        """The journal. Raises ProvisioningRefused("inventory-unreadable")."""
        path = self.folder / JOURNAL
        whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield msgspec.json.decode(line, type=Event)
            except msgspec.MsgspecError as problem:
                raise ProvisioningRefused("inventory-unreadable", file=str(path), line=number) from problem

    def _append(self, event: Event) -> None:
        path = self.folder / JOURNAL
        data = path.read_bytes() if path.exists() else b""
        durable.append(path, data.rfind(b"\n") + 1, msgspec.json.encode(event) + b"\n")
        self._write_tables(self._read())

    def _read(self) -> dict[str, Device]:
        found: dict[str, Device] = {}
        for event in self.events():
            found[event.serial] = found.get(event.serial, Device(event.serial)).after(event)
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write_tables(self, found: dict[str, Device]) -> None:
        devices = sorted(found.values(), key=lambda entry: entry.serial)
        _replace(self.folder / CSV, as_csv(devices).encode())
        _replace(self.folder / JSON, msgspec.json.format(msgspec.json.encode(devices), indent=1) + b"\n")


def as_csv(devices: Iterable[Device]) -> str:
    """A row for each device."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Device.__struct_fields__)
    writer.writerows([str(getattr(entry, name)) for name in Device.__struct_fields__] for entry in devices)
    return text.getvalue()


def now_text(now: datetime | None = None) -> str:
    """A time for the journal."""
    return (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lines(devices: Iterable[Device]) -> list[str]:
    """A table for people."""
    rows = [(d.serial, str(d.state), d.tps, d.seal, str(d.edition or ""), d.at, d.note) for d in devices]
    return table(("serial", "state", "TPS", "seal", "edition", "since (UTC)", "note"), rows)


def _replace(path: Path, data: bytes) -> None:
    incoming = path.with_name(f".{path.name}.{os.getpid()}")
    incoming.write_bytes(data)
    incoming.replace(path)


FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=Desk, context_settings={"help_option_names": ["-h", "--help"]})
def desk() -> None:
    """Show the inventory, or write into it what a person saw."""


@desk.command("show")
@click.argument("folder", type=FOLDER)
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only devices in this state.")
def show_command(folder: Path, state: str | None) -> None:
    """Print the last state of every device."""
    found = [entry for entry in Inventory(folder).devices() if state in (None, entry.state)]
    click.echo("\n".join(lines(found)))


@desk.command("note")
@click.argument("folder", type=FOLDER)
@click.argument("serial")
@click.argument("state", type=click.Choice([str(state) for state in (State.OPEN, State.RETURNED, State.FAULTY)]))
@click.option("--note", default="", help="Why.")
def note_command(folder: Path, serial: str, state: str, note: str) -> None:
    """Write down that a device is open, returned or faulty; other states are written by the steps themselves."""
    inventory = Inventory(folder)
    if inventory.device(serial).state is State.UNKNOWN:
        raise ProvisioningRefused("inventory-serial", serial=serial)
    inventory.add(Event(now_text(), serial, State(state), "note", note=note))
    click.echo("\n".join(lines([inventory.device(serial)])))


if __name__ == "__main__":
    desk()
