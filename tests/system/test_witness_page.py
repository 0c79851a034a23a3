"""A witness with a phone and one file: every way to a receipt's code, and everything that must not be believed."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import base45
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from firmware.errors import VerificationRefused
from firmware.messages import sentence
from firmware.receipt.fingerprint import short_fingerprint
from firmware.records import Mode
from firmware.signing import receipt_code
from firmware.signing.keys import Protection
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_receipt
from firmware.signing.witness.command import witness_page_command
from tests.system import webkit
from tests.system.conftest import ARGUMENTS
from tests.system.person import AUDIT
from tests.system.phone import Hold, film, photograph
from tests.system.witness_election import NAMES, World, give
from tests.vectors import parts

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "firmware" / "signing" / "witness" / "web"
SCREENS = ROOT / "build" / "screens" / "witness"
PHONE, TABLET = {"width": 390, "height": 844}, {"width": 1024, "height": 768}
VECTORS = json.loads((parts.FOLDER / "index.json").read_text(encoding="utf-8"))
PATIENCE_MS = 30_000
NO_PACKAGES = 3
"""Exit status of build.sh when npm cannot fetch what is pinned."""
INSECURE = "http://saksi.example/"
"""No secure context: no WebCrypto."""

CHECK = """async texts => {
  const found = [];
  for (const text of texts) {
    document.getElementById("text").value = text;
    document.getElementById("typed").requestSubmit();
    while (!document.getElementById("busy").hidden) await new Promise(done => setTimeout(done));
    const result = document.getElementById("result");
    found.push([result.className, result.dataset.code]);
  }
  return found;
}"""
"""Pastes one text after the other; the verdict and the code of each."""


VERDICT = """async () => {
  const [busy, result] = ["busy", "result"].map(id => document.getElementById(id));
  while (!busy.hidden) await new Promise(done => setTimeout(done, 50));
  return result.className;
}"""
"""When what was begun is done."""


class Witness:
    """Somebody with the page open, and a list of everything that their browser asked of any network."""

    def __init__(self, browser: Any) -> None:
        self.context = browser.new_context(viewport=PHONE, locale="id-ID")
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, url: str) -> Witness:
        self.page.goto(url)
        return self

    def paste(self, *texts: str) -> list[list[str]]:
        """Verdict and code of each text."""
        found: list[list[str]] = self.page.evaluate(CHECK, list(texts))
        return found

    def read(self) -> str:
        """Everything in the result."""
        return str(self.page.inner_text("#result"))

    def numbers(self) -> dict[str, str]:
        """The numbers shown, by field."""
        rows = self.page.query_selector_all("#result tr")
        return {row.get_attribute("data-field"): row.query_selector(".number").inner_text() for row in rows}

    def keep(self, name: str) -> None:
        """The page as it is, on a phone and on a tablet; nothing may stick out."""
        for label, size in {"phone": PHONE, "tablet": TABLET}.items():
            self.page.set_viewport_size(size)
            (SCREENS / label).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=SCREENS / label / f"{name}.png", full_page=True)
            assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{name}: {label}"
        self.page.set_viewport_size(PHONE)


@pytest.fixture(scope="session")
def template() -> None:
    """The template, built of these sources."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    built = subprocess.run(["bash", WEB / "build.sh"], capture_output=True, text=True)
    if built.returncode == NO_PACKAGES:
        pytest.skip("the npm packages cannot be fetched")
    assert built.returncode == 0, built.stdout + built.stderr


def made(trust: Path, out: Path) -> Path:
    """The page of a trust folder."""
    result = CliRunner().invoke(
        witness_page_command, ["--trust", str(trust), "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def saksi(template: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the election with three pairs and three kiosks, one of them stolen."""
    folder = tmp_path_factory.mktemp("saksi")
    World().write_trust(
        folder / "trust", [key.certificate for key in (parts.DEVICE, parts.FREE_RUNNING, parts.REVOKED)]
    )
    return made(folder / "trust", folder / "saksi.html")


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


def code(name: str) -> str:
    """What a code with a vector's bytes says."""
    data = (parts.FOLDER / name).read_bytes()
    if name.endswith(".txt"):
        return data.decode()
    text: str = base45.b45encode(data).decode("ascii")
    return receipt_code.PREFIX + text


def test_the_numbers_of_a_pasted_code_are_not_shown(witness: Witness) -> None:
    given = give()
    assert witness.paste(given.text) == [["holds", ""]]
    assert witness.numbers() == {
        **{"suara_1": "61", "suara_2": "128", "suara_3": "38"},
        **{"suara_sah": "227", "suara_tidak_sah": "4", "suara_total": "231"},
    }
    text = witness.read()
    assert all(name in text for name in NAMES)
    for needed in (
        "TANDA TANGAN SAH",
        "PENGEMBANGAN",
        "BUKAN HASIL PEMILU",
        "TPS 003",
        "32.76.05.1004.003",
        "Kota Depok",
    ):
        assert needed in text
    assert short_fingerprint(given.record.sealed.sha256) in text
    assert sentence("witness.protection-plain-file") in text
    assert "15-02-2024 02:30 WIB" in text
    for key in ("proven-numbers", "unproven-paper", "unproven-other"):
        assert sentence(f"witness.{key}") in text
    witness.keep("holds")


def test_an_empty_box_becomes_a_zero(witness: Witness) -> None:
    witness.paste(give(suara_3=None, suara_sah=189).text)
    assert witness.numbers()["suara_3"] == "–"
    assert sentence("witness.empty") in witness.read()


def test_a_witness_reads_english(witness: Witness) -> None:
    witness.paste(give().text)
    witness.page.click("#language")
    assert "SIGNATURE HOLDS" in witness.read()
    assert "Valid votes" in witness.read()
    assert witness.page.get_attribute("html", "lang") == "en"


def test_a_hostile_vector_is_believed(browser: Any, vectors_page: Path) -> None:
    """All of them in one sitting; those that are no receipts are refused for that, or as too long for a code."""
    witness = Witness(browser).open(vectors_page.as_uri())
    hostile = [name for name, entry in VECTORS.items() if "refused" in entry]
    found = dict(zip(hostile, witness.paste(*map(code, hostile)), strict=True))
    assert [name for name, (verdict, _) in found.items() if verdict not in ("refused", "unknown")] == []
    other = {name: why for name, (_, why) in found.items() if why != VECTORS[name]["refused"]}
    assert {
        name for name in other if name.startswith("hostile/receipt") and name != "hostile/receipt-as-record.cose"
    } == set()
    assert set(other.values()) <= {"cose-type", "receipt-code", "device-unknown"}, other
    assert witness.paste(code("valid/receipt-1.txt")) == [["holds", ""]]
    assert {why for _, why in witness.paste(*(code(f"valid/{n}.cose") for n in ("acknowledgement-1", "election")))} <= {
        "device-unknown",
        "receipt-code",
    }
    witness.context.close()


def refusal(cose: bytes, trust: TrustRoots) -> str:
    """The code with which our own verifier refuses a receipt."""
    with pytest.raises(VerificationRefused) as caught:
        verify_receipt(cose, trust)
    return caught.value.code


@pytest.mark.parametrize("engine", ["webcrypto", "noble"])
def test_a_flipped_bit_of_a_receipt_is_believed(browser: Any, vectors_page: Path, engine: str) -> None:
    """With WebCrypto, and without it where the page is no secure context."""
    witness = Witness(browser)
    witness.page.route(INSECURE, lambda route: route.fulfill(path=vectors_page, content_type="text/html"))
    witness.open(vectors_page.as_uri() if engine == "webcrypto" else INSECURE)
    assert witness.page.evaluate("Boolean(crypto.subtle)") is (engine == "webcrypto")
    data = (parts.FOLDER / "valid/receipt-1.cose").read_bytes()
    damaged = [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]
    first, *rest = witness.paste(*map(receipt_code.encode, [data, *damaged]))
    assert first == ["holds", ""]
    trust = TrustRoots.load(parts.FOLDER / "trust")
    assert [why for _, why in rest] == [refusal(cose, trust) for cose in damaged], "as c1kiosk verify"
    assert sentence(f"witness.engine-{engine}") in witness.page.text_content("#facts")
    witness.context.close()


def test_a_forged_receipt_is_shown_like_a_true_one(witness: Witness) -> None:
    class Forger:
        certificate = parts.DEVICE.certificate
        sign = parts.STRANGER.sign

    assert witness.paste(give(Forger()).text) == [["refused", "cose-signature"]]
    assert not witness.numbers()
    assert "TIDAK SAH" in witness.read()
    witness.keep("refused")


def test_a_kiosk_of_another_kabupaten_is_called_a_forger(witness: Witness) -> None:
    assert witness.paste(give(parts.STRANGER).text) == [["unknown", "device-unknown"]]
    assert "minta halaman kabupaten Anda" in witness.read()
    assert not witness.numbers()
    witness.keep("unknown")


def test_a_development_key_makes_a_real_receipt(witness: Witness) -> None:
    assert witness.paste(give(mode=Mode.REAL).text) == [["refused", "mode-not-of-key"]]
    assert not witness.numbers()


def test_a_stolen_kiosk_is_believed(witness: Witness) -> None:
    """Not from the revocation on; before it, by its own clock, with a warning. So with a time outside its validity."""
    later, before = give(parts.REVOKED), give(parts.REVOKED, unix=parts.SEALED_AT - 1)
    assert witness.paste(later.text, before.text) == [["refused", "device-revoked"], ["holds", ""]]
    assert "dicabut sejak 2024-02-14 (stolen)" in witness.read()
    assert witness.paste(give(unix=4_000_000_000, suara_1=60).text)[0][1] == ""
    assert "di luar masa sertifikatnya" in witness.read()


@pytest.mark.parametrize("mode", [Mode.REAL, Mode.TRAINING])
def test_a_lesson_is_taken_for_a_result(browser: Any, template: None, tmp_path: Path, mode: Mode) -> None:
    """A real result has no banner; a lesson's stands over it."""
    world = World(mode)
    key = world.device("KIOS-7", Protection.TPM)
    world.write_trust(tmp_path / "trust", [key.certificate])
    page = made(tmp_path / "trust", tmp_path / "saksi.html")
    witness = Witness(browser).open(page.as_uri())
    assert witness.paste(give(key, mode=mode).text, give().text) == [["holds", ""], ["unknown", "device-unknown"]]
    witness.paste(give(key, mode=mode).text)
    assert sentence("witness.protection-tpm") in witness.read()
    assert ("SIMULASI\nBUKAN HASIL" in witness.read()) is (mode is Mode.TRAINING)
    assert ("BUKAN HASIL" in witness.read()) is (mode is Mode.TRAINING)
    witness.keep(mode)
    witness.context.close()


def test_a_code_is_cut_off(witness: Witness) -> None:
    text = give().text
    verdicts = witness.paste(text[:-3], text[:-1], text[5:], "", "https://example.org")
    assert {verdict for verdict, _ in verdicts} <= {"refused", "unknown"}
    assert witness.paste(f"\n{text}\n") == [["holds", ""]]


def test_two_histories_of_one_device_are_not_noticed(witness: Witness) -> None:
    first, second = give(), give(suara_1=62)
    assert witness.paste(first.text, second.text) == [["holds", ""], ["fork", "chain-fork"]]
    assert "DUA riwayat" in witness.read()
    assert sentence("witness.related-corrects") not in witness.read()
    assert all(short_fingerprint(it.record.sealed.sha256) in witness.page.inner_text("#list") for it in (first, second))
    witness.keep("fork")
    other = give(parts.FREE_RUNNING)
    assert witness.paste(other.text) == [["holds", ""]]
    assert sentence("witness.related-other-device") in witness.read()


def test_a_correction_looks_like_a_second_result(witness: Witness) -> None:
    first = give()
    second = give(log=(first.record.sealed.sha256,), suara_1=62)
    assert witness.paste(second.text, first.text) == [["holds", ""], ["holds", ""]]
    assert sentence("witness.related-corrected") in witness.read()
    witness.paste(second.text)
    assert sentence("witness.related-corrects") in witness.read()
    wrong_root = give(log=(bytes([1]) * 32,), suara_1=62)
    assert witness.paste(wrong_root.text) == [["fork", "chain-fork"]]


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


def test_the_page_talks_to_somebody(browser: Any, saksi: Path) -> None:
    """Its policy stops what it does not do anyway: nobody even knocks at the door."""
    witness = Witness(browser).open(saksi.as_uri())
    with socket.create_server(("127.0.0.1", 0)) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}/"
        reached = f"fetch('{url}').then(() => 'reached', () => 'stopped')"
        assert witness.page.evaluate(reached) == "stopped"
        witness.page.evaluate(f"() => {{ document.body.append(Object.assign(new Image(), {{src: '{url}'}})); }}")
        witness.page.evaluate("() => document.body.setAttribute('onclick', 'window.ran = true')")
        witness.page.click("#election")
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()
    assert witness.page.evaluate("window.ran") is None
    assert sum("Content Security Policy" in problem for problem in witness.problems) >= 3
    assert witness.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    witness.context.close()


def test_a_name_becomes_markup(browser: Any, template: None, tmp_path: Path) -> None:
    name = "</script><img src=x onerror=alert(1)>&lt;b&gt;"
    World().write_trust(tmp_path / "trust", [parts.DEVICE.certificate], names=(name, name, name))
    page = made(tmp_path / "trust", tmp_path / "saksi.html")
    witness = Witness(browser).open(page.as_uri())
    assert witness.paste(give().text) == [["holds", ""]]
    assert f"1. {name}" in witness.read()
    assert witness.page.query_selector("img") is None
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


def test_a_screen_reader_is_lost(saksi: Path, browser: Any, axe: str) -> None:
    if not axe:
        pytest.skip("axe-core cannot be fetched")
    witness = Witness(browser).open(saksi.as_uri())
    witness.paste(give().text)
    witness.page.evaluate("() => document.querySelectorAll('details').forEach(it => { it.open = true; })")
    witness.page.evaluate(axe + "; true")
    assert witness.page.evaluate(AUDIT) == []
    witness.context.close()


def test_two_builds_differ(template: None, saksi: Path, tmp_path: Path) -> None:
    built = WEB / "dist" / "page.html"
    before = hashlib.sha256(built.read_bytes()).hexdigest()
    subprocess.run(["bash", WEB / "build.sh", tmp_path / "again"], check=True, capture_output=True)
    assert hashlib.sha256((tmp_path / "again" / "page.html").read_bytes()).hexdigest() == before
    again = made(saksi.parent / "trust", tmp_path / "saksi.html")
    assert again.read_bytes() == saksi.read_bytes()
