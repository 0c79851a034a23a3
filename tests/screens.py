"""The screen without a browser: its pages as text, over a real station in the same process."""

from __future__ import annotations

import re
from typing import Any

import httpx
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from firmware.endpoint.app import create_app
from firmware.endpoint.sources import Sources
from firmware.endpoint.station_client import StationClient
from firmware.panel.service import create_app as create_panel
from firmware.station import Station
from tests.kiosks import Room

PORT = 8123
HOST = f"127.0.0.1:{PORT}"


class Browser(FlaskClient):
    """A browser on this machine, on our own address."""

    def open(self, *arguments: Any, **keywords: Any) -> TestResponse:
        keywords.setdefault("base_url", f"http://{HOST}")
        return super().open(*arguments, **keywords)


def client_of(station: Station) -> StationClient:
    """The screen's way to a station of this process."""
    panel = httpx.Client(transport=httpx.WSGITransport(app=create_panel(station)), base_url="http://kiosk")
    return StationClient(panel)


def screen_of(room: Room, station: Station) -> FlaskClient:
    """A browser at the screen of that station."""
    app = create_app(Sources(client_of(station), room.folder / "ledger", room.folder / "trust"), PORT)
    app.test_client_class = Browser
    return app.test_client()


def token(screen: FlaskClient) -> str:
    """Of this browser's session."""
    found = re.search(r'name="token" value="([^"]+)"', screen.get("/", follow_redirects=True).text)
    assert found
    return found[1]


def post(screen: FlaskClient, path: str, **inputs: str) -> TestResponse:
    """Presses a button; gives the page that comes."""
    return screen.post(path, data={"token": token(screen), **shown(screen, path), **inputs}, follow_redirects=True)


def shown(screen: FlaskClient, path: str) -> dict[str, str]:
    """What the screen at this address shows, as its form tells it again."""
    if not path.startswith(("/field/", "/page/", "/seal")):
        return {}
    found = re.search(r'name="shown" value="([^"]+)"', screen.get(path).text)
    return {"shown": found[1]} if found else {}


def kind(answer: TestResponse) -> str:
    """The name of the screen."""
    found = re.search(r'<main class="([a-z]+)"', answer.text)
    assert found, answer.text
    return found[1]
