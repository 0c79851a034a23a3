"""Figures of the witness's page: `python -m tests.system.witness_figures`. Size and start by number of devices, time
from the camera's button to the verdict, and how many pictures of a strip are read, by what is wrong with them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Playwright, sync_playwright

from firmware.records import Mode
from firmware.signing.certificates import issue, subject
from firmware.signing.keys import DeviceClaims, Protection, claims_extension
from firmware.signing.witness.command import witness_page_command
from tests.system.conftest import ARGUMENTS
from tests.system.phone import Gray, Hold, film, photograph
from tests.system.witness_election import World, give
from tests.vectors import parts

DEVICES = (1, 2_000, 20_000)
RUNS = 5
PICTURES = 40
"""Of each kind."""
WEB = Path(__file__).parent.parent.parent / "firmware" / "signing" / "witness" / "web"
LOADED = "performance.getEntriesByType('navigation')[0].domComplete"

Kind = Callable[[np.random.Generator], Hold]
KINDS: dict[str, Kind] = {
    "steady": lambda rng: Hold(turn_degrees=rng.uniform(-180, 180)),
    "far": lambda rng: Hold(pixels_per_dot=rng.uniform(0.3, 0.5), turn_degrees=rng.uniform(-30, 30), tilt=0.1),
    "tilted": lambda rng: Hold(tilt=rng.uniform(0.15, 0.4), turn_degrees=rng.uniform(-30, 30)),
    "blurred": lambda rng: Hold(blur_pixels=rng.uniform(1.2, 3.0), turn_degrees=rng.uniform(-30, 30)),
    "shaken": lambda rng: Hold(shake_pixels=int(rng.integers(3, 9)), turn_degrees=rng.uniform(-30, 30)),
    "faded": lambda rng: Hold(ink=int(rng.integers(140, 215)), noise=6, turn_degrees=rng.uniform(-30, 30)),
    "creased": lambda rng: Hold(creases=int(rng.integers(1, 5)), turn_degrees=rng.uniform(-30, 30)),
}
"""What is wrong with a picture of 1280 x 720 pixels, in which a module of the code has 5 (far: 2 to 3)."""


def main() -> None:
    """Prints everything."""
    subprocess.run(["bash", WEB / "build.sh"], check=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        pages = {count: _page(folder / str(count), count) for count in DEVICES}
        _sizes(playwright, pages)
        strip = give().strip()
        _camera(playwright, pages[1], strip, folder)
        _pictures(playwright, pages[1], strip, folder)


def _page(folder: Path, devices: int) -> Path:
    """A page with so many devices, each with a key of its own."""
    folder.mkdir()
    certificates = [parts.DEVICE.certificate, *(_certificate(index) for index in range(1, devices))]
    World().write_trust(folder / "trust", certificates)
    out = folder / "saksi.html"
    arguments = ["--trust", str(folder / "trust"), "--out", str(out)]
    CliRunner().invoke(witness_page_command, arguments, catch_exceptions=False)
    return out


def _certificate(index: int) -> bytes:
    serial = f"C1K-2029-{index:06d}"
    claims = claims_extension(DeviceClaims(Mode.DEVELOPMENT, serial, Protection.TPM))
    name, key = subject(f"kiosk {serial}", parts.ORGANISATION, serial), ec.generate_private_key(ec.SECP256R1())
    made = parts.MADE + timedelta(minutes=index)
    issued = issue(name, key.public_key(), parts.ISSUING, made, extensions=[claims])
    return issued.public_bytes(Encoding.DER)


def _sizes(playwright: Playwright, pages: dict[int, Path]) -> None:
    browser = _browser(playwright)
    least = pages[1].stat().st_size
    for count, path in pages.items():
        size = path.stat().st_size
        each = (size - least) / (count - 1) if count > 1 else 0
        loads = [_load(browser, path) for _ in range(RUNS)]
        print(f"{count} devices: {size} bytes ({each:.0f} a device), open in {median(loads):.0f} ms")
    browser.close()


def _load(browser: Any, path: Path) -> float:
    page = browser.new_page()
    page.goto(path.as_uri())
    loaded: float = page.evaluate(LOADED)
    page.close()
    return loaded


def _camera(playwright: Playwright, path: Path, strip: Gray, folder: Path) -> None:
    film(strip, folder / "hand.mjpeg")
    browser = _browser(
        playwright,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={folder / 'hand.mjpeg'}",
    )
    taken = []
    for _ in range(RUNS):
        page = browser.new_page()
        page.goto(path.as_uri())
        begin = time.perf_counter()
        page.click("#camera")
        page.wait_for_selector("#result.holds")
        taken.append(time.perf_counter() - begin)
        page.close()
    print(f"camera to verdict: {median(taken):.2f} s (median of {RUNS}; longest {max(taken):.2f})")
    browser.close()


def _pictures(playwright: Playwright, path: Path, strip: Gray, folder: Path) -> None:
    browser, rng = _browser(playwright), np.random.default_rng(1)
    page = browser.new_page()
    page.goto(path.as_uri())
    for kind, hold in KINDS.items():
        read, begin = 0, time.perf_counter()
        for _ in range(PICTURES):
            cv2.imwrite(str(folder / "seen.png"), photograph(strip, hold(rng), rng))
            page.set_input_files("#picture", folder / "seen.png")
            page.wait_for_selector("#result", state="visible")
            read += page.get_attribute("#result", "class") == "holds"
        print(f"{kind}: {read} of {PICTURES} read, {(time.perf_counter() - begin) / PICTURES:.2f} s each, picture made")
    browser.close()


def _browser(playwright: Playwright, *more: str) -> Any:
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*ARGUMENTS, *more])


if __name__ == "__main__":
    main()
