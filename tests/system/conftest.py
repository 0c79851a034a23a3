"""A browser for the screens and the witness's page, and what judges them for people who cannot see."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.witness import NO_PACKAGES, WEB, Witness, made
from tests.system.witness_election import World
from tests.vectors import parts

ROOT = Path(__file__).parent.parent.parent
AXE = ROOT / "build" / "axe" / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core; empty where it cannot be had."""
    subprocess.run(["bash", ROOT / "tests" / "system" / "axe.sh"], check=False)
    return AXE.read_text(encoding="utf-8") if AXE.exists() else ""


@pytest.fixture(scope="session")
def template() -> None:
    """The template of the witness's page, built of these sources."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    built = subprocess.run(["bash", WEB / "build.sh"], capture_output=True, text=True)
    if built.returncode == NO_PACKAGES:
        pytest.skip("the npm packages cannot be fetched")
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.fixture(scope="session")
def saksi(template: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the election with three pairs and three kiosks, one of them stolen."""
    folder = tmp_path_factory.mktemp("saksi")
    keys = (parts.DEVICE, parts.FREE_RUNNING, parts.REVOKED)
    World().write_trust(folder / "trust", [key.certificate for key in keys])
    return made(folder / "trust", folder / "saksi.html")


@pytest.fixture(scope="session")
def vectors_page(template: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the test vectors' trust folder."""
    return made(parts.FOLDER / "trust", tmp_path_factory.mktemp("vectors") / "saksi.html")


@pytest.fixture
def witness(browser: Any, saksi: Path) -> Iterator[Witness]:
    """Somebody who has opened the page from a stick; nothing was asked of a network and nothing went wrong."""
    somebody = Witness(browser).open(saksi.as_uri())
    yield somebody
    assert somebody.asked == [saksi.as_uri()]
    assert somebody.problems == []
    somebody.context.close()
