"""What one check of the self-test came to, and what all of them together do. Pure.

Nothing is ready by default: the verdict is READY only when every check was made and passed. What could not be looked
at has failed; what somebody chose not to look at is named, and the verdict says so in its own word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    NOTE = "note"
    """Nothing is wrong with the kiosk, and a person ought to know it."""
    SKIPPED = "not-examined"
    """Somebody chose not to look."""
    FAILED = "failed"
    """It is not good enough, or could not be looked at."""


class Verdict(StrEnum):
    """What may be said of the kiosk."""

    READY = "ready"
    """Everything was examined, and nothing has failed."""
    PARTLY = "partly"
    """Nothing of what was examined has failed; something was not examined."""
    NOT_READY = "not-ready"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. `name` has its label under `selftest.check-<name>` in messages/."""

    name: str
    level: Level
    seen: str = ""
    """A figure or a code, for the technician; short."""
    key: str = ""
    """The sentence that says what is wrong and what to do next, with its domain; empty when it has passed."""
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The stable name of what is wrong: the sentence's key without its domain."""
        return self.key.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check returns: a finding that does not know its name yet."""

    level: Level
    seen: str = ""
    key: str = ""
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def named(self, name: str) -> Finding:
        """As the finding of the check of this name."""
        return Finding(name, self.level, self.seen, self.key, self.values)


def good(seen: str) -> Outcome:
    """It is as it must be."""
    return Outcome(Level.PASSED, seen)


def bad(code: str, seen: str = "", **values: str | int | float) -> Outcome:
    """It is not; the sentence is `selftest.<code>`."""
    return Outcome(Level.FAILED, seen, f"selftest.{code}", values)


def note(code: str, seen: str = "", **values: str | int | float) -> Outcome:
    """Nothing is wrong, and somebody ought to know; the sentence is `selftest.<code>`."""
    return Outcome(Level.NOTE, seen, f"selftest.{code}", values)


def verdict_of(levels: Collection[Level]) -> Verdict:
    """NOT_READY also when nothing was looked at at all."""
    looked = [level for level in levels if level is not Level.SKIPPED]
    if not looked or Level.FAILED in looked:
        return Verdict.NOT_READY
    return Verdict.READY if len(looked) == len(levels) else Verdict.PARTLY
