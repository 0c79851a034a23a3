"""What a hand or a foot on the panel does: a press takes a picture, a long one is the way out of a fault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from firmware.errors import Refused
from firmware.panel.panel import Hear, Heard
from firmware.panel.view import Notice
from firmware.records import Press
from firmware.station import Station

_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The clock of presses."""
    return datetime.now(UTC)


def hands_on(station: Station, now: Callable[[], datetime] = utc_now) -> Hear:
    """What the panel's contacts tell, done by the station.

    A press that the station cannot write down is in the process's log: there is no screen to answer to, and the fault
    of the ledger is shown by the work that meets it.
    """

    def hear(happening: Heard, source: str) -> None:
        try:
            _obey(station, happening, source, now)
        except Refused as refusal:
            _log.error("panel.refused", source=source, heard=str(happening), code=refusal.code)

    return hear


def _obey(station: Station, happening: Heard, source: str, now: Callable[[], datetime]) -> None:
    match happening:
        case Heard.PRESSED:
            _log.info("panel.pressed", source=source, answer=str(station.press(Press(now(), source))))
        case Heard.HELD:
            _log.info("panel.held", source=source, answer=str(station.retry()))
        case Heard.STUCK | Heard.FREE | Heard.GONE | Heard.BACK:
            good = happening in (Heard.FREE, Heard.BACK)
            station.remark(Notice(f"panel.{source}-{happening}", good=good), source=source, heard=str(happening))
