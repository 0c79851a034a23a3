"""The pages of the screen: each shows the day as it stands, and asks one thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, session, url_for

from firmware.endpoint import review, words
from firmware.panel.view import LiveView, SessionView
from firmware.records import Reason
from firmware.states import WORKING, State

routes = Blueprint("screens", __name__)

PICTURE_SECONDS = 600
"""How long the browser may keep a picture: its address changes with its content."""

WITNESSES_MAX = 24
"""One for each national and each local party: nobody has more to give a receipt to."""

RESTING = {State.CLOSED: "closed.html", State.FAULT: "fault.html", State.PREVIEWING: "pages.html"}
"""States with one screen that changes by itself."""


@routes.app_context_processor
def _more_words() -> dict[str, Any]:
    """What the templates of this room may call, beside the words of the application."""
    return {
        "finding": words.finding,
        "moment": words.moment,
        "noticed": words.noticed,
        "megabytes": words.megabytes,
        "shown": review.shown,
        "world": session.get("world"),
        "reasons": list(Reason),
    }


def current_view(watching: bool = False) -> SessionView:
    """The day as the station has it; `watching`: with what lies under the camera.

    The browser's session keeps which world that is, for the moments when the station does not answer.
    """
    view: SessionView = current_app.extensions["station"].view(watching)
    if session.get("world") != view.mode:
        session["world"] = str(view.mode)
    return view


@routes.get("/")
def home() -> Any:
    """What is to be done now."""
    view = current_view()
    if view.pending is not None:
        return show("pages.html", view)
    if view.state is State.REVIEWING:
        return redirect(review.next_step(view))
    if working(view):
        return show("working.html", view)
    if view.state is State.IDLE:
        return show("done.html" if view.record else "day.html", view)
    if view.state in RESTING:
        return show(RESTING[view.state], view)
    return ask_pin(view, witnesses=count(request.args))


def working(view: SessionView) -> bool:
    """Nothing can be asked of the station now."""
    return view.state in WORKING or (view.state is State.OPENING and view.day.checks is None)


def show(template: str, view: SessionView, **more: Any) -> str:
    """A screen that changes by itself when the day does."""
    return render_template(template, view=view, poll=True, **more)


def ask_pin(view: SessionView, pin: str = "", witnesses: int = 0) -> str:
    """A screen on which the ketua types the PIN; what was typed so far, where the browser has no script."""
    template = {State.OPENING: "opening.html", State.CLOSING: "closing.html", State.REVIEWING: "seal.html"}[view.state]
    return render_template(template, view=view, pin=pin, witnesses=witnesses, wait=view.pin_wait)


def count(told: Mapping[str, str]) -> int:
    """Witnesses, as a form or an address tells them."""
    witnesses = told.get("witnesses", "")
    return min(int(witnesses), WITNESSES_MAX) if re.fullmatch("[0-9]{1,2}", witnesses) else 0


@routes.get("/pages")
def pages() -> Any:
    """The slots, also during the review: a page may be taken again."""
    view = current_view(watching=True)
    return show("pages.html", view) if view.state is State.REVIEWING else redirect(url_for("screens.home"))


@routes.get("/field/<field_id>")
def field(field_id: str) -> Any:
    """One number: its picture, what the machine read, and the keypad."""
    view = _reviewing()
    entry = review.field(view, field_id)
    if view is None or entry is None:
        return redirect(url_for("screens.home"))
    return render_template(
        "field.html",
        view=view,
        field=entry,
        typed=review.digits(request.args.get("typed", ""), entry),
        back=review.way_back(request.args.get("back", "")),
        failed=[check for check in view.failed if entry.id in check.fields],
        asked=review.asked_progress(view, entry),
        missing=request.args.get("missing") == "1",
    )


@routes.get("/page/<int:page>/<int:part>")
def page(page: int, part: int) -> Any:
    """Numbers of one page, a screen's worth, each with its picture."""
    view = _reviewing()
    parts = review.in_parts(view, page) if view else []
    if view is None or not 1 <= part <= len(parts):
        return redirect(url_for("screens.home"))
    return render_template("page.html", view=view, page=page, part=part, parts=len(parts), rows=parts[part - 1])


@routes.get("/sums")
def sums() -> Any:
    """What does not add up, as sentences, with the pictures."""
    view = _settled()
    if view is None:
        return redirect(url_for("screens.home"))
    return render_template("sums.html", view=view, checks=review.failed_first(view), by_id=review.by_id(view))


@routes.get("/last")
def last() -> Any:
    """A last look at all numbers."""
    view = _settled()
    if view is None:
        return redirect(url_for("screens.home"))
    return render_template("last.html", view=view, by_page=review.by_page(view))


@routes.get("/seal")
def seal() -> Any:
    """The ketua's PIN before the seal."""
    view = _settled()
    return ask_pin(view) if view else redirect(url_for("screens.home"))


@routes.get("/amend")
def amend() -> Any:
    """Why a sealed record is to be corrected."""
    view = current_view()
    if view.state is not State.IDLE or view.record is None:
        return redirect(url_for("screens.home"))
    return render_template("amend.html", view=view)


@routes.get("/progress")
def progress() -> Any:
    """What the page's script asks: has anything changed, and what lies under the camera?"""
    view = current_view(watching="watching" in request.args)
    at_work = words.screen(f"working-{view.state}") if working(view) else None
    return {
        "version": view.version,
        "state": view.state,
        "working": at_work,
        "live": _live(view.live) if view.live else None,
    }


def _live(live: LiveView) -> dict[str, Any]:
    """As the script puts it onto the page."""
    return {
        "number": live.number,
        "says": words.say(live.key, **live.values),
        "good": live.good,
        "points": words.points(live),
        "size": [live.width, live.height],
    }


@routes.get("/field/<field_id>.jpg")
def strip(field_id: str) -> Response:
    """The picture of a field's boxes."""
    return _picture(current_app.extensions["station"].strip(field_id), "image/jpeg")


@routes.get("/page/<int:page>.jpg")
def picture(page: int) -> Response:
    """The upright picture of a page."""
    return _picture(current_app.extensions["station"].page(page), "image/jpeg")


@routes.get("/live.jpg")
def live_picture() -> Response:
    """What lies under the camera now."""
    response = _picture(current_app.extensions["station"].live_picture(), "image/jpeg")
    response.headers["Cache-Control"] = "no-store"
    return response


@routes.get("/page/new.jpg")
def new_picture() -> Response:
    """The upright picture of the page that waits for a choice."""
    return _picture(current_app.extensions["station"].pending_page(), "image/jpeg")


def _picture(data: bytes | None, media_type: str) -> Response:
    if data is None:
        abort(404)
    response = Response(data, mimetype=media_type)
    response.headers["Cache-Control"] = f"private, max-age={PICTURE_SECONDS}"
    return response


def _reviewing() -> SessionView | None:
    """The day while numbers may be changed, else None."""
    view = current_view()
    return view if view.state is State.REVIEWING and view.pending is None else None


def _settled() -> SessionView | None:
    """The same once no number is open."""
    view = _reviewing()
    return view if view and review.settled(view) else None
