"""The public pages in a real browser: nothing overflows a phone, nothing comes from elsewhere, axe-core is content."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

from collector.app import create_app
from collector.store import RecordStore
from firmware.http import LOOPBACK
from firmware.signing import cose
from firmware.signing.verification import verify_receipt
from tests.collectors import deliver, put
from tests.sealing import TPS, make_world

pytestmark = pytest.mark.system

PATHS = (
    "/rekap/ppwp/",
    "/rekap/ppwp/3171010001",
    f"/tps/{TPS[1]}",
    f"/tps/{TPS[2]}",
    "/operator",
    "/cari?kode=1",
    "/struk",
    f"/tps/{TPS[4]}",
)
SIZES = ((390, 800), (1280, 900))
SHOTS = Path(__file__).parent.parent.parent / "build" / "screens"
AUDIT = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
    each => each.id + ": " + each.nodes.map(node => node.html).join(" ")))"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    world = make_world(tmp_path)
    with closing(RecordStore.open(tmp_path / "collector")) as store:
        app = create_app(store, world.trust, world.collector_key, time.time)
        client = app.test_client()
        first = world.seal(1, failed=[{"rule": "H5", "fields": ["suara_1"], "left": 1, "right": 2, "warning": False}])
        deliver(client, first, 1)
        put(client, world.seal(2))
        put(client, world.forge(first, tps=TPS[3]))
        said = verify_receipt(world.seal(4).receipt, world.trust).statement
        lie = cose.sign(replace(said, record=bytes(32)).payload(), cose.MessageType.RECEIPT, world.device_key)
        for code in (first.receipt, world.seal(2).receipt, world.seal(4).receipt, lie):
            assert client.post("/v1/receipts", data=code).status_code == 201
        server = create_server(app, host=LOOPBACK, port=0)
        threading.Thread(target=server.run, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.effective_port}"
        server.trigger.pull_trigger(server.close)


@pytest.mark.parametrize("language", ["id", "en"])
def test_pages_on_a_phone_and_on_a_desk(browser: Any, axe: str, url: str, language: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        page = browser.new_page(viewport={"width": width, "height": height}, bypass_csp=True)
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        found: list[str] = []
        for number, path in enumerate(PATHS):
            page.goto(f"{url}{path}{'&' if '?' in path else '?'}lang={language}")
            page.screenshot(path=SHOTS / f"recap-{number}-{language}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            if axe:
                page.evaluate(axe)
                found += [f"{path} {problem}" for problem in page.evaluate(AUDIT)]
        assert found == []
        assert all(address.startswith(url) for address in asked)
        page.close()
