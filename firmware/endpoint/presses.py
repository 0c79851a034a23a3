"""What a person does on the screen: every change is a form post, answered by the next page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, current_app, flash, redirect, request

from firmware.endpoint import review, words
from firmware.endpoint.screens import WITNESSES_MAX, ask_pin, count, current_view
from firmware.endpoint.station_client import StationClient
from firmware.panel.view import Answer, FieldView
from firmware.records import Reason
from firmware.states import State

routes = Blueprint("presses", __name__)

ROLE = "ketua"
"""Who seals: the PIN is the ketua's."""
PIN_DIGITS_MAX = 8


def _station() -> StationClient:
    station: StationClient = current_app.extensions["station"]
    return station


def _go(answer: Answer, to: str = "/") -> Any:
    """The next page; an answer other than `accepted` is told on it."""
    if answer is not Answer.ACCEPTED:
        flash(words.screen(f"answer-{answer}"))
    return redirect(to, 303)


# --- the day ------------------------------------------------------------------------------------------------------


@routes.post("/examine")
def examine() -> Any:
    """The kiosk looks at itself."""
    return _go(_station().examine())


@routes.post("/open")
def open_day() -> Any:
    """The ketua opens the day."""
    witnesses = count(request.form)
    return _with_pin(State.OPENING, lambda pin: _station().open_day(pin, witnesses), f"/?witnesses={witnesses}")


@routes.post("/back")
def back() -> Any:
    """Out of opening or closing."""
    return _go(_station().back())


@routes.post("/review")
def review_day() -> Any:
    """What was sealed, before the day ends."""
    return _go(_station().review_day())


@routes.post("/close")
def close_day() -> Any:
    """The ketua closes the day."""
    return _with_pin(State.CLOSING, lambda pin: _station().close_day(pin), "/")


@routes.post("/contest/<contest>")
def contest(contest: str) -> Any:
    """Takes up a contest."""
    return _go(_station().pick(contest))


@routes.post("/aside")
def aside() -> Any:
    """Puts the contest at hand aside: nothing of it is lost."""
    return _go(_station().pick(""))


def _with_pin(state: State, ask: Callable[[str], Answer], back: str) -> Any:
    """A key of the keypad shows the same screen with one more or less; the PIN is in no address and no log."""
    pin = re.sub(r"[^0-9]", "", request.form.get("pin", ""))[:PIN_DIGITS_MAX]
    key = request.form.get("key")
    if key is None:
        answer = ask(pin)
        return _go(answer, "/" if answer is Answer.ACCEPTED else back)
    view = current_view()
    if view.state is not state:
        return redirect("/", 303)
    witnesses = count(request.form) + {"more": 1, "fewer": -1}.get(key, 0)
    return ask_pin(view, _keyed(pin, key, PIN_DIGITS_MAX), min(max(witnesses, 0), WITNESSES_MAX))


def _keyed(typed: str, key: str, most: int) -> str:
    """What was typed with one digit more, or less."""
    return typed[:-1] if key == "back" else (typed + re.sub(r"[^0-9]", "", key))[:most]


# --- pages --------------------------------------------------------------------------------------------------------


@routes.post("/press")
def press() -> Any:
    """The big button."""
    return _go(_station().press())


@routes.post("/pending/<choice>")
def pending(choice: str) -> Any:
    """Keep the old picture of a page, or replace it by the new one."""
    if choice not in {"keep", "replace"}:
        abort(404)
    return _go(_station().choose(replace=choice == "replace"))


# --- numbers ------------------------------------------------------------------------------------------------------


@routes.post("/field/<field_id>")
def field(field_id: str) -> Any:
    """A key of the keypad, `agree`, `save`, `empty`, or the Enter key."""
    entry = review.field(current_view(), field_id) or abort(404)
    typed = review.digits(request.form.get("typed", ""), entry)
    key = request.form.get("key")
    if key is not None:
        told = {"typed": _keyed(typed, key, entry.boxes), "back": request.form.get("back", "")}
        return redirect(f"/field/{entry.id}?" + urlencode(told), 303)
    return _settle(entry, typed, request.form.get("do", "enter"))


def _settle(entry: FieldView, typed: str, action: str) -> Any:
    """Enter saves what was typed; with nothing typed it agrees with the number shown, if there is one."""
    back = review.way_back(request.form.get("back", ""))
    if action == "enter":
        action = "save" if typed else "agree"
    if action == "empty":
        return _go(_station().correct(entry.id, None), back)
    if action == "save" and typed:
        return _go(_station().correct(entry.id, int(typed)), back)
    if action == "agree" and (entry.settled is not None or entry.machine is not None):
        return _agree(entry, back)
    return redirect(f"/field/{entry.id}?" + urlencode({"missing": 1, "back": back}), 303)


def _agree(entry: FieldView, back: str) -> Any:
    if not _as_shown([entry]):
        return redirect(f"/field/{entry.id}?" + urlencode({"back": back}), 303)
    return _go(Answer.ACCEPTED if entry.settled else _station().accept(entry.id), back)


def _as_shown(fields: Iterable[FieldView]) -> bool:
    """The numbers stand as they did on the screen that is answered; otherwise the next page says so."""
    if request.form.get("shown") == review.shown(fields):
        return True
    flash(words.screen("changed-meanwhile"))
    return False


@routes.post("/page/<int:page>/<int:part>")
def page(page: int, part: int) -> Any:
    """All open numbers on this screen are as the machine read them."""
    parts = review.in_parts(current_view(), page)
    if not 1 <= part <= len(parts):
        abort(404)
    if not _as_shown(entry for row in parts[part - 1] for entry in row):
        return redirect(f"/page/{page}/{part}", 303)
    still_open = [entry for row in parts[part - 1] for entry in row if entry.settled is None]
    unread = [entry for entry in still_open if entry.machine is None]
    if unread:
        return redirect(f"/field/{unread[0].id}?back=/page/{page}/{part}", 303)
    return _go(_station().accept(*(entry.id for entry in still_open)) if still_open else Answer.ACCEPTED)


@routes.post("/undo")
def undo() -> Any:
    """Takes the last step back."""
    return _go(_station().undo())


# --- the seal, and what comes after -------------------------------------------------------------------------------


@routes.post("/seal")
def seal() -> Any:
    """The ketua seals."""
    view = current_view()
    if review.settled(view) and not _as_shown(view.fields):
        return redirect("/last", 303)
    return _with_pin(State.REVIEWING, lambda pin: _station().seal(ROLE, pin), "/seal")


@routes.post("/amend")
def amend() -> Any:
    """Begins to correct the sealed record at hand."""
    reason = request.form.get("reason", "")
    if reason not in list(Reason):
        abort(400)
    return _go(_station().amend(Reason(reason)))


@routes.post("/drop")
def drop() -> Any:
    """The sealed record stands as it is."""
    return _go(_station().drop_correction())


@routes.post("/reprint")
def reprint() -> Any:
    """What is not certainly on paper, else everything again."""
    return _go(_station().reprint())


@routes.post("/strip/<int:copy>/<found>")
def strip(copy: int, found: str) -> Any:
    """Whether a doubtful strip came out whole."""
    if found not in {"whole", "spoiled"}:
        abort(404)
    return _go(_station().judge_strip(copy, found == "whole"))


@routes.post("/retry")
def retry() -> Any:
    """Out of a fault."""
    return _go(_station().retry())


@routes.post("/language")
def language() -> Any:
    """The other language, on the same page."""
    words.switch_language()
    return redirect(review.way_back(request.form.get("back", "")), 303)
