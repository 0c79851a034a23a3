"""The self-test's report: signed by the signer, written to a file, printed as a strip with its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509

from firmware.building import software
from firmware.errors import Refused
from firmware.messages import sentence
from firmware.receipt.trial import Slip
from firmware.selftest.board import serial_of
from firmware.selftest.finding import Finding, Level, verdict_of
from firmware.selftest.kiosk import Kiosk
from firmware.selftest.page import MARKS, label, says, verdict_sentence
from firmware.selftest.paper import slip_of
from firmware.selftest.tree import Unknown
from firmware.signing import receipt_code
from firmware.signing.client import SignerClient
from firmware.signing.keys import claims_of
from provisioning import release

LANGUAGE = "id"
"""Of the strip: one language, as the receipts."""


def draft(kiosk: Kiosk, findings: Sequence[Finding]) -> dict[str, Any]:
    """What the signer is asked to sign."""
    return {
        "mode": str(kiosk.config.mode),
        "election": bytes.fromhex(kiosk.config.definition.sha256),
        "tps": kiosk.config.tps.code,
        "software": software(),
        "release": release_version(kiosk),
        "board": _board(kiosk),
        "verdict": str(verdict_of([entry.level for entry in findings])),
        "passed": [entry.name for entry in findings if entry.level is Level.PASSED],
        "notes": {entry.name: entry.code for entry in findings if entry.level is Level.NOTE},
        "not_examined": [entry.name for entry in findings if entry.level is Level.SKIPPED],
        "failed": {entry.name: entry.code for entry in findings if entry.level is Level.FAILED},
    }


def signed(kiosk: Kiosk, findings: Sequence[Finding]) -> bytes:
    """COSE. Raises SignerRefused when no signer answers, or it does not sign this."""
    return SignerClient(kiosk.config.signer_socket).report(draft(kiosk, findings))


def strip(kiosk: Kiosk, findings: Sequence[Finding], report: bytes | None) -> Slip:
    """The strip that goes with the device; without a report it says by its missing code that nobody has signed it."""
    shown = [entry for level in (Level.FAILED, Level.NOTE) for entry in findings if entry.level is level]
    skipped = [label(entry.name, LANGUAGE) for entry in findings if entry.level is Level.SKIPPED]
    lines = [(MARKS[entry.level], f"{label(entry.name, LANGUAGE)}: {says(entry, LANGUAGE)}") for entry in shown]
    if skipped:
        lines.append((MARKS[Level.SKIPPED], sentence("selftest.not-examined", LANGUAGE, names=", ".join(skipped))))
    good = sum(entry.level is Level.PASSED for entry in findings)
    return slip_of(
        kiosk,
        facts=(
            ("serial", _serial(kiosk) if report else "-"),
            ("release", release_version(kiosk) or "-"),
            ("board", _board(kiosk) or "-"),
            ("software", software()),
        ),
        verdict=verdict_sentence(findings, LANGUAGE),
        lines=tuple(lines),
        examined=sentence("selftest.all-good", LANGUAGE, count=good),
        code=receipt_code.encode(report) if report else "",
    )


def release_version(kiosk: Kiosk) -> str:
    """The version that the installed manifest names; empty when there is none that can be read."""
    path = kiosk.tree.path(f"/{release.MANIFEST}")
    if not path.is_file():
        return ""
    try:
        return release.decode(path.read_bytes()).version
    except Refused:
        return ""


def _board(kiosk: Kiosk) -> str:
    try:
        return serial_of(kiosk.tree) or ""
    except Unknown:
        return ""


def _serial(kiosk: Kiosk) -> str:
    """Of the device whose signer answers, as its certificate and its label have it. Raises SignerRefused."""
    der = SignerClient(kiosk.config.signer_socket).device().certificate
    return claims_of(x509.load_der_x509_certificate(der)).serial
