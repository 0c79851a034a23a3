"""The parts of NIST SP 1500-100 version 2 that the collector's export uses, as a JSON schema (draft 4).

Written down by hand from NIST_V2_election_results_reporting.json of github.com/usnistgov/ElectionResultsReporting
(revision 521b97ae): class and property names, what is required, types, references and enumerations. Properties that
the export does not use are left out, so this schema refuses more than NIST's and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema

Json = dict[str, Any]

_UNIT = ("ReportingUnit", "ReportingDevice")


def _class(name: str, required: str = "", **properties: Json) -> Json:
    """An object of one class: nothing else in it, and its type named."""
    has_id = "@id" in required.split()
    own: Json = {"@type": {"type": "string", "enum": [f"ElectionResults.{name}"]}}
    own |= {"@id": {"type": "string"}} if has_id else {}
    must = sorted({"@type", *required.split()})
    return {"type": "object", "required": must, "additionalProperties": False, "properties": own | properties}


def _is(name: str) -> Json:
    return {"$ref": f"#/definitions/ElectionResults.{name}"}


def _some(*names: str, least: int = 0) -> Json:
    items = _is(names[0]) if len(names) == 1 else {"oneOf": [_is(name) for name in names]}
    return {"type": "array", "minItems": least, "items": items}


def _refers(*classes: str) -> Json:
    return {"type": "string", "refTypes": [f"ElectionResults.{name}" for name in classes]}


def _refers_to_some(*classes: str, least: int = 0) -> Json:
    return {"type": "array", "minItems": least, "items": _refers(*classes)}


def _one_of(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}


_TEXT, _WHOLE, _NUMBER, _FLAG = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
_DATE = {"type": "string", "format": "date"}
_COUNTING = {"CountStatus": _some("CountStatus"), "SubUnitsReported": _WHOLE, "TotalSubUnits": _WHOLE}
_CONTEST = {
    **_COUNTING,
    "ContestSelection": _some("PartySelection", "CandidateSelection"),
    "ElectionDistrictId": _refers("ReportingUnit"),
    "Name": _TEXT,
    "VoteVariation": _is("VoteVariation"),
}
_SELECTION = {"SequenceOrder": _WHOLE, "VoteCounts": _some("VoteCounts")}
_OF_A_UNIT = {"GpUnitId": _refers(*_UNIT), "Type": _is("CountItemType")}

_CLASSES = {
    "BallotCounts": _class("BallotCounts", "GpUnitId Type", **_OF_A_UNIT, BallotsCast=_WHOLE, BallotsRejected=_WHOLE),
    "Candidate": _class("Candidate", "@id BallotName", BallotName=_is("InternationalizedText")),
    "CandidateContest": _class(
        "CandidateContest", "@id ElectionDistrictId Name VotesAllowed", **_CONTEST, VotesAllowed=_WHOLE
    ),
    "CandidateSelection": _class("CandidateSelection", "@id", **_SELECTION, CandidateIds=_refers_to_some("Candidate")),
    "CountStatus": _class("CountStatus", "Status Type", Status=_is("CountItemStatus"), Type=_is("CountItemType")),
    "Election": _class(
        "Election",
        "ElectionScopeId EndDate Name StartDate Type",
        BallotCounts=_some("BallotCounts"),
        Candidate=_some("Candidate"),
        Contest=_some("PartyContest", "CandidateContest"),
        ElectionScopeId=_refers("ReportingUnit"),
        EndDate=_DATE,
        ExternalIdentifier=_some("ExternalIdentifier"),
        Name=_is("InternationalizedText"),
        StartDate=_DATE,
        Type=_is("ElectionType"),
    ),
    "ElectionReport": _class(
        "ElectionReport",
        "Format GeneratedDate Issuer IssuerAbbreviation SequenceEnd SequenceStart Status VendorApplicationId",
        Election=_some("Election"),
        Format=_is("ReportDetailLevel"),
        GeneratedDate=_is("DateTimeWithZone"),
        GpUnit=_some("ReportingUnit"),
        IsTest=_FLAG,
        Issuer=_TEXT,
        IssuerAbbreviation=_TEXT,
        Notes=_TEXT,
        Party=_some("Party"),
        SequenceEnd=_WHOLE,
        SequenceStart=_WHOLE,
        Status=_is("ResultsStatus"),
        TestType=_TEXT,
        VendorApplicationId=_TEXT,
    ),
    "ExternalIdentifier": _class(
        "ExternalIdentifier", "Type Value", Label=_TEXT, OtherType=_TEXT, Type=_is("IdentifierType"), Value=_TEXT
    ),
    "InternationalizedText": _class("InternationalizedText", "Text", Text=_some("LanguageString", least=1)),
    "LanguageString": _class("LanguageString", "Content Language", Content=_TEXT, Language=_TEXT),
    "Party": _class("Party", "@id Name", Name=_is("InternationalizedText")),
    "PartyContest": _class("PartyContest", "@id ElectionDistrictId Name", **_CONTEST),
    "PartySelection": _class(
        "PartySelection", "@id PartyIds", **_SELECTION, PartyIds=_refers_to_some("Party", "Coalition", least=1)
    ),
    "ReportingUnit": _class(
        "ReportingUnit",
        "@id Type",
        **_COUNTING,
        ComposingGpUnitIds=_refers_to_some(*_UNIT),
        ExternalIdentifier=_some("ExternalIdentifier"),
        Name=_is("InternationalizedText"),
        OtherType=_TEXT,
        Type=_is("ReportingUnitType"),
        VotersRegistered=_WHOLE,
    ),
    "VoteCounts": _class("VoteCounts", "Count GpUnitId Type", **_OF_A_UNIT, Count=_NUMBER),
}
_WORDS = {
    "CountItemStatus": _one_of("completed", "in-process", "not-processed", "unknown"),
    "CountItemType": _one_of(
        *("absentee", "absentee-fwab", "absentee-in-person", "absentee-mail", "early", "election-day", "other"),
        *("provisional", "seats", "total", "uocava", "write-in"),
    ),
    "ElectionType": _one_of(
        "general", "other", "partisan-primary-closed", "partisan-primary-open", "primary", "runoff", "special"
    ),
    "IdentifierType": _one_of("fips", "local-level", "national-level", "ocd-id", "other", "state-level"),
    "ReportDetailLevel": _one_of("precinct-level", "summary-contest"),
    "ReportingUnitType": _one_of(
        *("ballot-batch", "ballot-style-area", "borough", "city", "city-council", "combined-precinct", "congressional"),
        *("country", "county", "county-council", "drop-box", "judicial", "municipality", "other", "polling-place"),
        *("precinct", "school", "special", "split-precinct", "state", "state-house", "state-senate", "town"),
        *("township", "utility", "village", "vote-center", "ward", "water"),
    ),
    "ResultsStatus": _one_of(
        "certified", "correction", "pre-election", "recount", "unofficial-complete", "unofficial-partial"
    ),
    "VoteVariation": _one_of(
        *("approval", "borda", "cumulative", "majority", "n-of-m", "other", "plurality", "proportional", "range"),
        *("rcv", "super-majority"),
    ),
    "DateTimeWithZone": {
        "type": "string",
        "format": "date-time",
        "pattern": (
            "[0-9]{4}-(0?[1-9]|1[012])-(0?[1-9]|[12][0-9]|3[01])T(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]|"
            "(24:00:00))(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
        ),
    },
}
SCHEMA: Json = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "$ref": "#/definitions/ElectionResults.ElectionReport",
    "definitions": {f"ElectionResults.{name}": made for name, made in (_CLASSES | _WORDS).items()},
}


def check(report: Json) -> None:
    """Raises jsonschema.ValidationError, or AssertionError for a reference to nothing or to another class."""
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    jsonschema.Draft4Validator(SCHEMA, format_checker=checker).validate(report)
    objects = list(_objects(report))
    named = [entry["@id"] for entry in objects if "@id" in entry]
    assert len(set(named)) == len(named), "an @id is there twice"
    classes = {entry["@id"]: entry["@type"] for entry in objects if "@id" in entry}
    for entry in objects:
        properties = SCHEMA["definitions"][entry["@type"]]["properties"]
        for name, value in entry.items():
            said = properties[name]
            wanted = said.get("refTypes") or said.get("items", {}).get("refTypes") or ()
            for reference in (value if isinstance(value, list) else [value]) if wanted else ():
                assert classes[reference] in wanted, (entry["@type"], name, reference)


def _objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
