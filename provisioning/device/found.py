"""How a device is found: what is installed, whose it is, what it holds. Reads, and only reads."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware.config import KioskConfig, load_config
from firmware.errors import Refused
from firmware.ledger.idle import check_idle
from firmware.ledger.outbox import Outbox
from firmware.ledger.store import Ledger
from firmware.records import DeliveryState
from firmware.signing import assignment, enrolment
from firmware.signing.keys import claims_of, key_id
from firmware.signing.officers import OfficerTrust
from provisioning import release
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.words import Evidence, Seen
from provisioning.device.ground import PIN, Ground


def look(ground: Ground) -> Seen:
    """How the device is found. Raises Refused when what is there cannot be read."""
    manifest = ground.program / "release.json"
    data = manifest.read_bytes() if manifest.exists() else b""
    wished = request_of(ground)
    free = shutil.disk_usage(ground.state if ground.state.exists() else "/").free
    found: dict[str, Any] = {**_enrolled(ground), **_assigned(ground), **_ledger(ground)}
    return Seen(
        release=release.decode(data).version if data else "",
        manifest=hashlib.sha256(data).hexdigest() if data else "",
        requested=claims_of(wished).serial if wished else "",
        kiosk=_digest(ground.etc / "kiosk.toml"),
        pin=_digest(ground.etc / PIN),
        free_mb=free // 1_000_000,
        unix=int(time.time()),
        **found,
    )


def _enrolled(ground: Ground) -> dict[str, str]:
    if not (ground.key / enrolment.ISSUED_NAME).exists():
        return {}
    certificate = enrolment.load(ground.key).certificate
    claims = claims_of(certificate)
    return {"serial": claims.serial, "kid": _kid(certificate).hex(), "protection": str(claims.protection)}


def _assigned(ground: Ground) -> dict[str, Any]:
    if not (ground.etc / assignment.NAME).exists():
        return {}
    data = assignment.read_assignment(ground.etc)
    try:
        config = load_config(ground.etc / "kiosk.toml")
        opened = assignment.check_assignment(data, OfficerTrust.of_device(config), device_of(ground, config))
    except Refused as refusal:
        return {"fault": refusal.code}
    said = {"tps": opened.device.tps, "edition": opened.edition, "seal": opened.seal}
    return said | {"election": config.definition.sha256, "assignment": hashlib.sha256(data).hexdigest()}


def _ledger(ground: Ground) -> dict[str, Any]:
    if not (ground.ledger / "ledger.sqlite").exists():
        return {}
    with Ledger.open(ground.ledger, readonly=True) as ledger:
        hashes = ledger.record_hashes()
    acknowledged = _acknowledged(ground.state / "outbox")
    return {
        "records": len(hashes),
        "unforwarded": len(set(hashes) - acknowledged),
        "evidence": Evidence(len(hashes), hashes[-1].hex() if hashes else ""),
        "day_open": _day_open(ground),
    }


def _acknowledged(folder: Path) -> set[bytes]:
    if not (folder / "outbox.sqlite").exists():
        return set()
    with Outbox.open(folder, readonly=True) as outbox:
        return {entry.record for entry in outbox.deliveries() if entry.state is DeliveryState.ACKNOWLEDGED}


def _day_open(ground: Ground) -> bool:
    try:
        check_idle(ground.ledger)
    except Refused as refusal:
        if refusal.code == "day-open":
            return True
        raise
    return False


def check_free(ground: Ground, serial: str, evidence: Evidence | None) -> None:
    """Nothing is lost when the device becomes another's: no day is open, and every record is elsewhere too."""
    found = look(ground)
    if found.day_open:
        raise ProvisioningRefused("device-day-open", serial=serial)
    if found.unforwarded and evidence is None:
        raise ProvisioningRefused("device-unforwarded", serial=serial, count=found.unforwarded)
    if evidence is not None and evidence != found.evidence:
        raise ProvisioningRefused("evidence-moved", serial=serial)


def request_of(ground: Ground) -> x509.CertificateSigningRequest | None:
    """The request of the device key, when one was made."""
    path = ground.key / enrolment.REQUEST_NAME
    return x509.load_pem_x509_csr(path.read_bytes()) if path.exists() else None


def device_of(ground: Ground, config: KioskConfig) -> assignment.Device:
    """What the device is by its configuration and its certificate. Raises Refused."""
    return assignment.Device.of(config, enrolment.load(ground.key).certificate)


def _kid(certificate: x509.Certificate) -> bytes:
    return key_id(certificate.public_bytes(Encoding.DER))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
