"""The day of a kiosk, as it is kept on disk: opened by the ketua, then contest after contest, then closed.

What was sealed is not in here: the ledger says that. A day can be opened again after it was closed; it is another day.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

import msgspec

from firmware.errors import LedgerRefused

KEY = "day"
"""Name of the draft in the ledger: a kiosk has one day at a time."""

OFFICIALS = 2
"""Receipts beside those of the witnesses: one for the pengawas (PTPS), one for the KPPS."""

WITNESSES_MOST = 28
"""A witness of each of 24 parties, and spares."""


class Stage(StrEnum):
    """How far the day is."""

    OPEN = "open"
    CLOSED = "closed"


class Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was looked at before the day; sentence under `opening.<name>` in messages/."""

    name: str
    ok: bool
    seen: str
    """A code or a figure, for the technician."""
    needed: bool = True
    """Without it no day can be opened; the others can be mended on the way."""


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time by the kiosk's own clock."""

    unix: int
    clock: str
    """How good the clock was, see signing.signer.ClockQuality."""


class Day(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last durable step. `number` 0: no day was ever opened."""

    number: int = 0
    stage: Stage = Stage.CLOSED
    contest: str = ""
    """The contest at hand, empty between two of them."""
    copies: int = 0
    """Receipts of each record."""
    checks: tuple[Checked, ...] = ()
    sealed_before: int = 0
    """Records that were in the ledger when the day was opened."""
    opened_at: Moment | None = None
    closed_at: Moment | None = None

    @property
    def open(self) -> bool:
        """True between opening and closing."""
        return self.stage is Stage.OPEN

    def opened(self, checks: tuple[Checked, ...], copies: int, sealed_before: int, now: Moment) -> Day:
        """The next day, open."""
        return Day(self.number + 1, Stage.OPEN, "", copies, checks, sealed_before, now)

    def closed(self, now: Moment) -> Day:
        """This day, over."""
        return msgspec.structs.replace(self, stage=Stage.CLOSED, contest="", closed_at=now)

    def with_contest(self, contest: str) -> Day:
        """This day with another contest at hand."""
        return msgspec.structs.replace(self, contest=contest)


def ready(checks: Collection[Checked]) -> bool:
    """True when everything was looked at and nothing that is needed is missing."""
    return bool(checks) and all(entry.ok for entry in checks if entry.needed)


class Drafts(Protocol):
    """What a day needs of the ledger."""

    def save_draft(self, key: str, body: bytes) -> None:
        """Durable on return."""

    def load_draft(self, key: str) -> bytes | None:
        """What was saved last."""


def save(day: Day, ledger: Drafts) -> None:
    """Durable on return."""
    ledger.save_draft(KEY, msgspec.json.encode(day))


def load(ledger: Drafts) -> Day:
    """The last durable step. Raises LedgerRefused("session-damaged")."""
    body = ledger.load_draft(KEY)
    if body is None:
        return Day()
    try:
        return msgspec.json.decode(body, type=Day)
    except msgspec.MsgspecError as problem:
        raise LedgerRefused("session-damaged", problem=str(problem)) from problem
