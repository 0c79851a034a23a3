"""Receipt codes that anybody brings: what is kept, how it is shown, what contradicts what, and who brings too much."""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
import segno
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from collector import code_reader, receipts
from collector.app import create_app
from collector.callers import Callers, by_nginx
from collector.code_reader import read_picture
from collector.rates import ADDRESSES, BURST, REFILL_SECONDS, Rates
from collector.receipts import Judged
from collector.store import RecordStore
from collector.submission import CollectorRefused
from firmware.errors import Refused
from firmware.messages import LANGUAGES, sentence
from firmware.records import SealedRecord
from firmware.signing import cose
from firmware.signing.cose import MessageType
from firmware.signing.receipt_code import encode
from firmware.signing.verification import verify_receipt
from tests.collectors import deliver, put, refusal
from tests.sealing import LAYOUT, TPS, World, make_world

CONTEST = LAYOUT.contest


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def store(memory: Path) -> Iterator[RecordStore]:
    opened = RecordStore.open(memory / "collector")
    yield opened
    opened.close()


@pytest.fixture
def client(world: World, store: RecordStore) -> FlaskClient:
    now = iter(range(1_866_000_600, 1_867_000_000, 2))
    return create_app(store, world.trust, world.collector_key, lambda: next(now)).test_client()


def bring(client: FlaskClient, data: bytes | str) -> TestResponse:
    return client.post("/v1/receipts", data=data)


def judged(client: FlaskClient, sealed: SealedRecord) -> str:
    answer = bring(client, sealed.receipt)
    assert answer.status_code in (200, 201)
    said: str = answer.json["judged"]
    return said


def forged_receipt(world: World, sealed: SealedRecord, **changes: Any) -> bytes:
    """A receipt that the signer would never sign, by its key."""
    said = replace(verify_receipt(sealed.receipt, world.trust).statement, **changes)
    return cose.sign(said.payload(), MessageType.RECEIPT, world.device_key)


def page(client: FlaskClient, number: int) -> str:
    return client.get(f"/tps/{TPS[number]}").text


def picture(text: str, kind: str = ".png") -> bytes:
    file = io.BytesIO()
    segno.make(text, error="q").save(file, kind="png", scale=5, border=4)
    if kind == ".png":
        return file.getvalue()
    gray = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
    done, data = cv2.imencode(kind, gray)
    assert done
    return data.tobytes()


# --- what is kept


@pytest.mark.parametrize(
    "as_what", ["cose", "text", "text with a line's end", "text pasted with a space", "png", "jpeg"]
)
def test_a_code_comes_in_every_way(client: FlaskClient, world: World, as_what: str) -> None:
    sealed = world.seal(1)
    text = encode(sealed.receipt)
    ways: dict[str, bytes | str] = {
        "cose": sealed.receipt,
        "text": text,
        "text with a line's end": f"{text}\r\n",
        "text pasted with a space": f" {text} \n",
        "png": picture(text),
        "jpeg": picture(text, ".jpg"),
    }
    first = bring(client, ways[as_what])
    assert first.status_code == 201
    assert first.json["record"] == sealed.sha256.hex()
    assert (first.json["tps"], first.json["contest"], first.json["judged"]) == (TPS[1], CONTEST, "alone")
    assert set(first.json["results"].values()) == {1}
    again = bring(client, sealed.receipt)
    assert (again.status_code, again.json) == (200, first.json)
    assert client.get(f"/v1/receipts/{first.json['receipt']}").data == sealed.receipt
    assert client.get("/v1/status").json["receipts"] == 1


def test_a_code_is_never_summed(client: FlaskClient, world: World) -> None:
    before = client.get(f"/rekap/{CONTEST}/").text
    judged(client, world.seal(1))
    after = client.get(f"/rekap/{CONTEST}/").text
    assert after == before
    assert client.get(f"/unduh/{CONTEST}.csv").text.count("absent") == len(TPS)


def test_a_code_without_its_record(client: FlaskClient, world: World) -> None:
    """Shown as such: the numbers stand apart, under words that say that there is no picture."""
    bring(client, world.seal(7).receipt)
    shown = page(client, 7)
    assert "Belum ada laporan" in shown
    assert "Dari kode struk, tanpa foto" in shown
    assert "Angka ini tidak dijumlahkan" in shown
    (slip,) = re.findall(r'<article class="slip alone">.*?</article>', shown, re.DOTALL)
    assert slip.count("<td>7</td>") == len(verify_receipt(world.seal(7).receipt, world.trust).results)
    assert page(client, 8).count("slip") == 0


def test_the_record_comes_and_agrees(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    assert judged(client, sealed) == "alone"
    deliver(client, sealed, 1)
    assert judged(client, sealed) == "agrees"
    assert "Cocok dengan rekaman lengkap" in page(client, 1)
    assert client.get("/v1/status").json["forks"] == 0


def test_the_record_was_corrected_since(client: FlaskClient, world: World) -> None:
    first = world.seal(1)
    second = world.seal(1, supersedes=first.sha256, reason="wrong-entry")
    assert judged(client, first) == "alone"
    put(client, second)
    assert judged(client, first) == "corrected"
    put(client, first)
    assert judged(client, first) == "corrected"
    assert judged(client, second) == "agrees"


# --- what does not fit


@pytest.mark.parametrize("code_first", [True, False])
def test_a_code_says_other_numbers_than_its_record(client: FlaskClient, world: World, code_first: bool) -> None:
    """An alarm for the operator, whichever comes first; the record counts all the same."""
    sealed = world.seal(1)
    values = tuple(9 for _ in verify_receipt(sealed.receipt, world.trust).statement.values)
    lie = forged_receipt(world, sealed, values=values)
    for step in ((bring, lie), (put, sealed))[:: 1 if code_first else -1]:
        send, what = step
        assert send(client, what).status_code == 201
    assert bring(client, lie).json["judged"] == "disagrees"
    assert "BERTENTANGAN" in page(client, 1)
    assert client.get("/v1/status").json["forks"] == 1
    operator = client.get("/operator").text
    assert hashlib.sha256(lie).hexdigest()[:16] in operator
    assert sealed.sha256.hex()[:16] in operator


@pytest.mark.parametrize("code_first", [True, False])
def test_another_record_has_the_number(client: FlaskClient, world: World, code_first: bool) -> None:
    sealed = world.seal(1)
    code = forged_receipt(world, sealed, record=b"r" * 32)
    for send, what in ((bring, code), (put, sealed))[:: 1 if code_first else -1]:
        assert send(client, what).status_code == 201
    assert bring(client, code).json["judged"] == "disagrees"
    assert client.get("/v1/status").json["forks"] == 1


def test_a_code_names_another_log_before_it(client: FlaskClient, world: World) -> None:
    """The copied key has sealed other records 1 and 2; only the root in the code of its third says so."""
    for number in (1, 2):
        put(client, world.seal(number))
    third = world.seal(3)
    said = verify_receipt(third.receipt, world.trust).statement
    code = forged_receipt(world, third, log=msgspec.structs.replace(said.log, root=b"x" * 32), record=b"r" * 32)
    assert bring(client, code).json["judged"] == "disagrees"


def test_two_codes_contradict_each_other(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    first = bring(client, sealed.receipt)
    assert bring(client, forged_receipt(world, sealed, record=b"r" * 32)).json["judged"] == "disagrees"
    assert judged(client, sealed) == "disagrees"
    assert first.json["judged"] == "alone"


def test_another_report_has_other_numbers(client: FlaskClient, world: World) -> None:
    """Nothing that its device signed says that it is wrong, so no fork; and both are shown."""
    deliver(client, world.seal(1), 1)
    other = world.seal(2)
    log = msgspec.structs.replace(verify_receipt(other.receipt, world.trust).statement.log, size=8, root=b"x" * 32)
    code = forged_receipt(world, other, tps=TPS[1], record=b"r" * 32, log=log)
    assert bring(client, code).json["judged"] == "differs"
    assert "BERBEDA" in page(client, 1)
    assert client.get("/v1/status").json["forks"] == 0


# --- what is no code


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "receipt-empty"),
        (b"C1R1:", 422, None),
        (b"C1R1:" + b"A" * 2_000, 422, None),
        (b"C1R1:\xff\x00", 422, "receipt-code"),
        (b"hello", 422, None),
        (bytes(500_000), 422, None),
        (b"\xff\xd8\xff" + bytes(100), 422, "picture-unreadable"),
        (b"x" * (code_reader.PICTURE_BYTES_MAX + 100_000), 413, "collector-too-large"),
    ],
)
def test_what_is_brought_is_no_code(client: FlaskClient, data: bytes, status: int, code: str | None) -> None:
    answer = bring(client, data)
    assert answer.status_code == status
    assert code in (None, refusal(answer)[1])
    assert client.get("/v1/status").json["receipts"] == 0


def test_a_code_is_not_genuine(client: FlaskClient, world: World, tmp_path: Path) -> None:
    stranger = make_world(tmp_path / "stranger").seal(1)
    assert refusal(bring(client, stranger.receipt)) == (422, "device-unknown")
    spoiled = bytearray(world.seal(1).receipt)
    spoiled[-1] ^= 1
    assert bring(client, bytes(spoiled)).status_code == 422
    assert bring(client, world.seal(1).cose).status_code == 422
    assert client.get("/v1/status").json["receipts"] == 0


def _bomb() -> bytes:
    done, data = cv2.imencode(".png", np.zeros((20_001, 3_200), np.uint8))
    assert done
    return data.tobytes()


def test_a_picture_that_unpacks_to_much_more() -> None:
    bomb = _bomb()
    assert len(bomb) < 1_000_000
    with pytest.raises(CollectorRefused, match="picture-unreadable"):
        read_picture(bomb)


def test_a_picture_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_reader, "WALL_SECONDS", 0.01)
    with pytest.raises(CollectorRefused, match="receipt-picture-given-up"):
        read_picture(picture("C1R1:X"))


def test_a_picture_kills_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_reader.sys, "executable", "/bin/false")
    with pytest.raises(CollectorRefused, match="receipt-picture-given-up"):
        read_picture(picture("C1R1:X"))


def test_two_codes_are_in_one_picture(client: FlaskClient, world: World) -> None:
    codes = [
        cv2.imdecode(np.frombuffer(picture(encode(world.seal(n).receipt)), np.uint8), cv2.IMREAD_GRAYSCALE)
        for n in (1, 2)
    ]
    side = min(code.shape[0] for code in codes)
    done, both = cv2.imencode(".png", np.hstack([code[:side] for code in codes]))
    assert done
    assert refusal(bring(client, both.tobytes()))[0] == 422


# --- the page


def test_a_witness_sends_a_photograph(client: FlaskClient, world: World) -> None:
    answer = client.get("/struk")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    form = answer.text
    assert 'type="file"' in form and "<script" not in form
    sealed = world.seal(3)
    file = (io.BytesIO(picture(encode(sealed.receipt), ".jpg")), "IMG_0001.JPG")
    sent = client.post("/struk", data={"foto": file, "kode": ""})
    assert sent.status_code == 200
    assert "Kode struk ini asli dan sudah disimpan" in sent.text
    assert f"/tps/{TPS[3]}" in sent.text
    again = client.post("/struk?lang=en", data={"kode": encode(sealed.receipt)})
    assert "genuine and was here already" in again.text


def test_a_witness_sends_something_else(client: FlaskClient) -> None:
    """The page says what to do; the operator sees the code."""
    sent = client.post("/struk", data={"foto": (io.BytesIO(b"%PDF-1.4"), "x.pdf")})
    assert sent.status_code == 422
    assert 'role="alert"' in sent.text and "<form" in sent.text
    assert client.post("/struk", data={}).status_code == 422
    huge = (io.BytesIO(bytes(code_reader.PICTURE_BYTES_MAX + 100_000)), "x.jpg")
    assert client.post("/struk", data={"foto": huge}).status_code == 413
    assert "receipt-picture-size" in client.get("/operator").text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verdict", Judged)
def test_a_verdict_has_no_sentence(verdict: Judged, language: str) -> None:
    assert sentence(f"struk.{verdict}", language)


# --- too much


def test_one_address_brings_too_much() -> None:
    now = 100.0
    rates = Rates(lambda: now)
    for _ in range(BURST):
        rates.take("192.0.2.1")
    with pytest.raises(CollectorRefused, match="receipt-rate"):
        rates.take("192.0.2.1")
    rates.take("192.0.2.2")
    now += REFILL_SECONDS
    rates.take("192.0.2.1")
    with pytest.raises(CollectorRefused, match="receipt-rate"):
        rates.take("192.0.2.1")


def test_many_addresses_fill_the_memory() -> None:
    rates = Rates(lambda: 0.0)
    for number in range(ADDRESSES + 100):
        rates.take(str(number))
    assert len(rates._spent) == ADDRESSES


def test_pictures_are_read_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.rates.WAIT_SECONDS", 0.01)
    rates, outcome = Rates(lambda: 0.0), []

    def second() -> None:
        try:
            with rates.picture():
                outcome.append("read")
        except Refused as refused:
            outcome.append(refused.code)

    with rates.picture():
        other = threading.Thread(target=second)
        other.start()
        other.join()
    second()
    assert outcome == ["receipt-busy", "read"]


def test_too_much_is_answered_as_such(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    answers = [bring(client, sealed.receipt).status_code for _ in range(BURST + 1)]
    assert answers == [201, *[200] * (BURST - 1), 429]


def test_a_stolen_key_fills_the_disk(client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MOST_OF_A_KEY", 3)
    sealed = world.seal(1)
    codes = [forged_receipt(world, sealed, unix=1_866_000_000 + second) for second in range(4)]
    assert [bring(client, code).status_code for code in codes] == [201, 201, 201, 422]
    assert bring(client, codes[0]).status_code == 200


def test_an_address_is_believed_from_nginx_alone() -> None:
    said = {"REMOTE_ADDR": "198.51.100.7", "HTTP_X_REAL_IP": "203.0.113.9"}
    assert Callers().address(said) == "198.51.100.7"
    assert Callers(by_nginx).address(said) == "203.0.113.9"
    assert Callers().address({"REMOTE_ADDR": "2001:db8:1:2:3::4"}) == "2001:db8:1:2::/64"
    assert Callers().address({"REMOTE_ADDR": ""}) == ""
