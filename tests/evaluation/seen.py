"""What one TPS gave, beside what is written on its paper: plain values that go to disk as one JSON line each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from firmware.records import Doubt, Status

WEIGHABLE = frozenset({Doubt.UNSURE.value})
"""Doubts that another threshold could lift. Every other doubt asks whatever the threshold is."""


class Cell(msgspec.Struct, frozen=True):
    """One digit box."""

    truth: str | None
    """One of records.LABELS; None where nobody has said what is in the box."""
    label: str
    confidence: float


class Field(msgspec.Struct, frozen=True):
    """One number of the form."""

    field: str
    page: int
    truth: int | None
    """The number that is written; None where none is: empty, or struck out."""
    value: int | None
    text: str
    confidence: float
    status: str
    doubts: tuple[str, ...]
    faults: tuple[str, ...] = ()
    """What is wrong with the writing, where the paper says so."""
    cells: tuple[Cell, ...] = ()

    @property
    def right(self) -> bool:
        """The number, or that there is none, was read as written."""
        return self.value == self.truth

    @property
    def asked(self) -> bool:
        """A person is asked by the policy in force."""
        return self.status == Status.REVIEW.value

    @property
    def silent(self) -> bool:
        """Wrong, and nobody is asked: what must not happen."""
        return not self.asked and not self.right

    @property
    def open(self) -> bool:
        """Whether it is the confidence alone that decides if a person is asked."""
        return self.value is not None and set(self.doubts) <= WEIGHABLE


class Alarm(msgspec.Struct, frozen=True):
    """A rule that failed as read, or that the paper itself breaks."""

    rule: str
    fields: tuple[str, ...]
    raised: bool
    """The kiosk raised the alarm."""
    kept: bool | None
    """The paper keeps the rule; None where its true numbers do not say."""


class Tps(msgspec.Struct, frozen=True):
    """The pictures of one polling station, read together."""

    data_set: str
    name: str
    """Of the folder's files, or the seed."""
    hand: str
    form: str
    level: str
    """Degradation of the pictures; "real" for pictures of real paper."""
    pages: Mapping[str, str | None]
    """By picture: None when it was read, else why it was refused."""
    fields: tuple[Field, ...]
    alarms: tuple[Alarm, ...]
    seconds: float
    """Reading only, without the making of the pictures."""

    @property
    def key(self) -> str:
        """Names this TPS among all."""
        return f"{self.data_set}/{self.form}/{self.level}/{self.name}"


class Loose(msgspec.Struct, frozen=True):
    """One picture of a single digit box."""

    name: str
    cluster: str
    """What it shares its hand or its sheet with: bounds are taken over these, never over pictures."""
    cell: Cell
