"""WebKit, the engine of every browser on an iPhone: Debian's WebKitGTK, driven over the WebDriver protocol (W3C)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

SHELLS = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))
PATIENCE_S = 60.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's id (W3C WebDriver, 12.1)."""


def available() -> bool:
    """Whether driver, shell and a screen to draw on are installed."""
    return bool(SHELLS) and all(map(shutil.which, ("WebKitWebDriver", "Xvfb")))


class Safari:
    """One window."""

    def __init__(self, http: httpx.Client) -> None:
        options = {"binary": str(SHELLS[0]), "args": ["--automation"]}
        capabilities = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._http = http
        self._session = ""
        self._session = f"/session/{self._post('/session', capabilities)['sessionId']}"

    def open(self, url: str) -> None:
        """Loads a page."""
        self._post("/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function of the page gives."""
        waiting = f"const done = arguments[arguments.length - 1]; ({script})(...arguments).then(done);"
        return self._post("/execute/async", {"script": waiting, "args": arguments})

    def choose(self, selector: str, file: Path) -> None:
        """Gives a file to a chooser."""
        element = self._post("/element", {"using": "css selector", "value": selector})[_ELEMENT]
        self._post(f"/element/{element}/value", {"text": str(file)})

    def close(self) -> None:
        """Ends the browser."""
        self._http.delete(self._session)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(self._session + path, json=body)
        answer.raise_for_status()
        return answer.json()["value"]


@contextmanager
def safari() -> Iterator[Safari]:
    """A window on a screen of its own; all of it is ended afterwards."""
    port, screen = _free_port(), f":{_free_port()}"
    shown = {**os.environ, "DISPLAY": screen, "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    command = ["WebKitWebDriver", f"--port={port}"]
    with (
        subprocess.Popen(["Xvfb", screen, "-screen", "0", "500x1000x24"], stderr=subprocess.DEVNULL) as display,
        subprocess.Popen(command, env=shown, stderr=subprocess.DEVNULL) as driver,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as http,
    ):
        try:
            _wait_for(http)
            window = Safari(http)
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()
            display.terminate()


def _wait_for(http: httpx.Client) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            http.get("/status")
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
