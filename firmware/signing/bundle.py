"""An evidence bundle: everything about one kiosk's records in one archive (archive.py), and what must be in it.

    index.json                          of the archive
    election.cose or election.json      the definition that the records name
    layouts/<form>.toml                 the form layouts of the records
    devices.pem                         the certificates of the devices that signed
    records/<number>.cose               <number> is the record's sequence, six digits
    receipts/<number>.cose              the receipt of each record
    acknowledgements/<number>.<collector>.cose
    pictures/<sha256>.<kind>            every picture that a record names, as the camera gave it
    checkpoint.txt                      the head of the log (checkpoint.py), when the signer was asked for it
    proofs/<number>.tlog-proof          that the record is in the log of the checkpoint (proof.py)
    proofs/<number>.consistency         that the log before the record is the beginning of it
    journal.jsonl                       the audit journal (audit.py)

A bundle brings evidence, never trust: definition and layouts must be those of the verifier's own trust folder, and a
device certificate must be issued by an authority that the folder knows. Nothing may be missing, nothing may be there
that is not in this list, and every record's journal head must be a head of the journal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

from firmware.errors import Refused, VerificationRefused
from firmware.signing import archive
from firmware.signing.audit import check_journal
from firmware.signing.claims import Claim, Report
from firmware.signing.evidence import Finding, Told, examine
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import VerifiedAcknowledgement, VerifiedProof, VerifiedReceipt, VerifiedRecord

DEVICES, JOURNAL, CHECKPOINT = "devices.pem", "journal.jsonl", "checkpoint.txt"
SIGNED_ELECTION, ELECTION = "election.cose", "election.json"
MAX_HELD_BYTES = 256 * 1024 * 1024
"""Of everything but pictures, which are looked at one by one."""

_MESSAGE = re.compile(
    r"(records|receipts)/[0-9]{6}\.cose|acknowledgements/[0-9]{6}\.[a-z0-9.-]+\.cose"
    r"|proofs/[0-9]{6}\.(tlog-proof|consistency)|checkpoint\.txt|election\.cose"
)
_OTHER = re.compile(r"election\.json|devices\.pem|journal\.jsonl|layouts/[a-z0-9.-]+\.toml")
Kind = TypeVar("Kind")
_PICTURE = re.compile(r"pictures/([0-9a-f]{64})\.(jpg|png|webp|bin)")


@dataclass(slots=True)
class _Content:
    """What the archive held."""

    messages: dict[str, bytes] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    pictures: set[bytes] = field(default_factory=set)
    """SHA-256 of each."""


def is_bundle(beginning: bytes) -> bool:
    """Whether a file that begins like this says that it is a bundle."""
    return beginning.startswith(archive.INDEX.encode() + b"\0")


def examine_bundle(name: str, file: BinaryIO, trust: TrustRoots) -> list[Finding]:
    """The bundle as a whole, then each message in it. What the messages say together is for evidence.compare."""
    told = Told()
    findings: list[Finding] = []
    try:
        content = _content(file, told)
        widened = trust.with_devices(_there(content, DEVICES), DEVICES)
        found = {entry: examine(f"{name}: {entry}", data, widened) for entry, data in content.messages.items()}
        findings = list(found.values())
        _check_whole(content, found, widened, told)
    except Refused as refusal:
        return [Finding(name, tuple(told.claims), None, refusal), *findings]
    return [Finding(name, tuple(told.claims), None, None), *findings]


def picture_name(sha256: bytes, data: bytes) -> str:
    """The member that holds a picture; its ending is for people."""
    kinds = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n": "png", b"RIFF": "webp"}
    kind = next((kind for begins, kind in kinds.items() if data.startswith(begins)), "bin")
    return f"pictures/{sha256.hex()}.{kind}"


def _content(file: BinaryIO, report: Report) -> _Content:
    """Raises VerificationRefused (`bundle-...`)."""
    content, held, count = _Content(), 0, 0
    for member in archive.read(file):
        count += 1
        if found := _PICTURE.fullmatch(member.name):
            if found[1] != member.sha256:
                raise VerificationRefused("bundle-picture", name=member.name)
            content.pictures.add(bytes.fromhex(found[1]))
            continue
        held += len(member.data)
        if held > MAX_HELD_BYTES:
            raise VerificationRefused("bundle-too-large", most=MAX_HELD_BYTES)
        if _MESSAGE.fullmatch(member.name):
            content.messages[member.name] = member.data
        elif _OTHER.fullmatch(member.name):
            content.others[member.name] = member.data
        else:
            raise VerificationRefused("bundle-extra", name=member.name)
    report(Claim("bundle-index", {"members": count}))
    return content


def _check_whole(content: _Content, found: Mapping[str, Finding], trust: TrustRoots, report: Report) -> None:
    records = _records(found)
    _check_names(found, records)
    _check_pictures(content, records, report)
    _check_election(content, records, trust, report)
    _check_devices(content, records, trust)
    _check_proofs(found, records, report)
    _check_journals(_there(content, JOURNAL), records, report)


def _records(found: Mapping[str, Finding]) -> dict[int, VerifiedRecord]:
    """The records that hold, by sequence; those that do not say so themselves."""
    records: dict[int, VerifiedRecord] = {}
    for name, finding in found.items():
        if name.startswith("records/"):
            records[_number(name)] = _verified(finding, VerifiedRecord, name)
    if not records:
        raise VerificationRefused("bundle-missing", name="records")
    return records


def _verified(finding: Finding, kind: type[Kind], name: str) -> Kind:
    if not isinstance(finding.verified, kind):
        raise VerificationRefused("bundle-member", name=name)
    return finding.verified


def _number(name: str) -> int:
    return int(name.partition("/")[2][:6])


def _check_names(found: Mapping[str, Finding], records: Mapping[int, VerifiedRecord]) -> None:
    """Every member is about the record whose number is in its name, and every record has its receipt."""
    for number, record in records.items():
        if record.record.sequence != number:
            raise VerificationRefused("bundle-name", name=f"records/{number:06d}.cose")
        if f"receipts/{number:06d}.cose" not in found:
            raise VerificationRefused("bundle-missing", name=f"receipts/{number:06d}.cose")
    for name, finding in found.items():
        folder = name.partition("/")[0]
        if folder not in ("receipts", "acknowledgements"):
            continue
        about = records.get(_number(name))
        if folder == "receipts":
            sha256 = _verified(finding, VerifiedReceipt, name).statement.record
        else:
            sha256 = _verified(finding, VerifiedAcknowledgement, name).record
        if about is None or about.sha256 != sha256:
            raise VerificationRefused("bundle-name", name=name)


def _check_pictures(content: _Content, records: Mapping[int, VerifiedRecord], report: Report) -> None:
    named = {page.sha256 for record in records.values() for page in record.record.pages}
    for missing in sorted(named - content.pictures):
        raise VerificationRefused("bundle-missing", name=f"pictures/{missing.hex()}")
    for extra in sorted(content.pictures - named):
        raise VerificationRefused("bundle-extra", name=f"pictures/{extra.hex()}")
    report(Claim("bundle-pictures", {"pictures": len(named)}))


def _check_election(
    content: _Content, records: Mapping[int, VerifiedRecord], trust: TrustRoots, report: Report
) -> None:
    """The definition is one that the trust folder knows; the layouts are those of the records."""
    if ELECTION in content.others:
        sha256 = hashlib.sha256(content.others[ELECTION]).hexdigest()
        if trust.root or sha256 != trust.election.sha256:
            raise VerificationRefused("election-other", found=sha256, expected=trust.election.sha256)
    elif SIGNED_ELECTION not in content.messages:
        raise VerificationRefused("bundle-missing", name=SIGNED_ELECTION)
    given = {
        hashlib.sha256(data).digest(): name for name, data in content.others.items() if name.startswith("layouts/")
    }
    named = {record.record.layout: f"layouts/{record.record.form}.toml" for record in records.values()}
    if given != named:
        wrong = min({*given.values()} ^ {*named.values()}, default=min(named.values()))
        raise VerificationRefused("bundle-name", name=wrong)
    report(Claim("bundle-election", {"name": trust.election.election.name, "layouts": len(named)}))


def _check_devices(content: _Content, records: Mapping[int, VerifiedRecord], trust: TrustRoots) -> None:
    """No certificate of a device that signed nothing here."""
    signed = {record.kid for record in records.values()}
    if set(trust.only_devices(content.others[DEVICES], DEVICES)) != signed:
        raise VerificationRefused("bundle-extra", name=DEVICES)


def _check_proofs(found: Mapping[str, Finding], records: Mapping[int, VerifiedRecord], report: Report) -> None:
    """With a checkpoint every record has its proofs, each about its record; whether they hold evidence.compare says."""
    wanted = {f"proofs/{number:06d}.tlog-proof" for number in records}
    wanted |= {f"proofs/{number:06d}.consistency" for number in records if number > 1}
    given = {name for name in found if name.startswith("proofs/")}
    wrong = given ^ (wanted if CHECKPOINT in found else set())
    if wrong:
        raise VerificationRefused("bundle-name", name=min(wrong))
    for name in given:
        if _verified(found[name], VerifiedProof, name).proof.number != _number(name) - 1:
            raise VerificationRefused("bundle-name", name=name)
    report(Claim("bundle-proofs", {"proofs": len(given)}) if given else Claim("bundle-no-checkpoint", {}))


def _check_journals(journal: bytes, records: Mapping[int, VerifiedRecord], report: Report) -> None:
    """Each record's journal head is one of the journal's, and no later record names an earlier head."""
    heads = check_journal(journal)
    places = {head: place for place, head in enumerate(heads)}
    before = 0
    for number in sorted(records):
        place = places.get(records[number].record.journal)
        if place is None or place < before:
            raise VerificationRefused("journal-head", record=records[number].sha256.hex())
        before = place
    report(Claim("bundle-journal", {"events": len(heads) - 1, "records": len(records)}))


def _there(content: _Content, name: str) -> bytes:
    if name not in content.others:
        raise VerificationRefused("bundle-missing", name=name)
    return content.others[name]


def verified_records(findings: Sequence[Finding]) -> list[VerifiedRecord]:
    """The records among findings."""
    return [entry.verified for entry in findings if isinstance(entry.verified, VerifiedRecord)]
