"""What a device holds, taken to another medium and proven there: a folder for each device.

    bundle.tar      the evidence bundle (firmware/signing/bundle.py); not there when no record was ever sealed
    device.tar      assignments and hand-overs, as they lie on the device
    trust/          what the bundle is verified with, by anybody: `c1kiosk verify --trust trust bundle.tar`
    evidence.json   how many records, the last one's hash, the hash of the bundle

`prove` reads all of it back from the medium, not from the memory of the machine that wrote it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from firmware.errors import Refused
from firmware.signing.bundle import examine_bundle
from firmware.signing.evidence import compare
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import VerifiedRecord
from provisioning.authority.issuing import ProvisioningRefused
from provisioning.batch.words import Evidence

BUNDLE, DEVICE, TRUST, SUMMARY = "bundle.tar", "device.tar", "trust", "evidence.json"


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """evidence.json."""

    serial: str
    evidence: Evidence
    bundle: str
    """SHA-256 of bundle.tar; empty when there is none."""

    @property
    def name(self) -> str:
        """What the inventory calls it: the hash of the bundle, or of this summary when there is no bundle."""
        return self.bundle or hashlib.sha256(msgspec.json.encode(self)).hexdigest()


msgspec.json.Decoder(Summary)
# Resolved now, by one thread (words.py).


def prove(folder: Path, serial: str) -> Summary:
    """What is proven by what lies in `folder`. Raises ProvisioningRefused("evidence-unverified")."""
    try:
        summary = msgspec.json.decode(_fresh(folder / SUMMARY), type=Summary)
    except (OSError, msgspec.MsgspecError) as problem:
        raise _unproven(serial, str(problem)) from problem
    if summary.serial != serial:
        raise _unproven(serial, f"of device {summary.serial}")
    if not (folder / DEVICE).exists() or bool(summary.evidence.records) is not bool(summary.bundle):
        raise _unproven(serial, "incomplete")
    if summary.bundle:
        _prove_bundle(folder, summary)
    return summary


def _prove_bundle(folder: Path, summary: Summary) -> None:
    path = folder / BUNDLE
    if not path.exists() or hashlib.sha256(_fresh(path)).hexdigest() != summary.bundle:
        raise _unproven(summary.serial, "the bundle is not the one that was written")
    try:
        trust = TrustRoots.load(folder / TRUST)
    except Refused as refusal:
        raise _unproven(summary.serial, str(refusal)) from refusal
    with path.open("rb") as file:
        findings = examine_bundle(path.name, file, trust)
    for finding in [*findings, compare(findings)]:
        if finding.refusal:
            raise _unproven(summary.serial, f"{finding.name}: {finding.refusal}")
    records = [entry.verified for entry in findings if isinstance(entry.verified, VerifiedRecord)]
    last = max(records, key=lambda entry: entry.record.sequence).sha256.hex() if records else ""
    if Evidence(len(records), last) != summary.evidence:
        raise _unproven(summary.serial, "records are missing in it")


def other_medium(folder: Path, state: Path) -> bool:
    """Whether a folder lies on another file system than the device's own state."""
    return folder.stat().st_dev != state.stat().st_dev


def _fresh(path: Path) -> bytes:
    """The bytes as they come from the medium."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def _unproven(serial: str, problem: str) -> ProvisioningRefused:
    return ProvisioningRefused("evidence-unverified", serial=serial, problem=problem)
