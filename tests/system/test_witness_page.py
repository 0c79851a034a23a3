"""A witness with one file: what is shown of a receipt that holds, and everything that must not be believed."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import base45
import pytest

from firmware.errors import VerificationRefused
from firmware.messages import sentence
from firmware.receipt.fingerprint import short_fingerprint
from firmware.records import Mode
from firmware.signing import receipt_code
from firmware.signing.cose import MessageType, parse, sign
from firmware.signing.encoding import decode
from firmware.signing.keys import Protection
from firmware.signing.trust import TrustRoots
from firmware.signing.verification import verify_receipt
from tests.system.person import AUDIT
from tests.system.witness import WEB, Witness, made
from tests.system.witness_election import NAMES, World, give
from tests.vectors import parts

pytestmark = pytest.mark.system

VECTORS = json.loads((parts.FOLDER / "index.json").read_text(encoding="utf-8"))
INSECURE = "http://saksi.example/"
"""No secure context: no WebCrypto."""


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
    assert witness.read().startswith("SIMULASI") is (mode is Mode.TRAINING)
    assert ("BUKAN HASIL" in witness.read()) is (mode is Mode.TRAINING)
    witness.keep(mode)
    witness.context.close()


@pytest.mark.parametrize("contest", ["dpr", "constructor"])
def test_a_contest_of_another_election(witness: Witness, contest: str) -> None:
    """One of them is a name that every object of JavaScript knows."""
    payload = decode(parse(give().record.sealed.receipt).payload) | {4: contest}
    text = receipt_code.encode(sign(payload, MessageType.RECEIPT, parts.DEVICE))
    assert witness.paste(text) == [["unknown", "election-contest"]]


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
