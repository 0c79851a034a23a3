"""The collector as it is served for real: who may hand in, who may look, with gunicorn's own TLS and behind nginx."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from firmware.signing.verification import verify_acknowledgement
from tests.collectors import announcing, piece
from tests.sealing import COLLECTOR, World, make_world, pictures_of
from tests.system.gunicorn import Papers, serving, start, wait_for, write_settings
from tests.system.nginx import running

pytestmark = pytest.mark.system


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def papers(world: World, tmp_path: Path) -> Papers:
    (device,) = world.trust.devices.values()
    return Papers.make(tmp_path / "papers", device.claims.serial)


@pytest.fixture(params=["gunicorn", "nginx"])
def url(request: pytest.FixtureRequest, papers: Papers, world: World, tmp_path: Path) -> Iterator[str]:
    if request.param == "gunicorn":
        with serving(papers, tmp_path / "collector", world.trust_folder, COLLECTOR, workers=2) as address:
            yield address
        return
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    yield from behind_nginx(papers, world, tmp_path)


def behind_nginx(papers: Papers, world: World, tmp_path: Path) -> Iterator[str]:
    """gunicorn on a Unix socket, nginx before it."""
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/http"
        settings = write_settings(
            papers, tmp_path / "collector", world.trust_folder, COLLECTOR, address=f"unix:{socket}", tls=False
        )
        collector = start(settings, papers.path("gunicorn.log"))
        try:
            with running(papers, socket) as (address, _pid):
                wait_for_both(papers, address, collector)
                yield address
        finally:
            collector.terminate()
            collector.wait()


def wait_for_both(papers: Papers, address: str, collector: subprocess.Popen[bytes]) -> None:
    """nginx answers 502 until gunicorn is there."""
    while True:
        try:
            return wait_for(papers, address, collector)
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == 502


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_who_may_hand_in_and_who_may_look(url: str, papers: Papers, world: World) -> None:
    sealed = world.seal(1)
    path, name = f"/v1/records/{sealed.sha256.hex()}", sealed.sha256.hex()
    picture, data = next(iter(pictures_of(1).items()))
    with papers.client(url) as nobody, papers.client(url, "elsewhere") as elsewhere:
        assert refusal(nobody.put(path, content=sealed.cose)) == (403, "collector-certificate")
        forged = nobody.put(path, content=sealed.cose, headers={"X-Client-Certificate": "-----BEGIN"})
        assert refusal(forged) == (403, "collector-certificate")
        assert refusal(elsewhere.put(path, content=sealed.cose)) == (403, "collector-carrier")
    with papers.client(url, "device") as device:
        answer = device.put(path, content=sealed.cose)
        assert answer.status_code == 201
        verify_acknowledgement(answer.content, world.trust, sealed.sha256)
        assert device.post("/v1/pictures", headers=announcing(picture, name, len(data))).status_code == 201
        first = device.patch(f"/v1/pictures/{picture}", content=data[:700], headers=piece(data[:700], 0))
        assert (first.status_code, first.headers["Upload-Offset"]) == (204, "700")
    with papers.client(url, "elsewhere") as elsewhere:
        stolen = elsewhere.patch(f"/v1/pictures/{picture}", content=data[700:], headers=piece(data[700:], 700))
        assert refusal(stolen) == (403, "collector-carrier")
    with papers.client(url, "forwarder") as forwarder:
        assert forwarder.put(path, content=sealed.cose).content == answer.content
        last = forwarder.patch(f"/v1/pictures/{picture}", content=data[700:], headers=piece(data[700:], 700))
        assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(data)))
    with papers.client(url) as nobody:
        assert nobody.get(path).content == sealed.cose
        assert hashlib.sha256(nobody.get(f"/v1/pictures/{picture}").content).hexdigest() == picture
        assert nobody.get(f"/v1/log/proof?record={name}").status_code == 200
        assert nobody.head(f"/v1/pictures/{picture}").status_code == 403


def test_a_certificate_of_another_authority(url: str, papers: Papers, world: World) -> None:
    """It names the right serial."""
    sealed = world.seal(1)
    with papers.client(url, "stranger") as stranger:
        try:
            answer = stranger.put(f"/v1/records/{sealed.sha256.hex()}", content=sealed.cose)
        except (httpx.TransportError, ssl.SSLError):
            return
        assert answer.status_code == 400
        assert b"nginx" in answer.content
