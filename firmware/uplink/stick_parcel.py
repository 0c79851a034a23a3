"""The bundle of this kiosk as it is put onto a stick: everything in the ledger, with the signer's word on its log."""

from __future__ import annotations

import structlog

from firmware.config import KioskConfig
from firmware.errors import LedgerRefused, Refused
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.signing.bundling import acknowledgements_of, gather
from firmware.signing.checkpoint import verify
from firmware.signing.client import SignerClient
from firmware.signing.cose import parse
from firmware.signing.trust import TrustRoots
from firmware.uplink.stick import Parcel, owner_of

_log = structlog.get_logger(__name__)


def parcel_of(config: KioskConfig, ledger: Ledger) -> Parcel | None:
    """The bundle of everything in the ledger, which has to stay open; None without a record. Raises Refused."""
    records = ledger.records()
    if not records:
        return None
    trust = TrustRoots.load(config.trust)
    device = trust.device(parse(records[-1].sealed.cose).kid)
    words = _acknowledgements(config, ledger)
    head = _checkpoint(config, trust, records[-1].sealed.cose, len(records))
    members = gather(ledger, config.trust, words, head)
    owner = owner_of(config.tps.code, device.claims.serial)
    return Parcel(owner, len(records), members.entries(), members.__getitem__)


def _acknowledgements(config: KioskConfig, ledger: Ledger) -> dict[str, bytes]:
    """Without an outbox nothing was ever sent."""
    try:
        with Outbox.open(config.outbox_folder, readonly=True) as outbox:
            return acknowledgements_of(outbox, ledger.records())
    except LedgerRefused as refusal:
        _log.warning("stick.no-acknowledgements", code=refusal.code)
        return {}


def _checkpoint(config: KioskConfig, trust: TrustRoots, newest: bytes, records: int) -> bytes | None:
    """The signer's word on the log of these records; a bundle without it is good evidence, too."""
    try:
        note = SignerClient(config.head_socket).checkpoint()
        size = verify(note, trust.device(parse(newest).kid)).size
    except Refused as refusal:
        _log.warning("stick.no-checkpoint", code=refusal.code)
        return None
    if size != records:  # sealed this moment, and not in the ledger yet
        _log.warning("stick.no-checkpoint", code="signer-head", size=size, records=records)
        return None
    return note
