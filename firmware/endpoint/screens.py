"""The pages of the screen: each shows the session as it stands, and asks one thing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for

from firmware.endpoint import review, words
from firmware.panel.view import LiveView, SessionView
from firmware.states import WORKING, State

routes = Blueprint("screens", __name__)

PICTURE_SECONDS = 600
"""How long the browser may keep a picture: its address changes with its content."""


def current_view(watching: bool = False) -> SessionView:
    """The session of the station that this screen shows; `watching`: with what lies under the camera."""
    view: SessionView = current_app.extensions["station"].view(watching)
    return view


@routes.get("/")
def home() -> Any:
    """What is to be done now."""
    view = current_view()
    if view.state is State.REVIEWING and view.pending is None:
        return redirect(review.next_step(view))
    if view.state in WORKING:
        return render_template("working.html", view=view, poll=True)
    if view.state is State.IDLE and view.record is not None:
        return render_template("done.html", view=view, poll=True)
    return render_template("fault.html" if view.state is State.FAULT else "pages.html", view=view, poll=True)


@routes.get("/pages")
def pages() -> Any:
    """The slots, also during the review: a page may be taken again."""
    view = current_view(watching=True)
    if view.state is not State.REVIEWING:
        return redirect(url_for("screens.home"))
    return render_template("pages.html", view=view, poll=True)


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
    view = _reviewing()
    if view is None or not review.settled(view):
        return redirect(url_for("screens.home"))
    return render_template("sums.html", view=view, checks=review.failed_first(view), by_id=review.by_id(view))


@routes.get("/last")
def last() -> Any:
    """A last look at all numbers."""
    view = _reviewing()
    if view is None or not review.settled(view):
        return redirect(url_for("screens.home"))
    return render_template("last.html", view=view, by_page=review.by_page(view))


@routes.get("/seal")
def seal() -> Any:
    """The ketua's word before the seal."""
    view = _reviewing()
    if view is None or not review.settled(view):
        return redirect(url_for("screens.home"))
    return render_template("seal.html", view=view)


@routes.get("/progress")
def progress() -> Any:
    """What the page's script asks: has anything changed, and what lies under the camera?"""
    view = current_view(watching="watching" in request.args)
    return {"version": view.version, "state": view.state, "live": _live(view.live) if view.live else None}


def _live(live: LiveView) -> dict[str, Any]:
    """As the script puts it onto the page."""
    return {
        "number": live.number,
        "says": words.say(live.key, **live.values),
        "good": live.good,
        "points": words.points(live),
        "size": [live.width, live.height],
    }


@routes.get("/field/<field_id>.png")
def strip(field_id: str) -> Response:
    """The picture of a field's boxes."""
    return _picture(current_app.extensions["station"].strip(field_id), "image/png")


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
    """The session while numbers may be changed, else None."""
    view = current_view()
    return view if view.state is State.REVIEWING and view.pending is None else None
