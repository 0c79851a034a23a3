"""The station's socket: what the screen may see and press. HTTP and JSON; who may connect is decided in http.py.

GET  /session[?watching]       SessionView   GET /live/picture        JPEG
GET  /fields/{id}/strip        JPEG          GET /pages/{n}/picture   JPEG
POST /examine /open /review /close /back      the day; /open and /close take an Entry with the PIN
POST /contest/{id} /aside                     which contest is at hand
POST /press /pending/{replace|keep} /accept /fields/{id} /undo /seal /amend/{reason} /drop
POST /reprint /strip/{copy}/{whole|spoiled} /retry
GET  /alive                    204, or 503 when the station no longer does its work (the watchdog asks)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Flask, Response, abort, request

from firmware.panel.view import Answer, Entry, Number
from firmware.records import Press, Reason
from firmware.station import Station

JSON = "application/json"
SCREEN = "screen"
"""Source of a press that came from the screen."""
_REASONS = ", ".join(f'"{reason}"' for reason in Reason)


def create_app(station: Station) -> Flask:
    """The station as a WSGI application."""
    app = Flask(__name__)
    _add_pictures(app, station)
    _add_day(app, station)
    _add_contest(app, station)
    _add_paper(app, station)
    return app


def _add_pictures(app: Flask, station: Station) -> None:
    @app.get("/session")
    def session() -> Response:
        return _json(station.view(watching="watching" in request.args))

    @app.get("/alive")
    def alive() -> Response:
        return Response(status=204 if station.alive() else 503)

    @app.get("/live/picture")
    def live_picture() -> Response:
        return _picture(station.live_picture(), "image/jpeg")

    @app.get("/fields/<field>/strip")
    def strip_of(field: str) -> Response:
        return _picture(station.strip(field), "image/jpeg")

    @app.get("/pages/<int:number>/picture")
    def picture(number: int) -> Response:
        return _picture(station.picture(number), "image/jpeg")

    @app.get("/pending/picture")
    def pending_picture() -> Response:
        return _picture(station.pending_picture(), "image/jpeg")


def _add_day(app: Flask, station: Station) -> None:
    @app.post("/examine")
    def examine() -> Response:
        return _json(station.examine())

    @app.post("/open")
    def open_day() -> Response:
        entry: Entry = _body(Entry)
        return _json(station.open_day(entry.pin, entry.witnesses))

    @app.post("/review")
    def review() -> Response:
        return _json(station.review_day())

    @app.post("/close")
    def close() -> Response:
        return _json(station.close_day(_body(Entry).pin))

    @app.post("/back")
    def back() -> Response:
        return _json(station.back())

    @app.post("/contest/<contest>")
    def pick(contest: str) -> Response:
        return _json(station.pick(contest))

    @app.post("/aside")
    def aside() -> Response:
        return _json(station.pick(""))


def _add_contest(app: Flask, station: Station) -> None:
    @app.post("/press")
    def press() -> Response:
        return _json(station.press(Press(datetime.now(UTC), SCREEN)))

    @app.post("/pending/<any(replace, keep):choice>")
    def pending(choice: str) -> Response:
        return _json(station.choose(replace=choice == "replace"))

    @app.post("/accept")
    def accept() -> Response:
        return _json(station.accept(_body(list[str])))

    @app.post("/fields/<field>")
    def correct(field: str) -> Response:
        return _json(station.correct(field, _body(Number).value))

    @app.post("/undo")
    def undo() -> Response:
        return _json(station.undo())

    @app.post("/seal")
    def seal() -> Response:
        entry: Entry = _body(Entry)
        return _json(station.seal(entry.role, entry.pin))

    @app.post(f"/amend/<any({_REASONS}):reason>")
    def amend(reason: str) -> Response:
        return _json(station.amend(Reason(reason)))

    @app.post("/drop")
    def drop() -> Response:
        return _json(station.drop_correction())


def _add_paper(app: Flask, station: Station) -> None:
    @app.post("/reprint")
    def reprint() -> Response:
        return _json(station.reprint())

    @app.post("/strip/<int:copy>/<any(whole, spoiled):found>")
    def strip(copy: int, found: str) -> Response:
        return _json(station.judge_strip(copy, found == "whole"))

    @app.post("/retry")
    def retry() -> Response:
        return _json(station.retry())


def _body(kind: Any) -> Any:
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except msgspec.MsgspecError:
        abort(400)


def _json(value: msgspec.Struct | Answer) -> Response:
    return Response(msgspec.json.encode(value), content_type=JSON)


def _picture(data: bytes | None, media_type: str) -> Response:
    if data is None:
        abort(404)
    return Response(data, content_type=media_type)
