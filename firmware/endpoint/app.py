"""The Flask application of the screen: pages, presses and the read-only API, behind the guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask, render_template

from firmware.endpoint import api, guard, presses, screens, words
from firmware.endpoint.station_client import StationAway, StationClient


def create_app(station: StationClient, ledger: Path, port: int) -> Flask:
    """The screen of `station` and the API of the ledger in that folder, to be served on loopback at `port`."""
    app = Flask(__name__)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    guard.install(app, port)
    app.extensions["station"] = station
    app.extensions["ledger"] = ledger
    app.register_blueprint(screens.routes)
    app.register_blueprint(presses.routes)
    app.register_blueprint(api.routes)
    app.context_processor(_words)
    app.register_error_handler(StationAway, _away)
    return app


def _words() -> dict[str, Any]:
    """What every template may call."""
    return {
        "t": words.screen,
        "say": words.say,
        "local": words.local,
        "number": words.number,
        "as_read": words.as_read,
        "points": words.points,
        "language": words.language(),
        "token": guard.token,
    }


def _away(_problem: Exception) -> tuple[str, int]:
    return render_template("away.html"), 503
