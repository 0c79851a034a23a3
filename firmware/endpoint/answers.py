"""What the local API says, as types; the OpenAPI description (openapi.py) is made of these and of the routes.

Hashes are lower-case hexadecimal SHA-256, times RFC 3339.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from firmware.day.day import Stage
from firmware.panel.view import ContestStage
from firmware.records import DeliveryState, Mode
from firmware.signing.keys import Protection
from firmware.states import State

PAGE_MOST = 500
"""Most records of one list: a kiosk seals five to ten a day."""
PAGE_USUAL = 100
LOG_MOST = 1_000_000
"""Largest size of a device's log that can be asked for; record.cddl counts as far."""

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
LogSize = Annotated[int, Meta(ge=1, le=LOG_MOST)]


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all that is said."""


class DeliveryEntry(_Answer, frozen=True):
    """How far a record is on its way to one collector."""

    collector: str
    state: DeliveryState
    attempts: int


class ContestEntry(_Answer, frozen=True):
    """One contest of the day."""

    id: str
    stage: ContestStage
    record: Sha256 | None
    """The record that stands."""
    deliveries: tuple[DeliveryEntry, ...]


class Session(_Answer, frozen=True):
    """What the station does now."""

    state: State
    mode: Mode
    tps: str
    day: Stage
    contest: str
    """The one at hand; empty when none is."""
    contests: tuple[ContestEntry, ...]


class RecordEntry(_Answer, frozen=True):
    """One sealed record, for finding it; what is proven stands in the record itself."""

    sequence: int
    sha256: Sha256
    stored_at: Time
    mode: Mode
    tps: str
    contest: str
    supersedes: Sha256 | None
    """The record that this one corrects."""


class Status(_Answer, frozen=True):
    """Where the kiosk stands. What cannot be told is null, with the reason beside it."""

    station: Literal["here", "away"]
    """away: the station does not answer; records are served from the ledger all the same."""
    session: Session | None
    records: int | None
    """Sealed records; null when the ledger cannot be read."""
    newest: RecordEntry | None
    ledger_problem: str | None
    """Code of what is wrong with the ledger."""


class RecordList(_Answer, frozen=True):
    """Records in the order of the chain."""

    records: tuple[RecordEntry, ...]
    next: str | None
    """Address of the following ones; null: these are the last."""


class ImageEntry(_Answer, frozen=True):
    """One picture that a record names."""

    page: int
    sha256: Sha256
    bytes: int


class ImageList(_Answer, frozen=True):
    """The pictures of a record."""

    images: tuple[ImageEntry, ...]


class Inclusion(_Answer, frozen=True):
    """RFC 9162, 2.1.3: the record is entry `leaf_index` of the log of `tree_size` records that has this root.

    The entries are the SHA-256 of the records in the order of the chain. A record signs size and root of the log before
    it, a receipt likewise.
    """

    record: Sha256
    leaf_index: int
    tree_size: int
    root: Sha256
    path: tuple[Sha256, ...]


class Consistency(_Answer, frozen=True):
    """RFC 9162, 2.1.4: the log of the first `from` records is the beginning of the log of the first `to`."""

    from_: int = msgspec.field(name="from")
    to: int
    from_root: Sha256
    to_root: Sha256
    path: tuple[Sha256, ...]


class DeviceAnswer(_Answer, frozen=True):
    """The device certificate, opened: the key that signs this kiosk's records."""

    kid: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    """As records name the key: the first 8 bytes of the SHA-256 of the certificate (DER)."""
    serial: str
    world: Mode
    protection: Protection
    not_before: Time
    not_after: Time


class Problem(_Answer, frozen=True):
    """RFC 9457. `code` is stable and is what a program looks at."""

    title: str
    status: int
    code: str
    detail: str
    """A sentence for people, in Indonesian and English."""
    type: str = "about:blank"


# --- What can be asked ------------------------------------------------------------------------------------------------


class Paging(_Answer, frozen=True):
    """Which part of the records."""

    after: Annotated[int, Meta(ge=0, le=LOG_MOST, description="Only records with a higher sequence number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=PAGE_MOST, description="At most so many.")] = PAGE_USUAL


class AtSize(_Answer, frozen=True):
    """A log of the past."""

    size: Annotated[LogSize, Meta(description="Size of the log; by default all records.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class Between(_Answer, frozen=True):
    """Two logs of the same device."""

    from_: Annotated[LogSize, Meta(description="Size of the older log.")] = msgspec.field(name="from")
    to: Annotated[LogSize, Meta(description="Size of the newer log.")]
