"""`c1kiosk verify`: anybody checks a record, a receipt, an acknowledgement, offline, with the trust folder given.

One line is printed for each claim that was checked, in Indonesian and English, then the values, then the verdict.
Exit status 0 only when everything holds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from firmware.errors import Refused, VerificationRefused
from firmware.messages import both
from firmware.signing.bundle import examine_bundle, is_bundle
from firmware.signing.evidence import Finding, compare, examine
from firmware.signing.handover import Event
from firmware.signing.trust import TrustRoots
from firmware.signing.validity import utc
from firmware.signing.verification import (
    Verified,
    VerifiedAcknowledgement,
    VerifiedCheckpoint,
    VerifiedElection,
    VerifiedProof,
    VerifiedReceipt,
    VerifiedRecord,
    VerifiedSelfTest,
)

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Largest file looked at that is no bundle: a photograph of a receipt is under 20 MB."""
_BEGINNING = 64
"""Bytes that tell a bundle."""


@click.command("verify")
@click.option("--trust", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True)
@click.option("--json", "as_json", is_flag=True, help="Machine output instead of sentences.")
@click.option("--reread", "again", is_flag=True, help="Read the pictures of bundles again and compare.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def verify_command(folder: Path, files: tuple[Path, ...], as_json: bool, again: bool) -> None:
    """Check evidence: a bundle, a record, an acknowledgement, a receipt (picture, text or COSE), a log proof."""
    if again and not any(map(_is_bundle, files)):
        raise click.UsageError("--reread needs a bundle: only there are the pictures")
    try:
        trust = TrustRoots.load(folder)
    except Refused as refusal:
        findings, fingerprint = [Finding(str(folder), (), None, refusal)], ""
    else:
        findings, fingerprint = _findings(files, trust, again), trust.fingerprint
    holds = all(finding.refusal is None for finding in findings)
    if as_json:
        click.echo(json.dumps(_document(findings, fingerprint, holds), indent=1))
    else:
        _print(findings, fingerprint, holds)
    sys.exit(0 if holds else 1)


def _findings(files: Sequence[Path], trust: TrustRoots, again: bool) -> list[Finding]:
    findings = [finding for path in files for finding in _examine(path, trust, again)]
    together = compare(findings)
    return [*findings, together] if together.claims or together.refusal else findings


def _is_bundle(path: Path) -> bool:
    with path.open("rb") as file:
        return is_bundle(file.read(_BEGINNING))


def _examine(path: Path, trust: TrustRoots, again: bool) -> list[Finding]:
    with path.open("rb") as file:
        if is_bundle(file.read(_BEGINNING)):
            file.seek(0)
            findings = examine_bundle(str(path), file, trust)
            return [*findings, *_reread(path, file, findings, trust)] if again else findings
        file.seek(0)
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        return [Finding(str(path), (), None, VerificationRefused("file-too-large", most=MAX_FILE_BYTES))]
    return [examine(str(path), data, trust)]


def _reread(path: Path, file: BinaryIO, findings: Sequence[Finding], trust: TrustRoots) -> list[Finding]:
    """What the pictures say, record by record; nothing when the bundle does not hold."""
    if any(finding.refusal for finding in findings):
        return []
    # Only this needs the digit model and the image library.
    from firmware.signing.reread import reread_bundle

    return [
        Finding(f"{path}: {name}", claims, None, None) for name, claims in reread_bundle(file, findings, trust).items()
    ]


def _print(findings: Sequence[Finding], fingerprint: str, holds: bool) -> None:
    if fingerprint:
        click.echo(both("verify.trust", fingerprint=fingerprint))
    for finding in findings:
        click.echo(f"{finding.name or both('verify.together')}:")
        for claim in finding.claims:
            click.echo(f"  [v] {both('verify.' + claim.key, **claim.values)}")
        for line in _facts(finding.verified):
            click.echo(f"      {line}")
        if finding.refusal:
            click.echo(f"  [x] {finding.refusal.code}: {_sentence(finding.refusal)}")
    worlds = {world for world in map(_world, findings) if world not in ("", "real")}
    for world in sorted(worlds):
        click.echo(both("verify.not-real", world=world.upper()))
    click.echo(both("verify.limits"))
    click.echo(both("verify.holds" if holds else "verify.refused"))


def _sentence(refusal: Refused) -> str:
    return both(f"error.{refusal.code}", **refusal.details)


def _facts(verified: Verified | None) -> list[str]:
    match verified:
        case VerifiedRecord(record=record):
            facts = {"tps": record.tps, "contest": record.contest, "sha256": verified.sha256.hex()}
            facts["time"] = f"{utc(record.time.unix)} ({record.time.clock})"
            facts["failed"] = ", ".join(entry.rule for entry in record.failed) or "-"
            facts |= {"supersedes": record.supersedes.hex()} if record.supersedes else {}
        case VerifiedReceipt(statement=statement):
            facts = {"tps": statement.tps, "contest": statement.contest, "sha256": statement.record.hex()}
            facts["time"] = utc(statement.unix)
        case VerifiedAcknowledgement():
            facts = {"sha256": verified.record.hex()}
        case VerifiedElection():
            facts = {"sha256": verified.sha256.hex()}
        case VerifiedCheckpoint():
            facts = {"size": str(verified.size), "root": verified.root.hex()}
        case VerifiedProof(proof=proof):
            facts = {"proof": proof.kind.name.lower(), "number": str(proof.number)}
        case VerifiedSelfTest(report=report):
            facts = {
                "verdict": report.verdict,
                "tps": report.tps,
                "time": f"{utc(report.time.unix)} ({report.time.clock})",
            }
            facts |= {"release": report.release or "-", "software": report.software, "board": report.board or "-"}
            facts["failed"] = ", ".join(f"{name} ({code})" for name, code in report.failed.items()) or "-"
            facts["not-examined"] = ", ".join(report.not_examined) or "-"
        case Event(said=said):
            facts = {"sha256": verified.sha256.hex(), "time": utc(said.unix), "place": said.place}
            facts |= {"giver": f"{said.giver.name} ({said.giver.role})"}
            facts |= {
                "receiver": f"{said.receiver.name} ({said.receiver.role})",
                "seal": f"{said.seal} {said.seal_state}",
            }
        case None:
            facts = {}
    return [f"{name} = {value}" for name, value in (facts | _results(verified)).items()]


def _results(verified: Verified | None) -> dict[str, Any]:
    if not isinstance(verified, VerifiedRecord | VerifiedReceipt):
        return {}
    return {name: "-" if value is None else value for name, value in verified.results.items()}


def _world(finding: Finding) -> str:
    verified = finding.verified
    kinds = VerifiedRecord | VerifiedReceipt | VerifiedSelfTest
    return str(verified.device.claims.world) if isinstance(verified, kinds) else ""


def _document(findings: Sequence[Finding], fingerprint: str, holds: bool) -> dict[str, Any]:
    return {"holds": holds, "trust": fingerprint, "files": [_entry(finding) for finding in findings]}


def _entry(finding: Finding) -> dict[str, Any]:
    verified, refusal = finding.verified, finding.refusal
    kinds = {
        VerifiedRecord: "record",
        VerifiedReceipt: "receipt",
        VerifiedAcknowledgement: "acknowledgement",
        VerifiedElection: "election",
        VerifiedCheckpoint: "checkpoint",
        VerifiedProof: "proof",
        VerifiedSelfTest: "self-test",
        Event: "hand-over",
    }
    return {
        "file": finding.name or None,
        "kind": kinds[type(verified)] if verified else None,
        "world": _world(finding) or None,
        "claims": [{"claim": claim.key, **claim.values} for claim in finding.claims],
        "results": dict(verified.results) if isinstance(verified, VerifiedRecord | VerifiedReceipt) else None,
        "refused": {"code": refusal.code, "details": refusal.details} if refusal else None,
    }
