"""Reads the pictures of a bundle again, with the model that came with this program, and holds the signed values
against what is read: the pictures speak for themselves. What is read anew decides nothing; a person looks.

A field is told as

    same       the machine reads the final value
    corrected  the machine reads what it read then, and a person corrected it
    differs    the machine reads something else than then, and than what was signed
    unread     the machine reads no number now
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from firmware.capture.page import take_page
from firmware.capture.picture import frame_from_bytes
from firmware.digit_model.classifier import DigitModel
from firmware.forms.layout import FormLayout
from firmware.reading import MODELS, read_pages
from firmware.records import Frame, Page
from firmware.signing import archive
from firmware.signing.bundle import verified_records
from firmware.signing.claims import Claim, Report
from firmware.signing.evidence import Finding
from firmware.signing.schema import FieldEntry, RecordEntry
from firmware.signing.trust import TrustRoots


class Seen(StrEnum):
    """How a signed field looks when it is read again."""

    SAME = "same"
    CORRECTED = "corrected"
    DIFFERS = "differs"
    UNREAD = "unread"


def judge(field: FieldEntry, read: int | None) -> Seen:
    """What a fresh reading says about a signed field."""
    if read is None:
        return Seen.SAME if field.value is None and field.machine.value is None else Seen.UNREAD
    if read == field.value:
        return Seen.SAME
    return Seen.CORRECTED if read == field.machine.value else Seen.DIFFERS


def reread_bundle(
    file: BinaryIO, findings: Sequence[Finding], trust: TrustRoots, models: Path = MODELS
) -> dict[str, tuple[Claim, ...]]:
    """Per record of a bundle that holds, what its pictures say; by `reread/<number>`. Raises ModelRefused."""
    model = DigitModel.load(models)
    told: dict[str, tuple[Claim, ...]] = {}
    for verified in verified_records(findings):
        record = verified.record
        layout = trust.layout(record.layout)
        limits = trust.election.limits(record.contest, record.tps, layout.limits)
        claims: list[Claim] = []
        reread(record, _frames(file, record), layout, limits, model, claims.append)
        told[f"reread/{record.sequence:06d}"] = tuple(claims)
    return told


def reread(
    record: RecordEntry,
    frames: Mapping[int, Frame],
    layout: FormLayout,
    limits: Mapping[str, int],
    model: DigitModel,
    tell: Report,
) -> None:
    """Tells a claim for every field that is not the same, and one for all; `frames` are by page number."""
    values = _values(_pages(frames, layout, tell), layout, model, limits)
    counts: Counter[Seen] = Counter()
    for field in record.fields:
        read = values.get(field.id)
        seen = judge(field, read)
        counts[seen] += 1
        if seen is not Seen.SAME:
            told, signed = _text(read), _text(field.value)
            tell(Claim("reread-field", {"field": field.id, "seen": str(seen), "read": told, "signed": signed}))
    same = "=" if model.sha256 == record.model.hex() else "!="
    tell(Claim("reread", {"same": counts[Seen.SAME], "fields": len(record.fields), "model": same}))


def _frames(file: BinaryIO, record: RecordEntry) -> dict[int, Frame]:
    """The record's pictures, found in one pass over the bundle."""
    wanted = {page.sha256.hex(): page.page for page in record.pages}
    file.seek(0)
    return {
        wanted[member.sha256]: frame_from_bytes(member.data, member.name)
        for member in archive.read(file)
        if member.sha256 in wanted
    }


def _pages(frames: Mapping[int, Frame], layout: FormLayout, tell: Report) -> list[Page]:
    found: list[Page] = []
    for number, frame in sorted(frames.items()):
        page = take_page(frame, [layout])
        if isinstance(page, Page) and page.number == number:
            found.append(page)
        else:
            reason = "page" if isinstance(page, Page) else str(page.reason)
            tell(Claim("reread-no-page", {"page": number, "reason": reason}))
    return found


def _values(
    pages: Sequence[Page], layout: FormLayout, model: DigitModel, limits: Mapping[str, int]
) -> dict[str, int | None]:
    if not pages:
        return {}
    tally = read_pages(pages, layout, model, limits)
    return {name: entry.value for name, entry in tally.fields.items()}


def _text(value: int | None) -> str:
    return "-" if value is None else str(value)
