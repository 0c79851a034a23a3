"""The audit journal: what happened on this kiosk, in a closed set of events.

Each event goes into the ledger's append-only, chained log (durable on return) and to the process's log. Fields are
JSON: ids, hashes, counts and codes; never a PIN, a name of a person, or a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import structlog


class Event(StrEnum):
    """Everything that is written down."""

    STARTED = "station.started"
    STATE = "station.state"
    CHECKED = "day.checked"
    """What the kiosk found about itself before a day: names of what is missing."""
    DAY_OPENED = "day.opened"
    DAY_CLOSED = "day.closed"
    CONTEST = "contest.at-hand"
    PIN_WRONG = "pin.wrong"
    """With the number of wrong tries in a row, never with what was tried."""
    CAPTURED = "picture.kept"
    """A picture is on disk; whether it is a page is not known yet."""
    CAMERA_FAULT = "camera.fault"
    PAGE_REFUSED = "page.refused"
    PAGE_TAKEN = "page.taken"
    PAGE_REPLACED = "page.replaced"
    PAGES_READ = "pages.read"
    SETTLED = "review.settled"
    UNDONE = "review.undone"
    CORRECTION_BEGUN = "correction.begun"
    CORRECTION_DROPPED = "correction.dropped"
    SEALED = "record.stored"
    PRINTED = "receipt.printed"
    PRINT_FAILED = "receipt.failed"
    STRIP_JUDGED = "receipt.judged"
    """A person said whether a doubtful strip came out whole."""
    FAULT = "station.fault"
    PANEL = "panel.changed"
    """The button or the pedal is stuck or free again, unplugged or back."""


class Journal:
    """Writes events; `append` is the ledger's append_event."""

    def __init__(self, append: Callable[[Mapping[str, Any]], object]) -> None:
        self._append = append
        self._log = structlog.get_logger("journal")

    def write(self, event: Event, **fields: str | int) -> None:
        """One event. Raises LedgerRefused when it cannot be kept: what is not written down must not go on."""
        self._append({"event": str(event), **fields})
        self._log.info(str(event), **fields)
