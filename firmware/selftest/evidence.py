"""What makes this device believable: election, key, certificate, assignment, ledger; and its way to the collectors.

The checks that also stand before a day are shared with it (day/evidence.py). Nothing is changed, and the key is asked
to sign nothing but the head of its log.
"""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware.building import form_of
from firmware.config import SELF_MADE_KEYS, KeyDriver, UplinkFiles
from firmware.day.custody import examine as hand_overs
from firmware.day.custody import told
from firmware.day.evidence import device_of_this_world, same_election
from firmware.errors import VerificationRefused
from firmware.ledger.store import Ledger
from firmware.selftest.board import serial_of
from firmware.selftest.finding import Outcome, bad, good, note
from firmware.selftest.kiosk import Kiosk
from firmware.signing import checkpoint, enrolment
from firmware.signing.assignment import Device as Assigned
from firmware.signing.assignment import check_assignment, read_assignment
from firmware.signing.certificates import load_certificates
from firmware.signing.client import SignerClient
from firmware.signing.head import compare
from firmware.signing.keys import Protection, key_id
from firmware.signing.officers import OfficerTrust
from firmware.signing.trust import TrustRoots

PROTECTION = {
    KeyDriver.TPM: Protection.TPM,
    KeyDriver.SEALED_CREDENTIAL: Protection.SEALED_FILE,
    KeyDriver.TRAINING_FILE: Protection.PLAIN_FILE,
    KeyDriver.DEVELOPMENT_FILE: Protection.PLAIN_FILE,
}
"""How a key is kept by each driver of `[key]`."""
LASTS_LEAST = timedelta(days=30)
"""From the self-test in the office to the end of the count, with the days until the records have arrived."""
CONNECT_SECONDS = 3.0
"""To a collector: more than a mobile network takes that works."""


def election(kiosk: Kiosk) -> Outcome:
    """The election definition is the trust folder's, and the program knows its forms."""
    seen = same_election(kiosk.config)
    for contest in kiosk.config.definition.election.contests:
        form_of(contest)
    return good(seen)


def key(kiosk: Kiosk) -> Outcome:
    """The signer's key is known to this election, kept as kiosk.toml says, and signs."""
    device = device_of_this_world(kiosk.config)
    signer, claims = SignerClient(kiosk.config.signer_socket), device.claims
    wanted = PROTECTION[kiosk.config.file.key.driver]
    if not claims.protection is signer.device().protection is wanted:
        return bad("key-protection", claims.serial, says=str(claims.protection), wanted=str(wanted))
    checkpoint.verify(signer.checkpoint(), device)
    return good(f"{claims.serial}, {claims.protection}")


def certificate(kiosk: Kiosk) -> Outcome:
    """The device's certificate: valid now and for the days of the election, and not revoked."""
    device = device_of_this_world(kiosk.config)
    kid = key_id(device.certificate.public_bytes(Encoding.DER))
    if kid in TrustRoots.load(kiosk.config.trust).revoked:
        return bad("certificate-revoked", device.claims.serial)
    return _validity("certificate", device.certificate, kiosk.clock().unix)


def _validity(what: str, found: x509.Certificate, unix: int) -> Outcome:
    now, begin, end = datetime.fromtimestamp(unix, UTC), found.not_valid_before_utc, found.not_valid_after_utc
    seen = f"{end:%Y-%m-%d}"
    if now < begin:
        return bad(f"{what}-early", seen, begin=f"{begin:%Y-%m-%d}")
    if now > end:
        return bad(f"{what}-expired", seen, end=seen)
    return good(seen) if now + LASTS_LEAST <= end else note(f"{what}-ends", seen, end=seen)


# --- which device, where it stands ----------------------------------------------------------------------------------


def same_board(kiosk: Kiosk) -> Outcome:
    """The board is the one that the key was made on: the card was not put into another one."""
    name, found = kiosk.config.key_folder / "key" / enrolment.BOARD_NAME, serial_of(kiosk.tree)
    if found is None or not re.fullmatch(r"[0-9a-zA-Z]{4,32}", found):
        return bad("board-unknown")
    if not name.exists():
        self_made = kiosk.config.file.key.driver in SELF_MADE_KEYS
        return note("board-self-made", found) if self_made else bad("board-unbound", found)
    born_on = name.read_text(encoding="ascii").strip()
    return good(found) if born_on == found else bad("board-swapped", found, found=found, said=born_on)


def assignment(kiosk: Kiosk) -> Outcome:
    """A technician gave this device, with this key, to this TPS. Raises VerificationRefused("assignment-...")."""
    device = device_of_this_world(kiosk.config)
    data = read_assignment(kiosk.folder)
    trust = OfficerTrust.of(TrustRoots.load(kiosk.config.trust))
    said = check_assignment(data, trust, Assigned.of(kiosk.config, device.certificate))
    return good(said.seal)


def custody(kiosk: Kiosk) -> Outcome:
    """Through whose hands it came: worth knowing here, and shown again before the day (day/custody.py)."""
    found = hand_overs(kiosk.config)
    if found is None:
        return note("custody-none")
    if found.ok:
        return good(found.seen)
    return note("custody-note", problem=told(found, "id"))


def ledger(kiosk: Kiosk) -> Outcome:
    """The ledger is whole, and holds what the signer has sealed."""
    with Ledger.open(kiosk.config.ledger_folder, readonly=True) as opened:
        opened.check()
        sealed = opened.record_hashes()
        compare(SignerClient(kiosk.config.signer_socket).head(), sealed)
    return good(str(len(sealed)))


# --- the way to the collectors --------------------------------------------------------------------------------------


def uplink(kiosk: Kiosk) -> Outcome:
    """The certificate that tells collectors who this kiosk is: valid, of its key, and never the key that signs."""
    files, collectors = kiosk.config.uplink_tls, kiosk.config.definition.election.collectors
    if files is None:
        needed = any(entry.url.startswith("https:") for entry in collectors)
        return bad("uplink-missing") if needed else note("uplink-none")
    found = load_certificates(files.certificate.read_bytes(), files.certificate.name)[0]
    if _spki(found) != _spki_of_key(files):
        return bad("uplink-other-key", files.key.name)
    signs = x509.load_der_x509_certificate(SignerClient(kiosk.config.signer_socket).device().certificate)
    if _spki(found) == _spki(signs):
        return bad("uplink-signing-key", files.key.name)
    return _validity("uplink", found, kiosk.clock().unix)


def _spki(found: x509.Certificate) -> bytes:
    return found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _spki_of_key(files: UplinkFiles) -> bytes:
    try:
        opened = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except (ValueError, TypeError) as problem:
        raise VerificationRefused("trust-unreadable", file=files.key.name, problem="PEM") from problem
    return opened.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def collectors(kiosk: Kiosk) -> Outcome:
    """Which collectors answer from here: worth knowing, and no more, for a warehouse may have no network."""
    wanted = kiosk.config.definition.election.collectors
    away = [entry.id for entry in wanted if not _answers(entry.url)]
    seen = f"{len(wanted) - len(away)} / {len(wanted)}"
    return note("collectors-away", seen, names=", ".join(away)) if away else good(seen)


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        with socket.create_connection(address, CONNECT_SECONDS):
            return True
    except (OSError, ValueError):
        return False
