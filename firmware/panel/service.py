"""The station's socket: what the screen may see and press. HTTP and JSON; who may connect is decided in http.py.

GET  /session[?watching]       SessionView   GET /live/picture        JPEG
GET  /fields/{id}/strip        PNG           GET /pages/{n}/picture   JPEG
POST /press /pending/{replace|keep} /accept /fields/{id} /undo /seal/{role} /reprint /retry  -> Answer
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Flask, Response, abort, request

from firmware.panel.view import Answer, Command
from firmware.records import Press
from firmware.station import Station

JSON = "application/json"
SCREEN = "screen"
"""Source of a press that came from the screen."""


def create_app(station: Station) -> Flask:
    """The station as a WSGI application."""
    app = Flask(__name__)
    _add_pictures(app, station)
    _add_commands(app, station)
    return app


def _add_pictures(app: Flask, station: Station) -> None:
    @app.get("/session")
    def session() -> Response:
        return _json(station.view(watching="watching" in request.args))

    @app.get("/live/picture")
    def live_picture() -> Response:
        return _picture(station.live_picture(), "image/jpeg")

    @app.get("/fields/<field>/strip")
    def strip(field: str) -> Response:
        return _picture(station.strip(field), "image/png")

    @app.get("/pages/<int:number>/picture")
    def picture(number: int) -> Response:
        return _picture(station.picture(number), "image/jpeg")

    @app.get("/pending/picture")
    def pending_picture() -> Response:
        return _picture(station.pending_picture(), "image/jpeg")


def _add_commands(app: Flask, station: Station) -> None:
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
        return _json(station.correct(field, _body(Command).value))

    @app.post("/undo")
    def undo() -> Response:
        return _json(station.undo())

    @app.post("/seal/<role>")
    def seal(role: str) -> Response:
        return _json(station.seal(role))

    @app.post("/reprint")
    def reprint() -> Response:
        return _json(station.reprint())

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
