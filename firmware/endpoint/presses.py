"""What a person does on the screen: every change is a form post, answered by the next page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, current_app, flash, redirect, request

from firmware.endpoint import review, words
from firmware.endpoint.screens import current_view
from firmware.panel.view import Answer, FieldView

routes = Blueprint("presses", __name__)

ROLE = "ketua"
"""Who seals: the PIN is the ketua's."""


def _station() -> Any:
    return current_app.extensions["station"]


def _go(answer: Answer, to: str = "/") -> Any:
    """The next page; an answer other than `accepted` is told on it."""
    if answer is not Answer.ACCEPTED:
        flash(words.screen(f"answer-{answer}"))
    return redirect(to, 303)


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


@routes.post("/field/<field_id>")
def field(field_id: str) -> Any:
    """A key of the keypad, `agree`, `save`, `empty`, or the Enter key."""
    entry = review.field(current_view(), field_id) or abort(404)
    typed = review.digits(request.form.get("typed", ""), entry)
    key = request.form.get("key")
    if key is not None:
        return redirect(_keypad(entry, typed, key), 303)
    return _settle(entry, typed, request.form.get("do", "enter"))


def _keypad(entry: FieldView, typed: str, key: str) -> str:
    """The same page with one digit more, or less."""
    typed = typed[:-1] if key == "back" else review.digits(typed + key, entry)
    return f"/field/{entry.id}?" + urlencode({"typed": typed, "back": request.form.get("back", "")})


def _settle(entry: FieldView, typed: str, action: str) -> Any:
    """Enter saves what was typed; with nothing typed it agrees with the number shown, if there is one."""
    back = review.way_back(request.form.get("back", ""))
    if action == "enter":
        action = "save" if typed else "agree"
    if action == "empty":
        return _go(_station().correct(entry.id, None), back)
    if action == "save" and typed:
        return _go(_station().correct(entry.id, int(typed)), back)
    if action == "agree" and entry.settled is not None:
        return _go(Answer.ACCEPTED, back)
    if action == "agree" and entry.machine is not None:
        return _go(_station().accept(entry.id), back)
    return redirect(f"/field/{entry.id}?" + urlencode({"missing": 1, "back": back}), 303)


@routes.post("/page/<int:page>/<int:part>")
def page(page: int, part: int) -> Any:
    """All open numbers on this screen are as the machine read them."""
    parts = review.in_parts(current_view(), page)
    if not 1 <= part <= len(parts):
        abort(404)
    still_open = [entry for row in parts[part - 1] for entry in row if entry.settled is None]
    unread = [entry for entry in still_open if entry.machine is None]
    if unread:
        return redirect(f"/field/{unread[0].id}?back=/page/{page}/{part}", 303)
    return _go(_station().accept(*(entry.id for entry in still_open)) if still_open else Answer.ACCEPTED)


@routes.post("/undo")
def undo() -> Any:
    """Takes the last step back."""
    return _go(_station().undo())


@routes.post("/seal")
def seal() -> Any:
    """The ketua seals."""
    return _go(_station().seal(ROLE, request.form.get("pin", "")), "/seal")


@routes.post("/reprint")
def reprint() -> Any:
    """All receipts again."""
    return _go(_station().reprint())


@routes.post("/retry")
def retry() -> Any:
    """Out of a fault."""
    return _go(_station().retry())


@routes.post("/language")
def language() -> Any:
    """The other language, on the same page."""
    words.switch_language()
    return redirect(review.way_back(request.form.get("back", "")), 303)
