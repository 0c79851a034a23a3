"""The audit journal: what happened on this kiosk, in a closed catalogue of events.

Each event goes into the ledger's append-only, chained log (durable on return) and to the process's log. The head of the
chain is signed into every record. The catalogue is the enumeration below; `python -m firmware.events` writes it as
docs/EVENTS.md. Fields are ids, hashes, counts and codes; never a number of votes, a PIN, a person's name or a picture.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import structlog


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event; `fields` tells what each of its fields says."""

    id: str
    meaning: str
    fields: Mapping[str, str] = field(default_factory=dict)


class Event(Enum):
    """Everything that the station writes down."""

    STARTED = Kind(
        "station.started",
        "The station's process began, and goes on at the last durable step.",
        {"tps": "TPS code, 13 digits", "contests": "contests of the election definition"},
    )
    STATE = Kind(
        "station.state",
        "The state machine moved (states.py).",
        {"before": "state it left", "after": "state it came to"},
    )
    FAULT = Kind("station.fault", "Something a person has to see.", {"code": "code of the refusal, or of the mistake"})
    CHECKED = Kind(
        "day.checked",
        "The kiosk looked at itself before a day (opening.py).",
        {"checks": "how many findings", "missing": "names of those that are not good"},
    )
    DAY_OPENED = Kind(
        "day.opened",
        "The ketua opened the day.",
        {"day": "days opened on this kiosk so far", "tps": "TPS code", "copies": "receipts of each record"},
    )
    DAY_CLOSED = Kind("day.closed", "The ketua closed the day.", {"day": "its number"})
    PIN_WRONG = Kind("pin.wrong", "A wrong PIN was tried; what was typed is nowhere.", {"wrong": "wrong ones in a row"})
    CONTEST = Kind("contest.at-hand", "Another contest is at hand.", {"contest": "its id, empty for none"})
    CAPTURED = Kind(
        "picture.kept",
        "A picture is on disk; whether it is a page is not known yet.",
        {"sha256": "of the picture", "source": "what was pressed"},
    )
    CAMERA_FAULT = Kind("camera.fault", "A press gave no picture.", {"fault": "which (capture/camera.py)"})
    PAGE_REFUSED = Kind("page.refused", "A picture is not used.", {"reason": "records.PageRefusal"})
    PAGE_TAKEN = Kind(
        "page.taken",
        "A page came into its free slot.",
        {"contest": "its id", "page": "page number", "sha256": "of the picture"},
    )
    PAGE_REPLACED = Kind(
        "page.replaced",
        "A person took the newer of two pictures of a page; the older one stays on disk.",
        {"page": "page number", "old": "SHA-256 of the picture that was there", "sha256": "of the one that is"},
    )
    PAGES_READ = Kind(
        "pages.read", "All pages of a contest were read.", {"contest": "its id", "asked": "numbers a person is asked"}
    )
    SETTLED = Kind("review.settled", "A person settled numbers.", {"fields": "their ids, not their values"})
    UNDONE = Kind("review.undone", "A person took the last step of the review back.")
    CORRECTION_BEGUN = Kind(
        "correction.begun", "A sealed record is being corrected.", {"contest": "its id", "reason": "records.Reason"}
    )
    CORRECTION_DROPPED = Kind("correction.dropped", "The sealed record stands after all.", {"contest": "its id"})
    SEALED = Kind(
        "record.stored",
        "A signed record is on disk. After a power cut in that moment it is told twice.",
        {"sequence": "its number in the chain", "sha256": "its name"},
    )
    PRINTED = Kind("receipt.printed", "Every strip of a document is out.", {"document": "record, opening or closing"})
    PRINT_FAILED = Kind(
        "receipt.failed", "The printer needs a person.", {"document": "what was printed", "problem": "sentence's key"}
    )
    STRIP_JUDGED = Kind(
        "receipt.judged",
        "A person said whether a doubtful strip came out whole.",
        {"document": "what was printed", "copy": "which strip", "whole": "1: it did, 0: it did not"},
    )
    PANEL = Kind(
        "panel.changed",
        "The button or the pedal is stuck or free again, unplugged or back.",
        {"source": "which", "heard": "panel.Heard"},
    )

    def __str__(self) -> str:
        return self.value.id


class Journal:
    """Writes events; `append` is the ledger's append_event."""

    def __init__(self, append: Callable[[Mapping[str, Any]], object]) -> None:
        self._append = append
        self._log = structlog.get_logger("journal")

    def write(self, event: Event, **fields: str | int) -> None:
        """One event. Raises LedgerRefused when it cannot be kept: what is not written down must not go on; and
        TypeError for fields that the catalogue does not name."""
        if fields.keys() != event.value.fields.keys():
            raise TypeError(f"{event} has the fields {list(event.value.fields)}, not {list(fields)}")
        self._append({"event": str(event), **fields})
        self._log.info(str(event), **fields)


def catalogue(kinds: Iterable[Kind]) -> str:
    """The events as a table in Markdown."""
    rows = (
        f"| `{kind.id}` | {kind.meaning} | {'; '.join(f'`{name}`: {text}' for name, text in kind.fields.items())} |"
        for kind in kinds
    )
    return "\n".join(
        (
            "# Events of the audit journal",
            "",
            "Made by `python -m firmware.events docs/EVENTS.md`. Every event also has its number, the time by the",
            "kiosk's clock, and the SHA-256 of the event before it. `c1kiosk journal` exports them; the head of",
            "their chain is signed into every record.",
            "",
            "| event | meaning | fields |",
            "|---|---|---|",
            *rows,
            "",
        )
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(catalogue(event.value for event in Event), encoding="utf-8")
