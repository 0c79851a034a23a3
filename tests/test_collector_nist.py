"""The export in the form of NIST SP 1500-100: valid, complete, and no number that the pages do not show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from collector.night import Night
from collector.nist import Words, report, snapshot
from collector.regions import region_names
from firmware.config import Candidate, Contest, Election, ElectionDefinition, PollingStation
from firmware.records import Mode
from tests import nist_schema
from tests.test_collector_recap import PICTURE
from tests.test_collector_recap import report as stored

CODES = ("3171010001001", "3171010001002", "3171020001001", "3273010001001", "7371010001001")
NOW = 1_866_010_000
RESULTS = {"suara_1": 7, "suara_2": 3, "suara_sah": 10, "suara_tidak_sah": 1, "suara_total": 11}
Json = dict[str, Any]


def definition(mode: Mode = Mode.REAL) -> ElectionDefinition:
    names = ("Pasangan Satu", "Pasangan Dua")
    candidates = tuple(Candidate(number, name) for number, name in enumerate(names, start=1))
    stations = tuple(PollingStation(code, "Kel. Satu, Kec. Dua, Kota Tiga", 280) for code in CODES)
    election = Election(1, "Pemilu contoh", mode, (Contest("ppwp", "form", candidates),), stations, ())
    return ElectionDefinition(election, "ab" * 32, {station.code: station for station in stations})


def night(results: dict[str, int | None]) -> Night:
    """Counted, counted with something unwritten, waiting, disputed, and nothing at all."""
    made = Night(CODES, ["ppwp"])
    unwritten = {**results, next(iter(results)): None}
    made.take(
        [
            stored(CODES[0], results=results, received_at=1_866_000_000),
            stored(CODES[1], results=unwritten, received_at=1_866_000_100),
            stored(CODES[2], results=results, pictures={1: b"q" * 32}),
            stored(CODES[3], results=results),
            stored(CODES[3], results=unwritten, sha256=b"other"),
        ],
        [PICTURE],
    )
    return made


def exported(results: dict[str, int | None] | None = None, found: Night | None = None) -> Json:
    results = dict(RESULTS) if results is None else results
    labels = {field: f"Label {field}" for field in results}
    words = Words("Presiden", labels, region_names(definition().election.polling_stations))
    taken = snapshot(found or night(results), "ppwp")
    made: Json = json.loads("".join(report(taken, definition(), words, NOW)))
    nist_schema.check(made)
    return made


def counts(made: Json, selection: int = 0) -> dict[str, int]:
    chosen = made["Election"][0]["Contest"][0]["ContestSelection"][selection]
    return {entry["GpUnitId"]: entry["Count"] for entry in chosen["VoteCounts"]}


def test_a_night_in_the_middle() -> None:
    made = exported()
    (election,) = made["Election"]
    (contest,) = election["Contest"]
    assert (made["Status"], made["IsTest"], made["GeneratedDate"]) == (
        "unofficial-partial",
        False,
        "2029-02-17T08:06:40Z",
    )
    assert (election["StartDate"], election["EndDate"]) == ("1970-01-01", "2029-02-17")
    assert (contest["SubUnitsReported"], contest["TotalSubUnits"], contest["VotesAllowed"]) == (2, 5, 1)
    assert counts(made, 1)["gpunit"] == 6
    first = counts(made)
    assert first == {
        **dict.fromkeys(("gpunit", "gpunit-31", "gpunit-3171", "gpunit-317101", "gpunit-3171010001"), 7),
        f"gpunit-{CODES[0]}": 7,
    }
    cast = {entry["GpUnitId"]: (entry["BallotsCast"], entry["BallotsRejected"]) for entry in election["BallotCounts"]}
    assert cast["gpunit"] == (22, 2)
    assert cast[f"gpunit-{CODES[1]}"] == (11, 1)


def test_every_station_says_how_far_it_is() -> None:
    units = {unit["@id"]: unit for unit in exported()["GpUnit"]}
    statuses = [units[f"gpunit-{code}"]["CountStatus"][0]["Status"] for code in CODES]
    assert statuses == ["completed", "completed", "in-process", "in-process", "not-processed"]
    assert units[f"gpunit-{CODES[0]}"]["VotersRegistered"] == 280
    assert units["gpunit"]["ComposingGpUnitIds"] == ["gpunit-31", "gpunit-32", "gpunit-73"]
    assert (units["gpunit-31"]["Type"], units["gpunit-31"]["Name"]["Text"][0]["Content"]) == ("state", "DKI Jakarta")
    assert (units["gpunit-317101"]["Type"], units["gpunit-317101"]["OtherType"]) == ("other", "kecamatan")
    assert len(units) == 1 + 3 + 3 + 4 + 4 + len(CODES)


def test_parties_stand_instead_of_candidates() -> None:
    made = exported({"partai_1_total": 5, "partai_2_total": 6, "suara_sah": 11})
    (election,) = made["Election"]
    assert [party["@id"] for party in made["Party"]] == ["party-1", "party-2"]
    assert election["Candidate"] == []
    assert election["Contest"][0]["@type"] == "ElectionResults.PartyContest"
    assert counts(made, 1)["gpunit"] == 12


def test_nobody_reported_and_everybody_did() -> None:
    nothing = exported(found=Night(CODES, ["ppwp"]))
    assert nothing["Status"] == "unofficial-partial"
    assert counts(nothing) == {}
    assert nothing["Election"][0]["StartDate"] == nothing["Election"][0]["EndDate"] == "2029-02-17"
    whole = Night(CODES, ["ppwp"])
    whole.take([stored(code, results=RESULTS) for code in CODES], [PICTURE])
    assert exported(found=whole)["Status"] == "unofficial-complete"
    assert counts(exported(found=whole))["gpunit"] == 7 * len(CODES)


def test_the_pieces_are_small() -> None:
    """Whatever the size of the night."""
    codes = [f"3171010{number // 1000:03d}{number % 1000:03d}" for number in range(1, 3000)]
    many = Night(codes, ["ppwp"])
    many.take([stored(code, results=RESULTS) for code in codes], [PICTURE])
    stations = {code: PollingStation(code, "Contoh", 1) for code in codes}
    words = Words("Presiden", {"suara_1": "Satu"}, {})
    pieces = list(report(snapshot(many, "ppwp"), replace(definition(), stations=stations), words, NOW))
    assert max(len(piece) for piece in pieces) < 128 * 1024
    assert len(json.loads("".join(pieces))["GpUnit"]) == len(codes) + 7


@pytest.mark.parametrize("what", ["missing", "unknown", "reference", "twice", "enum"])
def test_the_schema_lets_everything_through(what: str) -> None:
    made = exported()
    if what == "missing":
        del made["Issuer"]
    elif what == "unknown":
        made["GpUnit"][0]["Colour"] = "red"
    elif what == "reference":
        made["Election"][0]["ElectionScopeId"] = "candidate-1"
    elif what == "twice":
        made["GpUnit"][1]["@id"] = "gpunit"
    else:
        made["GpUnit"][0]["Type"] = "province"
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        nist_schema.check(made)
