"""What must hold of election and key, before a day and in the self-test alike. Each tells what was seen, or raises."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.config import KioskConfig
from firmware.errors import Refused, SignerRefused
from firmware.signing.client import SignerClient
from firmware.signing.head import compare
from firmware.signing.keys import Device, key_id
from firmware.signing.trust import TrustRoots

SHOWN = 16
"""Hexadecimal digits of a hash that people see."""


def same_election(config: KioskConfig) -> str:
    """The trust folder holds the election definition that the kiosk works with."""
    if TrustRoots.load(config.trust).election.sha256 != config.definition.sha256:
        raise Refused("trust-other-election")
    return config.definition.sha256[:SHOWN]


def device_of_this_world(config: KioskConfig) -> Device:
    """The signer's key is one that the trust folder knows, of the world of this election."""
    device = TrustRoots.load(config.trust).device(key_id(SignerClient(config.signer_socket).device().certificate))
    if device.claims.world is not config.mode:
        raise SignerRefused("signer-mode", mode=str(config.mode), world=str(device.claims.world))
    return device


def key_of_this_world(config: KioskConfig, sealed: Sequence[bytes]) -> str:
    """The signer's key is this election's, and what it has sealed is what the ledger holds."""
    compare(SignerClient(config.signer_socket).head(), sealed)
    claims = device_of_this_world(config).claims
    return f"{claims.serial}, {claims.protection}"
