"""The day as the screen sees it: SessionView from the station's own values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from firmware.day import day as days
from firmware.day.day import Checked, Day
from firmware.forms.layout import FormLayout
from firmware.messages import LANGUAGES
from firmware.panel.panel import LampState
from firmware.panel.view import (
    SHOWN_BYTES,
    CheckView,
    ContestStage,
    ContestView,
    DayView,
    DeliveryView,
    FieldView,
    Notice,
    PageView,
    Paper,
    PrintView,
    RecordView,
    SessionView,
)
from firmware.receipt.fingerprint import short_fingerprint
from firmware.receipts import Document, Receipts
from firmware.records import Check, Delivery, Status, StoredRecord
from firmware.session.counting import Counting
from firmware.states import WORKING, State
from firmware.tally.review import Review
from firmware.tally.wording import describe
from firmware.uplink.stick import StickState
from firmware.uplink.stick_notes import StickNote


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


def with_deliveries(view: SessionView, ask: Callable[[Sequence[bytes]], Iterable[Delivery]]) -> SessionView:
    """The view with how far each standing record has come."""
    records = [bytes.fromhex(entry.record.sha256) for entry in view.contests if entry.record]
    if not records:
        return view
    rows: dict[str, list[DeliveryView]] = {}
    for entry in ask(records):
        left = -(-entry.bytes_left // SHOWN_BYTES) * SHOWN_BYTES
        shown = DeliveryView(
            entry.collector, entry.state, entry.attempts, entry.problem, entry.detail, entry.pictures_left, left
        )
        rows.setdefault(entry.record.hex(), []).append(shown)
    contests = tuple(
        msgspec.structs.replace(entry, deliveries=tuple(rows.get(entry.record.sha256, ()))) if entry.record else entry
        for entry in view.contests
    )
    return msgspec.structs.replace(view, contests=contests)


def with_sticks(view: SessionView, notes: Iterable[StickNote]) -> SessionView:
    """The view with what is told of USB sticks."""
    return msgspec.structs.replace(view, sticks=tuple(map(_stick, notes)))


def _stick(note: StickNote) -> Notice:
    """Until a stick is unmounted nobody is told that it is done."""
    state = note.state if note.loose else StickState.WRITING
    values: dict[str, str | int | float] = {"percent": note.percent, "records": note.records}
    return Notice(f"stick.{state}", values, state in (StickState.WRITTEN, StickState.ALREADY))


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


def contest_view(counting: Counting) -> ContestView:
    """One contest with its slots and the record that stands."""
    layout, kept = counting.race.layout, counting.session.pages
    pages = (PageView(page.number, kept[page.number].sha256 if page.number in kept else None) for page in layout.pages)
    record = record_view(counting.standing) if counting.standing else None
    return ContestView(layout.contest, dict(layout.title), _stage(counting), tuple(pages), record)


def _stage(counting: Counting) -> ContestStage:
    if counting.stored is not None:
        return ContestStage.SEALED
    if counting.correcting:
        return ContestStage.CORRECTING
    return ContestStage.BEGUN if counting.held else ContestStage.WAITING


def day_view(day: Day, checks: tuple[Checked, ...] | None) -> DayView:
    """The day, and what the kiosk found about itself."""
    ready = days.ready(checks or ())
    return DayView(day.number, day.stage, day.copies, checks, ready, day.opened_at, day.closed_at)


def print_view(receipts: Receipts, paper: Paper, document: Document, problem: str | None) -> PrintView:
    """How many strips are certainly on paper, which are doubtful, and what the printer needs."""
    name = document.name
    return PrintView(paper, document.copies, receipts.printed(name), receipts.doubtful(name), problem)
