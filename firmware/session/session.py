"""Where the count of one contest stands, as it is kept on disk: enough to go on after the power was cut at any moment.

A session names pictures by hash; the ledger has kept their bytes before a session names them. It is replaced as a whole
by each durable step. A correction is a session of its own beside the sealed one, which stays as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from firmware.errors import LedgerRefused
from firmware.records import Frame, Tally
from firmware.tally.review import Decision, Draft, Review


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kept picture, without its bytes."""

    sha256: str
    name: str
    facts: dict[str, str | int | float]


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last durable step."""

    contest: str
    pages: dict[int, Picture] = {}
    """The slots that are filled, by page number."""
    pending: Picture | None = None
    """A second picture of a page that waits for a person's choice."""
    replaced: tuple[Picture, ...] = ()
    """Pictures that a person replaced; they stay on disk."""
    review: bytes = b""
    """tally.review.Review as JSON, empty before all pages are read."""
    sealing: bytes = b""
    """The draft record (CBOR) as it was handed to the signer: handed over again, it gives the same record."""
    record: str = ""
    """SHA-256 (hexadecimal) of the record, once it is on disk."""
    supersedes: str = ""
    """SHA-256 (hexadecimal) of the record that this session corrects."""
    reason: str = ""
    """Why, see records.Reason."""


class Drafts(Protocol):
    """What a session needs of the ledger."""

    def save_draft(self, key: str, body: bytes) -> None:
        """Durable on return."""

    def load_draft(self, key: str) -> bytes | None:
        """What was saved last."""

    def clear_draft(self, key: str) -> None:
        """Forgets it."""

    def picture(self, sha256: str) -> bytes:
        """A kept picture."""


def key_of(tps: str, contest: str, sealed: int) -> str:
    """Name of the draft of the session that comes after `sealed` records of this TPS and contest."""
    return f"session/{tps}/{contest}/{sealed}"


def of_frame(frame: Frame) -> Picture:
    """The frame as a session names it."""
    return Picture(frame.sha256, frame.name, dict(frame.facts))


def frame_of(picture: Picture, ledger: Drafts) -> Frame:
    """The frame again, byte for byte. Raises LedgerRefused when its picture is gone or damaged."""
    facts: Mapping[str, str | int | float] = picture.facts
    return Frame(ledger.picture(picture.sha256), picture.sha256, picture.name, facts)


def save(session: Session, key: str, ledger: Drafts) -> None:
    """Durable on return."""
    ledger.save_draft(key, msgspec.json.encode(session))


def load(key: str, ledger: Drafts) -> Session | None:
    """The last durable step, None when there is none. Raises LedgerRefused("session-damaged")."""
    body = ledger.load_draft(key)
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=Session)
    except msgspec.MsgspecError as problem:
        raise LedgerRefused("session-damaged", problem=str(problem)) from problem


def carried_over(saved: bytes, tally: Tally, without: Collection[str]) -> Review:
    """What a person decided in the saved review, on a new tally, without the decisions about some fields."""
    decisions = msgspec.json.decode(saved, type=Draft).decisions if saved else ()
    kept = [{name: value for name, value in step.values.items() if name not in without} for step in decisions]
    return Review(tally, [Decision(values) for values in kept if values])
