"""A draft: what the station asks the signer to sign, made from a confirmation. Pure.

The draft is a CBOR map without the parts that only the signer knows (sequence, previous record, log, time). There are
no floats in it: a share becomes millionths, millimetres become micrometres, any other number that is not whole
becomes text. No number goes in without its picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware.errors import SignerRefused
from firmware.forms.layout import FormLayout
from firmware.records import Check, Confirmation, ConfirmedField, Mode, Page
from firmware.signing.schema import check_draft

MILLION = 1_000_000
MICROMETRES_PER_MM = 1_000


@dataclass(frozen=True, slots=True)
class RecordContext:
    """What a record says about the election and the program that made it."""

    mode: Mode
    election: bytes
    """SHA-256 of the election definition file."""
    layout: FormLayout
    software: str
    """Name and version of the program."""
    model: bytes
    """SHA-256 of the digit model file."""


def draft_record(confirmation: Confirmation, context: RecordContext, journal: bytes) -> dict[str, Any]:
    """The draft of a confirmation; `journal` is the head of the audit journal, 32 bytes.

    Raises SignerRefused: the confirmation is of another form or lacks fields of it (`draft-other-form`,
    `draft-incomplete`), a number has no picture (`schema-field-without-picture`), or a part is out of bounds.
    """
    _check_form(confirmation, context.layout)
    draft = {
        "mode": str(context.mode),
        "election": context.election,
        "tps": confirmation.tps,
        "contest": confirmation.contest,
        "form": confirmation.form,
        "layout": bytes.fromhex(context.layout.sha256),
        "pages": [_page(page) for page in sorted(confirmation.pages, key=lambda page: page.number)],
        "fields": [_field(confirmation.fields[name]) for name in context.layout.fields],
        "failed": [_failed(entry) for entry in confirmation.checks if entry.ok is False],
        "confirmed_by": confirmation.role,
        "software": context.software,
        "model": context.model,
        "journal": journal,
        "supersedes": confirmation.supersedes,
        "reason": confirmation.reason,
    }
    check_draft(draft)
    return draft


def _check_form(confirmation: Confirmation, layout: FormLayout) -> None:
    if (confirmation.form, confirmation.contest) != (layout.id, layout.contest):
        raise SignerRefused("draft-other-form", form=confirmation.form, expected=layout.id)
    missing = sorted(layout.fields.keys() ^ confirmation.fields.keys())
    if missing:
        raise SignerRefused("draft-incomplete", fields=", ".join(missing))


def _page(page: Page) -> dict[str, Any]:
    return {
        "page": page.number,
        "sha256": bytes.fromhex(page.frame.sha256),
        "facts": _facts(page.frame.facts),
        "marks": list(page.geometry.marks),
        "residual_um": _scaled(page.geometry.residual_mm, MICROMETRES_PER_MM),
        "support_ppm": _scaled(page.geometry.support, MILLION),
    }


def _facts(facts: Mapping[str, str | int | float]) -> dict[str, str | int]:
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in facts.items()}


def _field(field: ConfirmedField) -> dict[str, Any]:
    return {
        "id": field.field,
        "page": field.page,
        "value": field.value,
        "settled": str(field.settled),
        "machine": {
            "value": field.machine.value,
            "text": field.machine.text,
            "confidence_ppm": _scaled(field.machine.confidence, MILLION),
        },
    }


def _failed(check: Check) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "fields": list(check.fields),
        "left": check.left,
        "right": check.right,
        "warning": check.warning,
    }


def _scaled(value: float, scale: int) -> int:
    if not math.isfinite(value):
        raise SignerRefused("draft-not-a-number")
    return round(value * scale)
