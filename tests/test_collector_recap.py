"""The recapitulation: what is summed, what is not, and what is never shown without its picture."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from collector.app import create_app
from collector.night import REGION_DIGITS, Night, Report, Standing
from collector.regions import region_names
from collector.store import RecordStore
from firmware.config import PollingStation
from firmware.signing.statement import result_fields
from tests import nist_schema
from tests.collectors import deliver, put, refusal
from tests.sealing import LAYOUT, TPS, World, draft, make_world, pictures_of

CODES = ("3171010001001", "3171010001002", "3171020001001", "3273010001001")
PICTURE = b"p" * 32


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def client(world: World, tmp_path: Path) -> FlaskClient:
    """Its clock goes on by two seconds whenever it is looked at."""
    store, now = RecordStore.open(tmp_path / "collector"), iter(range(1_866_000_600, 1_867_000_000, 2))
    return create_app(store, world.trust, world.collector_key, lambda: next(now)).test_client()


def report(tps: str = CODES[0], value: int | None = 7, **changes: Any) -> Report:
    made = Report(
        sha256=f"{tps}{value}{changes}".encode(),
        device="DEV",
        tps=tps,
        contest="ppwp",
        supersedes=None,
        results={"suara_1": value, "suara_sah": value},
        failed=0,
        pictures={1: PICTURE},
        received_at=100,
    )
    return replace(made, **changes)


def night(*reports: Report, pictures: tuple[bytes, ...] = (PICTURE,)) -> Night:
    made = Night(CODES, ["ppwp"])
    made.take(reports, pictures)
    return made


# --- the rules


def test_nobody_reported() -> None:
    totals = night().totals("ppwp", "")
    assert (totals.stations, totals.received, totals.values) == (4, 0, {})


def test_the_picture_has_not_come() -> None:
    waiting = night(report(), pictures=())
    assert waiting.judged("ppwp", CODES[0])[0] is Standing.WAITING
    totals = waiting.totals("ppwp", "")
    assert (totals.waiting, totals.counted, totals.values) == (1, 0, {})
    waiting.take([], [PICTURE])
    assert waiting.totals("ppwp", "").values == {"suara_1": 7, "suara_sah": 7}


def test_a_correction_replaces_what_it_corrects() -> None:
    first = report()
    second = report(value=9, supersedes=first.sha256, sha256=b"second")
    for order in ([first, second], [second, first]):
        totals = night(*order).totals("ppwp", "")
        assert (totals.counted, totals.corrected, totals.values["suara_1"]) == (1, 1, 9)


def test_two_kiosks_report_one_station() -> None:
    same = night(report(), report(sha256=b"other", device="DEV-2")).totals("ppwp", "")
    assert (same.counted, same.disputed, same.values["suara_1"]) == (1, 0, 7)
    other = night(report(), report(value=8, device="DEV-2")).totals("ppwp", "")
    assert (other.counted, other.disputed, other.values) == (0, 1, {})


def test_an_alarm_is_counted_apart() -> None:
    totals = night(report(failed=1), report(CODES[1], None), report(CODES[2])).totals("ppwp", "")
    assert (totals.counted, totals.alarmed, totals.values["suara_1"]) == (3, 2, 14)


def test_the_backlog_and_the_silent() -> None:
    waits = report(CODES[1], pictures={1: PICTURE, 2: b"q" * 32, 3: b"r" * 32})
    found = night(report(), waits)
    assert found.backlog() == [(waits, 2)]
    assert found.silent() == list(CODES[2:])


@given(st.lists(st.tuples(st.sampled_from(CODES), st.integers(0, 300)), max_size=8, unique_by=lambda pair: pair[0]))
def test_every_level_has_the_same_sum(votes: list[tuple[str, int]]) -> None:
    found = night(*(report(tps, value) for tps, value in votes))
    for digits in REGION_DIGITS:
        sums = [found.totals("ppwp", code).values.get("suara_1", 0) for code in {tps[:digits] for tps in CODES}]
        assert sum(sums) == sum(value for _tps, value in votes)
    for code in ("", *(tps[:digits] for tps in CODES for digits in REGION_DIGITS[:-1])):
        parts = found.parts("ppwp", code)
        assert sum(part.stations for part in parts.values()) == found.totals("ppwp", code).stations
        assert sum(part.counted for part in parts.values()) == found.totals("ppwp", code).counted


@given(st.lists(st.tuples(st.sampled_from(CODES), st.integers(0, 3), st.booleans(), st.booleans()), max_size=8))
def test_sums_that_were_asked_for_before(arrived: list[tuple[str, int, bool, bool]]) -> None:
    """Whatever comes, corrections and late pictures too, and whoever looked meanwhile: the sums are those of now."""
    looked_at, before = Night(CODES, ["ppwp"]), Night(CODES, ["ppwp"])
    for number, (tps, value, corrects, shown) in enumerate(arrived):
        earlier = looked_at.versions("ppwp", tps)
        name = f"record {number}".encode()
        picture = f"picture {value}".encode()
        superseded = earlier[-1].sha256 if corrects and earlier else None
        made = report(tps, value, sha256=name, supersedes=superseded, pictures={1: picture}, received_at=number)
        for found in (looked_at, before):
            found.take([made], [picture] if shown else [])
        for code in ("", "31", "3171", "317101", "3171010001", CODES[0]):
            looked_at.totals("ppwp", code)
    for code in {tps[:digits] for tps in CODES for digits in (0, *REGION_DIGITS)}:
        assert looked_at.totals("ppwp", code) == before.totals("ppwp", code)


def test_regions_get_the_names_that_places_hold() -> None:
    named = region_names([PollingStation(CODES[0], "Balai Warga, Kel. Gambir, Kec. Gambir, Kota Jakarta Pusat", 300)])
    assert named == {
        "31": "DKI Jakarta",
        "3171": "Kota Jakarta Pusat",
        "317101": "Kec. Gambir",
        "3171010001": "Kel. Gambir",
        CODES[0]: "TPS 001",
    }
    assert region_names([PollingStation(CODES[0], "Contoh", 300)]) == {
        "31": "DKI Jakarta",
        CODES[0]: "TPS 001",
    }


# --- the pages


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 200, path
    assert "script" not in answer.headers["Content-Security-Policy"]
    return answer.text


def test_a_station_without_its_pictures_shows_no_number(client: FlaskClient, world: World) -> None:
    put(client, world.seal(7))
    shown = page(client, f"/tps/{TPS[7]}")
    assert shown.count("belum datang. Angkanya") == len(LAYOUT.pages)
    assert "<td>7</td>" not in shown
    assert "Belum ada TPS" in page(client, "/")


def test_every_number_stands_beside_its_picture(client: FlaskClient, world: World) -> None:
    deliver(client, world.seal(7), 7)
    shown = page(client, f"/tps/{TPS[7]}")
    for name in pictures_of(7):
        assert f'src="/v1/pictures/{name}"' in shown
    assert shown.count("<td>7</td>") == len(LAYOUT.fields)
    assert "belum datang" not in shown
    assert "1 dari 40 TPS" in page(client, "/")
    assert "1 of 40 TPS" in page(client, "/rekap/ppwp/?lang=en")


def test_a_time_is_not_that_of_the_place(client: FlaskClient, world: World) -> None:
    deliver(client, world.seal(7), 7)
    for path in (f"/tps/{TPS[7]}", "/rekap/ppwp/", f"/rekap/ppwp/{TPS[7][:10]}", "/operator"):
        shown = page(client, path)
        assert "UTC" not in shown
        assert path == "/operator" or ("2029-02-17 12:" in shown and " WIB" in shown)


def test_the_nist_export_is_that_of_the_pages(client: FlaskClient, world: World) -> None:
    deliver(client, world.seal(7), 7)
    put(client, world.seal(8))
    made = json(client, "/unduh/ppwp.nist.json")
    nist_schema.check(made)
    (contest,) = made["Election"][0]["Contest"]
    assert (contest["SubUnitsReported"], contest["TotalSubUnits"]) == (1, len(TPS))
    assert [votes["VoteCounts"][0]["Count"] for votes in contest["ContestSelection"]] == [7, 7, 7]
    assert {votes["VoteCounts"][-1]["GpUnitId"] for votes in contest["ContestSelection"]} == {f"gpunit-{TPS[7]}"}
    assert client.get("/unduh/x.nist.json").status_code == 404


def test_somebody_searches(client: FlaskClient) -> None:
    assert f"TPS 008 <small>Contoh · {TPS[7]}" in page(client, f"/cari?kode= {TPS[7][:6]} {TPS[7][6:]}")
    assert client.get("/cari?kode=12").status_code == 404
    assert client.get("/cari?kode=<script>").status_code == 404


@pytest.mark.parametrize("path", ["/rekap/x/", "/rekap/ppwp/99", "/rekap/ppwp/317", "/tps/31", "/tps/9999999999999"])
def test_places_that_are_not_in_the_election(client: FlaskClient, path: str) -> None:
    assert refusal(client.get(path)) == (404, "collector-unknown-place")


def test_reasons_in_a_correction_are_text(client: FlaskClient, world: World) -> None:
    first = world.seal(1)
    put(client, first)
    deliver(client, world.seal(1, supersedes=first.sha256, reason="<script>alert(1)</script>"), 1)
    shown = page(client, f"/tps/{TPS[1]}")
    assert "<script>" not in shown
    assert first.sha256.hex() in shown


def test_the_operator_sees_what_went_wrong(client: FlaskClient, world: World) -> None:
    sealed = world.seal(1)
    put(client, sealed)
    forged = world.forge(sealed, tps=TPS[2])
    put(client, forged)
    put(client, forged)
    shown = page(client, "/operator")
    assert "collector-fork" in shown
    assert forged.sha256.hex()[:16] in shown
    assert "39 TPS" in shown
    assert "1 rekaman" in shown


def test_the_csv_has_a_row_for_every_station(client: FlaskClient, world: World) -> None:
    deliver(client, world.seal(7), 7)
    put(client, world.seal(8))
    rows = list(csv.DictReader(io.StringIO(page_csv(client))))
    assert [row["tps"] for row in rows] == list(TPS)
    assert {rows[7][name] for name in result_fields(LAYOUT.fields)} == {"7"}
    assert {rows[8][name] for name in result_fields(LAYOUT.fields)} == {""}
    assert [rows[number]["keadaan"] for number in (7, 8, 9)] == ["counted", "waiting", "absent"]


def page_csv(client: FlaskClient) -> str:
    return client.get("/unduh/ppwp.csv").text


# --- KPU's JSON


def json(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.json


def test_programs_that_read_kpus_files_read_ours(client: FlaskClient, world: World) -> None:
    deliver(client, world.seal(7), 7)
    put(client, world.seal(8))
    everything = json(client, "/pemilu/hhcw/ppwp.json")
    assert everything["chart"] == {"1": 7, "2": 7, "3": 7, "persen": 2.5}
    assert everything["progres"] == {"total": 40, "progres": 1}
    assert everything["table"]["31"]["menunggu_foto"] == 1
    path = "31/3171/317101/3171010001"
    village = json(client, f"/pemilu/hhcw/ppwp/{path}.json")
    assert village["table"][TPS[7]]["1"] == 7
    station = json(client, f"/pemilu/hhcw/ppwp/{path}/{TPS[7]}.json")
    assert station["administrasi"]["pengguna_non_dpt_j"] == 7
    assert station["administrasi"]["pengguna_total_j"] == 7
    assert [url.rpartition("/")[2] for url in station["images"]] == list(pictures_of(7))
    assert (station["status_suara"], station["status_adm"]) == (True, True)
    waiting = json(client, f"/pemilu/hhcw/ppwp/{path}/{TPS[8]}.json")
    assert (waiting["chart"], waiting["administrasi"], waiting["status_suara"]) == (None, None, False)
    assert json(client, f"/wilayah/pemilu/ppwp/{path}.json")[7] == {"nama": "TPS 008", "kode": TPS[7], "tingkat": 5}
    assert json(client, "/wilayah/pemilu/ppwp/0.json") == [{"nama": "DKI Jakarta", "kode": "31", "tingkat": 1}]


def test_a_path_that_does_not_hang_together(client: FlaskClient) -> None:
    assert client.get("/pemilu/hhcw/ppwp/32/3171.json").status_code == 404


def test_a_rule_that_only_warns_is_no_alarm(client: FlaskClient, world: World) -> None:
    rule = {"rule": "P5", "fields": ["suara_1"], "left": 1, "right": 2, "warning": True}
    deliver(client, world.seal(7, failed=[rule]), 7)
    deliver(client, world.seal(8, failed=[{**rule, "rule": "H5", "warning": False}]), 8)
    assert draft(7)["failed"] == []
    everything = json(client, "/pemilu/hhcw/ppwp.json")
    assert (everything["progres"]["progres"], everything["alarm"]) == (2, 1)
    assert "H5" in page(client, f"/tps/{TPS[8]}")
