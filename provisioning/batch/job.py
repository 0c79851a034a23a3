"""One device, one step: what a step is given, and how it ends when nothing is wrong. What is wrong is a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.office import Office, Papers
from provisioning.batch.place import Place, ask_program
from provisioning.batch.plan import Row
from provisioning.batch.words import Seen
from provisioning.inventory import Event, State, now_text

T = TypeVar("T", bound=msgspec.Struct)


class End(StrEnum):
    """How a step ends."""

    DONE = "done"
    WAITS_FOR_OFFICE = "waits for the office"
    """It needs an authority's key that is not here: take the batch's folder to the desk, run it there, come back."""
    WAITS_FOR_DEVICE = "waits for the device"
    """It needs the device, which is not here."""
    WAITS_FOR_PERSON = "waits for somebody beside the device"
    WOULD = "would be done"
    """Dry run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step has to say."""

    end: End
    said: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What a step works with."""

    row: Row
    office: Office
    place: Place | None
    """None: the device is elsewhere."""
    now: Callable[[], datetime]
    letters: Path | None = None
    """Where PIN letters go."""
    dry_run: bool = False

    @property
    def papers(self) -> Papers:
        """Of this device."""
        return self.office.papers(self.row.serial)

    def ask(self, verb: str, document: msgspec.Struct | None, kind: type[T]) -> T:
        """What the device's own program answers. Raises ProvisioningRefused."""
        assert self.place is not None
        return msgspec.json.decode(ask_program(self.place, [verb], document), type=kind)

    def look(self) -> Seen:
        """How the device is found; one that says it is another is refused."""
        seen = self.ask("look", None, Seen)
        for said in (seen.requested, seen.serial):
            if said and said != self.row.serial:
                raise ProvisioningRefused("enrol-other-serial", serial=self.row.serial, found=said)
        return seen

    def note(self, state: State, what: str, **details: str | int) -> None:
        """A line in the inventory, unless the last one of this device says the same."""
        known = self.office.inventory.device(self.row.serial)
        same = known.state is state and all(getattr(known, name) == value for name, value in details.items())
        if not same:
            event = Event(now_text(self.now()), self.row.serial, state, what)
            self.office.inventory.add(msgspec.structs.replace(event, **details))


Step = Callable[[Job], Result]
