"""The demo's own page beside the kiosk's screen: the desk with the paper, the printer, and the receipts that came out.

It plays the room: which sheet lies under the camera, whether there is paper in the printer. The kiosk knows nothing of
it. Loopback only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, redirect, render_template_string, request, send_file
from werkzeug.serving import make_server

from firmware.http import LOOPBACK
from tests.simulators.camera import Trouble
from tests.simulators.room import PIN, Room

ROLL_MM = 50_000.0
"""A new roll of thermal paper, in millimetres."""

PAGE = Path(__file__).with_name("gallery.html")


def create_gallery(room: Room, host: str) -> Flask:
    """The page for one room, served at `host` (address and port)."""
    app = Flask(__name__)

    @app.before_request
    def own_pages_only() -> None:
        origin = request.headers.get("Origin", f"http://{host}")
        if request.host != host or origin != f"http://{host}":
            abort(403)

    @app.get("/")
    def page() -> str:
        strips = range(len(room.printer.strips), 0, -1)
        sheets, under = room.desk.sheets(), room.desk.under_camera()
        cover = room.printer.cover_open
        return render_template_string(
            PAGE.read_text(encoding="utf-8"),
            url=room.url,
            pin=PIN,
            sheets=sheets,
            under=under,
            troubles=list(Trouble),
            strips=strips,
            cover=cover,
        )

    @app.get("/desk/<name>")
    def sheet(name: str) -> Response:
        return send_file(room.desk.folder / name) if name in room.desk.sheets() else abort(404)

    @app.post("/desk")
    def put() -> Any:
        name = request.form.get("sheet", "")
        if name not in room.desk.sheets():
            abort(404)
        room.desk.put(name)
        return redirect("/", 303)

    @app.post("/camera")
    def camera() -> Any:
        match request.form.get("do", ""):
            case "mend":
                room.desk.mend()
            case name if name in list(Trouble):
                room.desk.trouble(Trouble(name))
        return redirect("/", 303)

    @app.get("/receipts/<int:number>.png")
    def receipt(number: int) -> Response:
        paths = [strip.path for strip in room.printer.strips]
        path = paths[number - 1] if 0 < number <= len(paths) else None
        return send_file(path) if path else abort(404)

    @app.post("/printer")
    def printer() -> Any:
        match request.form.get("do"):
            case "open":
                room.printer.cover_open = True
            case "close":
                room.printer.cover_open = False
            case "end":
                room.printer.load_paper(0.0)
            case "roll":
                room.printer.load_paper(ROLL_MM)
        return redirect("/", 303)

    return app


@contextmanager
def serve_gallery(room: Room) -> Iterator[str]:
    """Serves the page in a thread; gives its address."""
    server = make_server(LOOPBACK, 0, _Later(), threaded=True)
    host = f"{LOOPBACK}:{server.server_port}"
    server.app = create_gallery(room, host)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}"
    finally:
        server.shutdown()
        thread.join()


class _Later:
    """In the app's place until its address is known."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("503 Service Unavailable", [])
        return [b""]
