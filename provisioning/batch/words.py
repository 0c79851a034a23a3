"""What laptop and device say to each other: JSON, checked on both sides. Bytes are Base64 in it."""

from __future__ import annotations

import msgspec

from firmware.config import KeyDriver
from firmware.records import Mode


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing unknown."""


class Wish(_Words, frozen=True):
    """Make your keys."""

    serial: str
    world: Mode
    driver: KeyDriver
    tcti: str
    seal: str
    """What a sealed key is sealed with: auto, host, tpm2, host+tpm2."""
    lan: bool
    """A key for the LAN as well."""


class Requests(_Words, frozen=True):
    """The requests of keys that were made here, PEM."""

    device: str
    uplink: str
    lan: str = ""


class Certificates(_Words, frozen=True):
    """What the authorities answered, and whom to believe. PEM, but for the election."""

    root: str
    authority: str
    election: bytes
    """Signed definition."""
    device: str
    """Certificate and its issuer's."""
    tls: str
    """Certificate of the TLS authority."""
    uplink: str
    lan: str = ""
    operators: str = ""
    """Who issues the certificates of laptops; with `lan`."""


class Evidence(_Words, frozen=True):
    """What a ledger held when its evidence was exported and verified elsewhere."""

    records: int
    last: str
    """SHA-256 of the last record, hexadecimal; empty when there is none."""


class Provision(_Words, frozen=True):
    """Be the kiosk of this TPS."""

    kiosk: bytes
    """kiosk.toml."""
    pin: bytes
    """pin.json; empty: the one that is there stays."""
    assignment: bytes
    """Signed."""
    trust: dict[str, bytes]
    """The trust folder of this kiosk, by path in it."""
    evidence: Evidence | None = None
    """What has been exported of the TPS before; records that are neither there nor acknowledged refuse."""


class Seen(_Words, frozen=True):
    """How a device is found."""

    release: str = ""
    """Version; empty: nothing is installed."""
    manifest: str = ""
    """SHA-256 of its release.json."""
    requested: str = ""
    """Serial in its request."""
    serial: str = ""
    """In its certificate; empty: not enrolled."""
    kid: str = ""
    protection: str = ""
    tps: str = ""
    edition: int = 0
    seal: str = ""
    election: str = ""
    """SHA-256 of its definition."""
    assignment: str = ""
    """SHA-256 of the file."""
    fault: str = ""
    """Why the assignment does not hold here, as the code of the refusal: an unfinished step, or a swapped card."""
    kiosk: str = ""
    """SHA-256 of kiosk.toml."""
    pin: str = ""
    """SHA-256 of pin.json; salted, so it tells nothing of the PIN."""
    records: int = 0
    unforwarded: int = 0
    evidence: Evidence = Evidence(0, "")
    day_open: bool = False
    free_mb: int = 0
    unix: int = 0


class Wiped(_Words, frozen=True):
    """What was destroyed, and how surely."""

    destroyed: tuple[str, ...]
    """Evicted from a TPM: gone."""
    overwritten: tuple[str, ...]
    """Overwritten and removed: flash may keep older copies of the cells."""
    trimmed: str
    """What the card said to being told which cells are free; empty when it cannot be told."""


for _kind in (Wish, Requests, Certificates, Evidence, Provision, Seen, Wiped):
    msgspec.json.Decoder(_kind)
    # msgspec resolves a type at its first use, and two threads that do so at the same moment crash the process.
