"""The Flask application of the screen: pages, presses and the read-only API, behind the guard.

What is served is told in three files: guard.py (which page of a browser), peer.py (which user of this machine) and
exposure.py (from where).
"""

from __future__ import annotations

from typing import Any

from flask import Flask, render_template

from firmware.endpoint import api, exposure, guard, presses, problems, screens, words
from firmware.endpoint.exposure import Exposure
from firmware.endpoint.sources import Sources
from firmware.endpoint.station_client import StationAway

BLUEPRINTS = [exposure.loopback_only(screens.routes), exposure.loopback_only(presses.routes), api.routes]


def create_app(sources: Sources, port: int) -> Flask:
    """The screen of the station and the API, to be served on loopback at `port`.

    Raises RuntimeError for a route that does not declare its exposure.
    """
    app = Flask(__name__)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    guard.install(app, port)
    app.extensions["station"] = sources.station
    app.extensions["sources"] = sources
    app.url_map.converters.update(api.CONVERTERS)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.view_functions["static"] = exposure.reachable(Exposure.LOOPBACK)(app.view_functions["static"])
    exposure.check(app, most=Exposure.LOOPBACK)
    problems.install(app)
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
