"""Every way from a strip to its verdict: picture, camera, a phone without one; also in the engine of an iPhone."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest

from firmware.messages import sentence
from tests.system import webkit
from tests.system.conftest import ARGUMENTS
from tests.system.phone import Hold, film, photograph
from tests.system.witness import CHECK, VERDICT, Witness
from tests.system.witness_election import give
from tests.vectors import parts

pytestmark = pytest.mark.system


def own_address() -> str:
    """An address of this machine that a browser does not know as its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: only the route is looked up, nothing is sent
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@contextmanager
def served(page: Path) -> Iterator[str]:
    """The page on a web server without TLS: no secure context."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(page.parent))
    with ThreadingHTTPServer(("", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{own_address()}:{server.server_port}/{page.name}"
        server.shutdown()


def test_a_picture_of_the_strip_is_not_read(witness: Witness, tmp_path: Path) -> None:
    given = give()
    seen = photograph(
        given.strip(), Hold(pixels_per_dot=2.4, turn_degrees=17, tilt=0.1), np.random.default_rng(1), (4032, 3024)
    )
    path = tmp_path / "strip.jpg"
    cv2.imwrite(str(path), seen)
    blank = tmp_path / "blank.jpg"
    cv2.imwrite(str(blank), np.full((600, 800), 200, np.uint8))
    no_picture = tmp_path / "notes.txt"
    no_picture.write_text("x", encoding="utf-8")
    for file, verdict, why in (
        (blank, "unknown", "picture-no-code"),
        (no_picture, "unknown", "picture-unreadable"),
        (path, "holds", ""),
    ):
        witness.page.set_input_files("#photo", file)
        witness.page.wait_for_selector(f"#result.{verdict}[data-code='{why}']")
    assert witness.numbers()["suara_2"] == "128"


def test_the_camera_does_not_see_the_strip(browser: Any, saksi: Path, tmp_path: Path) -> None:
    """A hand comes nearer with the paper; the page was opened from a file."""
    film(give().strip(), tmp_path / "hand.mjpeg")
    camera = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'hand.mjpeg'}",
    ]
    filming = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=[*ARGUMENTS, *camera])
    witness = Witness(filming).open(saksi.as_uri())
    witness.keep("start")
    witness.page.click("#camera")
    witness.page.wait_for_selector("#result.holds")
    assert witness.numbers()["suara_2"] == "128"
    assert witness.page.evaluate("document.getElementById('video').srcObject") is None
    assert witness.asked == [saksi.as_uri()]
    filming.close()


def test_there_is_no_camera(witness: Witness) -> None:
    """The picture chooser remains, and says so."""
    witness.page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error()); }")
    witness.page.click("#camera")
    witness.page.wait_for_selector("#result.unknown[data-code='camera-refused']")
    assert witness.page.is_visible("label[for=photo]")


def test_the_browser_is_too_old_for_the_reader(browser: Any, saksi: Path, tmp_path: Path) -> None:
    """It says so, and the text of a code still does."""
    witness = Witness(browser)
    witness.page.add_init_script("WebAssembly.instantiate = () => Promise.reject(new Error());")
    witness.open(saksi.as_uri())
    cv2.imwrite(str(tmp_path / "strip.png"), give().strip())
    witness.page.set_input_files("#photo", tmp_path / "strip.png")
    witness.page.wait_for_selector("#result.unknown[data-code='scanner-failed']")
    assert witness.paste(give().text) == [["holds", ""]]
    witness.context.close()


@pytest.mark.parametrize("engine", ["webcrypto", "noble"])
def test_an_iphone_is_left_out(saksi: Path, tmp_path: Path, engine: str) -> None:
    """WebKit, from a stick and from a web server without TLS: text, and a picture in place of the camera."""
    if not webkit.available():
        pytest.skip("WebKitGTK's driver is not installed")
    given, path = give(), tmp_path / "strip.jpg"
    cv2.imwrite(str(path), photograph(given.strip(), Hold(pixels_per_dot=1.5), np.random.default_rng(1), (2016, 1512)))
    with webkit.safari() as safari, served(saksi) as url:
        safari.open(saksi.as_uri() if engine == "webcrypto" else url)
        assert safari.run("async () => Boolean(crypto.subtle)") is (engine == "webcrypto")
        texts = [given.text, given.text[:-3], give(parts.STRANGER).text]
        assert [verdict for verdict, _ in safari.run(CHECK, texts)] == ["holds", "unknown", "unknown"]
        safari.choose("#photo", path)
        assert safari.run(VERDICT) == "holds"
        assert sentence(f"witness.engine-{engine}") in safari.run("async () => document.body.textContent")
