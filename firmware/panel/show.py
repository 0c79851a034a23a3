"""The session as the screen sees it: SessionView from the station's own values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firmware.forms.layout import FormLayout
from firmware.messages import LANGUAGES
from firmware.panel.panel import LampState
from firmware.panel.view import (
    WORKING,
    CheckView,
    DeliveryView,
    FieldView,
    PrintView,
    RecordView,
    SessionView,
    State,
)
from firmware.receipt.fingerprint import short_fingerprint
from firmware.receipts import Document, Receipts
from firmware.records import Check, Delivery, Status, StoredRecord
from firmware.tally.review import Review
from firmware.tally.wording import describe


def field_views(layout: FormLayout, review: Review) -> tuple[FieldView, ...]:
    """Every number in form order, with both readings."""
    settled = review.settled
    views = []
    for name, field in layout.fields.items():
        machine, person = review.machine(name), settled.get(name)
        views.append(
            FieldView(
                id=name,
                page=field.page,
                label=dict(field.label),
                boxes=len(field.cells),
                text=machine.text,
                machine=machine.value,
                confidence=machine.confidence,
                asked=machine.status is Status.REVIEW,
                doubts=machine.doubts,
                settled=person.settled if person else None,
                value=person.value if person else machine.value,
            )
        )
    return tuple(views)


def failed_views(layout: FormLayout, review: Review, limits: Mapping[str, int]) -> tuple[CheckView, ...]:
    """The rules that fail on what stands now, each as a sentence."""
    values = review.values
    failed = [check for check in review.checks(layout, limits) if check.ok is False]
    return tuple(_check_view(check, layout, values) for check in failed)


def _check_view(check: Check, layout: FormLayout, values: Mapping[str, int | None]) -> CheckView:
    sentences = {language: describe(check, layout, values, language) for language in LANGUAGES}
    return CheckView(check.rule, check.fields, check.warning, sentences)


def delivery_views(deliveries: Iterable[Delivery]) -> tuple[DeliveryView, ...]:
    """How far the record has come."""
    return tuple(DeliveryView(entry.collector, entry.state, entry.attempts, entry.problem) for entry in deliveries)


def lamp(view: SessionView) -> LampState:
    """What the lamp in the button says about it."""
    if view.state in WORKING:
        return LampState.WORKING
    if view.state is State.FAULT or view.pending is not None or (view.prints and view.prints.problem):
        return LampState.ATTENTION
    if view.live is not None and view.live.good:
        return LampState.READY
    return LampState.ATTENTION if view.notice and not view.notice.good else LampState.OFF


def record_view(stored: StoredRecord) -> RecordView:
    """The name of the record."""
    sealed = stored.sealed
    return RecordView(sealed.sha256.hex(), sealed.sequence, short_fingerprint(sealed.sha256))


def print_view(receipts: Receipts, document: Document, problem: str | None) -> PrintView:
    """How many strips are certainly on paper, and what the printer needs."""
    return PrintView(document.copies, receipts.printed(document.name), problem)
