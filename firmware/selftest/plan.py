"""Which checks there are, in the order in which they are made, and which of them a person may choose to leave out.

What is left out is named and makes the verdict weaker. `--quick` asks nothing of a person and takes no time: it is for
deciding whether an update is healthy. `--no-hands` leaves out only what needs somebody beside the kiosk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import structlog

from firmware.errors import Refused
from firmware.messages import DEFAULT_LANGUAGE, sentence
from firmware.selftest import board, disk, evidence, hands, paper, sight, software, training
from firmware.selftest.devices import NotToBeHad
from firmware.selftest.finding import Finding, Level, Outcome
from firmware.selftest.kiosk import Check, Kiosk, ToolFailed
from firmware.selftest.tree import Unknown

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """One check."""

    name: str
    area: str
    check: Check
    hands: bool = False
    """Needs a person beside the kiosk."""
    slow: bool = False
    """Left out by `--quick`."""
    glance: Check | None = None
    """What `--quick` does in its place."""


PLAN: tuple[Planned, ...] = (
    Planned("election", "evidence", evidence.election),
    Planned("key", "evidence", evidence.key),
    Planned("certificate", "evidence", evidence.certificate),
    Planned("board", "evidence", evidence.same_board),
    Planned("assignment", "evidence", evidence.assignment),
    Planned("custody", "evidence", evidence.custody),
    Planned("ledger", "evidence", evidence.ledger),
    Planned("uplink", "evidence", evidence.uplink),
    Planned("collectors", "evidence", evidence.collectors, slow=True),
    Planned("release", "software", software.installed_whole, glance=software.installed_at_a_glance),
    Planned("units", "software", software.units),
    Planned("model", "software", software.model),
    Planned("clock", "board", board.clock),
    Planned("battery", "board", board.battery),
    Planned("disk", "board", disk.disk),
    Planned("space", "board", disk.space),
    Planned("temperature", "board", board.temperature),
    Planned("memory", "board", board.memory),
    Planned("camera", "camera", sight.camera),
    Planned("focus", "camera", sight.focus, hands=True),
    Planned("printer", "printer", paper.printer),
    Planned("strip", "printer", paper.strip, hands=True),
    Planned("button", "panel", hands.button, hands=True),
    Planned("lamp", "panel", hands.lamp, hands=True),
    Planned("training", "training", training.training, slow=True),
    Planned("power", "board", board.power),
)
AREAS = tuple(dict.fromkeys(entry.area for entry in PLAN))


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants examined."""

    quick: bool = False
    hands: bool = True
    only: Collection[str] = field(default_factory=tuple)
    """Areas or checks; empty: everything."""

    def wants(self, entry: Planned) -> bool:
        """Whether this check is to be made."""
        if self.only:
            return entry.name in self.only or entry.area in self.only
        return not (entry.hands and (self.quick or not self.hands)) and not (entry.slow and self.quick)

    def check(self, entry: Planned) -> Check:
        """The check itself, or the glance that stands for it."""
        return entry.glance if self.quick and entry.glance else entry.check


def examine(kiosk: Kiosk, wish: Wish, progress: Callable[[str], None] = lambda _name: None) -> Iterator[Finding]:
    """Every finding, one by one; `progress` is told which check begins."""
    for entry in PLAN:
        if not wish.wants(entry):
            yield Finding(entry.name, Level.SKIPPED)
            continue
        progress(entry.name)
        yield attempt(wish.check(entry), kiosk).named(entry.name)


def attempt(check: Check, kiosk: Kiosk) -> Outcome:
    """What the check came to. Whatever keeps it from its end, it has not passed."""
    try:
        return check(kiosk)
    except Refused as refusal:
        return _refused(refusal)
    except NotToBeHad as lack:
        return Outcome(Level.FAILED, lack.code, f"selftest.{lack.code}")
    except ToolFailed as failure:
        return Outcome(Level.FAILED, str(failure), "selftest.tool-failed", {"tool": str(failure)})
    except Unknown as unknown:
        return Outcome(Level.FAILED, "", "selftest.kernel-unknown", {"problem": str(unknown)})
    except OSError as problem:
        return Outcome(Level.FAILED, "", "selftest.unreadable", {"problem": str(problem)})
    except Exception as problem:  # noqa: BLE001 - a check that breaks must be seen, and the others must be made
        _log.exception("selftest.broken")
        return Outcome(Level.FAILED, "", "selftest.broken", {"problem": type(problem).__name__})


def _refused(refusal: Refused) -> Outcome:
    """With its own sentence, or one that names its code: some refusals are made for technicians' scripts."""
    values, key = _plain(refusal.details), f"error.{refusal.code}"
    try:
        sentence(key, DEFAULT_LANGUAGE, **values)
    except KeyError:
        return Outcome(Level.FAILED, refusal.code, "selftest.refused", {"problem": str(refusal)})
    return Outcome(Level.FAILED, refusal.code, key, values)


def _plain(details: dict[str, object]) -> dict[str, str | int | float]:
    return {name: value if isinstance(value, str | int | float) else str(value) for name, value in details.items()}
