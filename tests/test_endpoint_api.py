"""The local API: what an operator's tools are told, and what they are refused with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Blueprint, Flask
from flask.testing import FlaskClient

from firmware.endpoint import app as screen_app
from firmware.endpoint import exposure
from firmware.endpoint.api import routes
from firmware.endpoint.app import create_app
from firmware.endpoint.exposure import Exposure, reachable
from firmware.endpoint.lan import create_lan_app
from firmware.endpoint.sources import Sources
from firmware.messages import both
from firmware.signing.cose import MessageType, parse
from firmware.signing.merkle import verify_consistency, verify_inclusion
from tests.apis import FakeStation, SealedRoom
from tests.sealing import LAYOUT, pictures_of

PORT = 8123
RECORDS = 5
LOOPBACK_ADDRESS = f"http://127.0.0.1:{PORT}"
NOBODY = "00" * 32


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> SealedRoom:
    return SealedRoom(tmp_path_factory.mktemp("kiosk"), RECORDS)


@pytest.fixture(params=["loopback", "lan"])
def client(request: pytest.FixtureRequest, sealed: SealedRoom) -> Iterator[FlaskClient]:
    """The same API in both places."""
    sealed.station.away = False
    app = create_app(sealed.sources, PORT) if request.param == "loopback" else create_lan_app(sealed.sources)
    with app.test_client() as found:
        found.environ_base["HTTP_HOST"] = f"127.0.0.1:{PORT}"
        yield found


def get(client: FlaskClient, path: str, **headers: str) -> Any:
    return client.get(path, base_url=LOOPBACK_ADDRESS, headers={k.replace("_", "-"): v for k, v in headers.items()})


def code(answer: Any) -> str:
    """The code of a refusal, which is a whole RFC 9457 problem."""
    assert answer.content_type == "application/problem+json"
    problem = answer.json
    assert set(problem) == {"type", "title", "status", "code", "detail"}
    assert problem["status"] == answer.status_code
    return str(problem["code"])


# --- from where a route may be reached


def _routes_with(view: Any) -> Blueprint:
    loose = Blueprint("loose", __name__)
    loose.add_url_rule("/loose", view_func=view)
    return loose


def test_a_route_without_a_declared_exposure_starts(sealed: SealedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_app, "BLUEPRINTS", [*screen_app.BLUEPRINTS, _routes_with(lambda: "")])
    with pytest.raises(RuntimeError, match=r"/loose .* does not declare"):
        create_app(sealed.sources, PORT)


def test_a_route_of_the_screen_gets_onto_the_network() -> None:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(_routes_with(reachable(Exposure.LOOPBACK)(lambda: "")))
    exposure.check(app, most=Exposure.LOOPBACK)
    with pytest.raises(RuntimeError, match="loopback alone"):
        exposure.check(app, most=Exposure.LAN)


def test_a_route_that_writes_is_declared_for_the_network() -> None:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/seal", view_func=reachable(Exposure.LAN)(lambda: ""), methods=["POST"])
    with pytest.raises(RuntimeError, match="POST"):
        exposure.check(app, most=Exposure.LOOPBACK)


def test_a_network_client_looks_for_the_screen(sealed: SealedRoom) -> None:
    client = create_lan_app(sealed.sources).test_client()
    for rule in create_app(sealed.sources, PORT).url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        if not path.startswith("/v1/"):
            assert client.get(path).status_code == 404, path
            assert client.post(path).status_code == 405, path


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FROBNICATE"])
def test_a_network_client_writes(sealed: SealedRoom, method: str) -> None:
    answer = create_lan_app(sealed.sources).test_client().open("/v1/status", method=method)
    assert (answer.status_code, code(answer)) == (405, "read-only")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_a_network_client_is_given_a_cookie(sealed: SealedRoom) -> None:
    client = create_lan_app(sealed.sources).test_client()
    for path in ("/v1/status", "/v1/records", "/v1/nothing", "/"):
        assert "Set-Cookie" not in client.get(path, headers={"Cookie": "c1kiosk=x"}).headers


# --- status


def test_the_kiosk_says_how_it_stands(client: FlaskClient, sealed: SealedRoom) -> None:
    status = get(client, "/v1/status").json
    assert (status["station"], status["session"]["state"], status["records"]) == ("here", "idle", RECORDS)
    assert status["newest"]["sha256"] == sealed.name(RECORDS)
    (contest,) = status["session"]["contests"]
    assert (contest["stage"], contest["record"]) == ("sealed", "ab" * 32)
    assert contest["deliveries"] == [{"collector": "kota-contoh", "state": "sent", "attempts": 2}]


def test_the_station_is_away_and_records_are_asked_for(client: FlaskClient, sealed: SealedRoom) -> None:
    sealed.station.away = True
    status = get(client, "/v1/status").json
    assert (status["station"], status["session"], status["records"]) == ("away", None, RECORDS)
    assert get(client, f"/v1/records/{sealed.name(1)}").data == sealed.sealed[0].cose


def test_there_is_no_ledger_yet(tmp_path: Path) -> None:
    station: Any = FakeStation()
    client = create_lan_app(Sources(station, tmp_path / "ledger", tmp_path / "trust")).test_client()
    status = client.get("/v1/status").json
    assert status
    assert (status["records"], status["newest"], status["ledger_problem"]) == (None, None, "ledger-missing")
    answer = client.get("/v1/records")
    assert (answer.status_code, code(answer)) == (503, "ledger-missing")


# --- records and pictures


def test_records_are_listed_a_part_at_a_time(client: FlaskClient, sealed: SealedRoom) -> None:
    found, path = [], "/v1/records?limit=2"
    while path:
        part = get(client, path).json
        assert len(part["records"]) <= 2
        found += [entry["sha256"] for entry in part["records"]]
        path = part["next"]
    assert found == [sealed.name(number) for number in range(1, RECORDS + 1)]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "after=-1", "limit=1&limit=2", "before=3", "after="]
)
def test_a_list_is_asked_for_wrongly(client: FlaskClient, query: str) -> None:
    answer = get(client, f"/v1/records?{query}")
    assert (answer.status_code, code(answer)) == (400, "query")


def test_a_record_is_changed_on_its_way(client: FlaskClient, sealed: SealedRoom) -> None:
    answer = get(client, f"/v1/records/{sealed.name(2)}")
    assert answer.content_type.startswith("application/cose")
    assert hashlib.sha256(answer.data).hexdigest() == sealed.name(2) == answer.get_etag()[0]
    assert parse(answer.data).type is MessageType.RECORD
    again = get(client, f"/v1/records/{sealed.name(2)}", If_None_Match=answer.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")


def test_every_picture_of_a_record_is_pulled_untouched(client: FlaskClient, sealed: SealedRoom) -> None:
    images = get(client, f"/v1/records/{sealed.name(3)}/images").json["images"]
    assert [entry["page"] for entry in images] == [page.number for page in LAYOUT.pages]
    for entry in images:
        answer = get(client, f"/v1/records/{sealed.name(3)}/images/{entry['page']}")
        assert answer.data == pictures_of(3)[entry["sha256"]]
        assert answer.headers["ETag"] == f'"{entry["sha256"]}"'
        assert (answer.mimetype, int(answer.headers["Content-Length"])) == ("image/jpeg", entry["bytes"])


def test_the_cable_is_pulled_in_the_middle_of_a_picture(client: FlaskClient, sealed: SealedRoom) -> None:
    path = f"/v1/records/{sealed.name(1)}/images/1"
    whole = get(client, path)
    rest = get(client, path, Range="bytes=700-", If_Range=whole.headers["ETag"])
    assert (rest.status_code, rest.headers["Content-Range"]) == (
        206,
        f"bytes 700-{len(whole.data) - 1}/{len(whole.data)}",
    )
    assert whole.data[:700] + rest.data == whole.data
    other = get(client, path, Range="bytes=700-", If_Range='"another"')
    assert (other.status_code, other.data) == (200, whole.data), "what was begun is of another picture"
    assert code(get(client, path, Range=f"bytes={len(whole.data)}-")) == "range"


def test_a_picture_is_damaged_on_the_card(tmp_path: Path) -> None:
    damaged = SealedRoom(tmp_path, 1)
    client = create_lan_app(damaged.sources).test_client()
    for file in (tmp_path / "ledger" / "pictures").glob("??/*"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    answer = client.get(f"/v1/records/{damaged.name(1)}/images/1")
    assert (answer.status_code, code(answer)) == (500, "ledger-picture-damaged")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (f"/v1/records/{NOBODY}", "ledger-unknown-record"),
        (f"/v1/records/{NOBODY}/images", "ledger-unknown-record"),
        (f"/v1/records/{NOBODY}/images/1", "ledger-unknown-record"),
        (f"/v1/records/{NOBODY}/proof", "ledger-unknown-record"),
        ("/v1/records/{first}/images/99", "page-unknown"),
        ("/v1/records/{first}/images/0", "address-unknown"),
        ("/v1/records/{first}/images/01", "address-unknown"),
        ("/v1/records/x", "address-unknown"),
        ("/v1/records/..%2f..%2fetc", "address-unknown"),
        ("/v1/records/" + "A" * 64, "address-unknown"),
        ("/v1/nothing", "address-unknown"),
        ("/v2/status", ""),
    ],
)
def test_something_that_is_not_there_is_asked_for(
    client: FlaskClient, sealed: SealedRoom, path: str, wanted: str
) -> None:
    answer = get(client, path.format(first=sealed.name(1)))
    assert answer.status_code == 404
    if wanted:
        assert code(answer) == wanted


def test_a_refusal_is_told_in_indonesian_and_english(client: FlaskClient) -> None:
    assert get(client, "/v1/nothing").json["detail"] == both("api.address-unknown")


def test_the_program_makes_a_mistake(client: FlaskClient, sealed: SealedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeStation, "view", lambda self: 1 / 0)
    answer = get(client, "/v1/status")
    assert (answer.status_code, code(answer)) == (500, "internal")
    assert "division" not in answer.text


# --- the log


@pytest.mark.parametrize("size", range(1, RECORDS + 1))
def test_an_auditor_checks_that_a_record_is_in_the_log(client: FlaskClient, sealed: SealedRoom, size: int) -> None:
    for number in range(1, size + 1):
        proof = get(client, f"/v1/records/{sealed.name(number)}/proof?size={size}").json
        path = [bytes.fromhex(node) for node in proof["path"]]
        assert (proof["leaf_index"], proof["tree_size"]) == (number - 1, size)
        verify_inclusion(sealed.sealed[number - 1].sha256, number - 1, size, bytes.fromhex(proof["root"]), path)
    if size < RECORDS:
        assert proof["root"] == sealed.sealed[size].payload["log"]["root"].hex(), "as the next record signs it"


def test_without_a_size_the_proof_is_of_all_records(client: FlaskClient, sealed: SealedRoom) -> None:
    assert get(client, f"/v1/records/{sealed.name(1)}/proof").json["tree_size"] == RECORDS


@pytest.mark.parametrize(
    ("query", "status", "wanted"),
    [
        ("size=2", 404, "log-before-record"),
        ("size=6", 404, "log-smaller"),
        ("size=0", 400, "query"),
        ("size=", 400, "query"),
        ("sizes=3", 400, "query"),
    ],
)
def test_a_proof_that_cannot_be(client: FlaskClient, sealed: SealedRoom, query: str, status: int, wanted: str) -> None:
    answer = get(client, f"/v1/records/{sealed.name(3)}/proof?{query}")
    assert (answer.status_code, code(answer)) == (status, wanted)


def test_an_auditor_checks_that_nothing_was_rewritten(client: FlaskClient) -> None:
    for old in range(1, RECORDS + 1):
        for new in range(old, RECORDS + 1):
            proof = get(client, f"/v1/consistency?from={old}&to={new}").json
            roots = bytes.fromhex(proof["from_root"]), bytes.fromhex(proof["to_root"])
            verify_consistency(old, new, *roots, [bytes.fromhex(node) for node in proof["path"]])


@pytest.mark.parametrize(
    ("query", "status", "wanted"),
    [
        ("from=3&to=2", 404, "log-order"),
        ("from=1&to=6", 404, "log-smaller"),
        ("from=0&to=2", 400, "query"),
        ("from=1", 400, "query"),
        ("from_=1&to=2", 400, "query"),
    ],
)
def test_logs_that_cannot_be_compared(client: FlaskClient, query: str, status: int, wanted: str) -> None:
    answer = get(client, f"/v1/consistency?{query}")
    assert (answer.status_code, code(answer)) == (status, wanted)


# --- the device


def test_the_device_certificate_verifies_the_records(client: FlaskClient, sealed: SealedRoom) -> None:
    device = get(client, "/v1/device").json
    pem = get(client, "/v1/device/certificate")
    der = x509.load_pem_x509_certificate(pem.data).public_bytes(Encoding.DER)
    assert der == sealed.world.device_key.certificate
    assert (device["kid"], device["world"]) == (parse(sealed.sealed[0].cose).kid.hex(), "development")
    assert device["protection"] == "plain-file"
    assert pem.content_type == "application/pem-certificate-chain"


def test_nothing_is_sealed_and_the_device_is_asked_for(tmp_path: Path) -> None:
    client = create_lan_app(SealedRoom(tmp_path, 0).sources).test_client()
    assert code(client.get("/v1/device")) == "no-record-yet"
    assert client.get("/v1/records").json == {"records": [], "next": None}


def test_the_trust_folder_does_not_know_this_device(tmp_path: Path) -> None:
    room = SealedRoom(tmp_path, 1)
    (tmp_path / "trust" / "devices.pem").write_bytes(b"")
    answer = create_lan_app(room.sources).test_client().get("/v1/device")
    assert (answer.status_code, code(answer)) == (404, "device-unknown")


# --- the description


def test_an_address_is_not_described(client: FlaskClient) -> None:
    document = get(client, "/v1/openapi.json").json
    rules = {
        rule.rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith(routes.name + ".")
    }
    assert {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) for rule in rules} == set(document["paths"])
    assert document["openapi"].startswith("3.1.")
    for path in document["paths"].values():
        assert path["get"]["summary"]


def test_the_description_names_a_schema_that_is_not_there(client: FlaskClient) -> None:
    answer = get(client, "/v1/openapi.json")
    named = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert named
    assert named <= set(answer.json["components"]["schemas"])


def test_the_limits_of_a_question_are_described(client: FlaskClient) -> None:
    document = get(client, "/v1/openapi.json").json
    parameters = {entry["name"]: entry for entry in document["paths"]["/v1/records"]["get"]["parameters"]}
    assert parameters["limit"]["schema"]["maximum"] == 500
    assert not parameters["after"]["required"]
    (first, _) = document["paths"]["/v1/consistency"]["get"]["parameters"]
    assert (first["name"], first["required"]) == ("from", True)
