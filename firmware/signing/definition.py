"""What an election definition says about trust: everything a verifier believes besides the root.

These are the types of the key `trust` of the definition (firmware/config.py has the others); `record.cddl` says the
same. The whole definition is signed (election.py), so what stands here is believed as far as its signature is.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

HexHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256, lower-case hexadecimal."""
KeyIdText = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
"""A key id, lower-case hexadecimal."""
ElectionId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,39}\Z")]
"""Stands in the certificates of the election's authorities."""
Pem = Annotated[str, Meta(max_length=4096)]
"""One certificate."""
MAX_REVOKED = 100_000
"""Revoked devices of one election: more than one in ten of all kiosks."""


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device that is not believed from a time on; 0: never."""

    kid: KeyIdText
    since: Annotated[int, Meta(ge=0, le=9_999_999_999)]
    """Unix time: the earliest at which the key may have been in other hands."""
    reason: Annotated[str, Meta(pattern=r"^[ -~]{1,80}\Z")]


class ElectionTrust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`trust` in an election definition."""

    id: ElectionId
    edition: Annotated[int, Meta(ge=1, le=999_999)]
    """Counts the definitions of this election."""
    earlier: tuple[HexHash, ...]
    """The editions that this one replaces: records that name them stand."""
    issuers: Annotated[tuple[Pem, ...], Meta(min_length=1)]
    """Certificates of the authorities that issue device and collector certificates."""
    layouts: dict[str, HexHash]
    """By form id: the SHA-256 of the layout file."""
    collectors: dict[str, Annotated[tuple[Pem, ...], Meta(min_length=1)]]
    """By collector id: the certificates it signs with."""
    revoked: Annotated[tuple[Revocation, ...], Meta(max_length=MAX_REVOKED)] = ()
