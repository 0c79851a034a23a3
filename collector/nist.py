"""The recapitulation of one contest as an ElectionReport of NIST SP 1500-100 version 2 (JSON), written piece by piece.

    GpUnit           everything ("country"), province ("state"), regency or city ("county"), district ("other",
                     kecamatan), village, TPS ("precinct"); each with how many of its TPS are counted, a TPS with its
                     voters (DPT) and how far it is: counted completed, waiting or disputed in-process, absent
                     not-processed
    Contest          a CandidateContest, or a PartyContest where the form's results are parties' totals
    ContestSelection one for each candidate or party, with VoteCounts of every counted TPS and sums of every region
    BallotCounts     of the same units: suara_total as BallotsCast, suara_tidak_sah as BallotsRejected

What the format has no word for is said nowhere else: OtherCounts is left out because C1 forms do not tell overvotes
from undervotes, both are suara_tidak_sah. A result that is not written on a form has no VoteCounts. A number without
its pictures is not here, as on the pages. The election definition has no date: StartDate and EndDate are the days in
Jakarta of the first and the last record that came.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from collector.night import REGION_DIGITS, Night, Standing
from collector.provinces import WIB
from collector.shown import candidate_number
from firmware.config import ElectionDefinition

Json: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, int | None]

ISSUER = "C1 Kiosk collector"
VENDOR = "c1kiosk"
NOTES = (
    "Results as counted at the polling stations, from records that the stations' kiosks signed, of the TPS of this "
    "collector. The paper form is the result."
)
_UNIT_TYPES = {2: "state", 4: "county", 6: "other", 10: "village", 13: "precinct"}
_DISTRICT = 6
_ABOVE = (0, *REGION_DIGITS[:-1])
"""Digits of every region in which a TPS lies."""
_PROGRESS = {
    Standing.COUNTED: "completed",
    Standing.WAITING: "in-process",
    Standing.DISPUTED: "in-process",
    Standing.ABSENT: "not-processed",
}
_CAST, _REJECTED = "suara_total", "suara_tidak_sah"
_CHUNK = 64 * 1024
"""Characters that are written at a time."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One contest as it was at one moment: the night goes on while it is written out."""

    contest: str
    stations: Sequence[tuple[str, Standing, Values]]
    """Code, how far it is, and results where it counts; by code."""
    first_at: int
    last_at: int
    """When records came, Unix seconds; 0: none did."""


def snapshot(night: Night, contest: str) -> Snapshot:
    """What is written later."""
    rows: list[tuple[str, Standing, Values]] = []
    moments = [0, 0]
    for tps in night.stations(""):
        standing, reports = night.judged(contest, tps)
        rows.append((tps, standing, reports[-1].results if standing is Standing.COUNTED else {}))
        for report in reports:
            moments = [min(moments[0] or report.received_at, report.received_at), max(moments[1], report.received_at)]
    return Snapshot(contest, rows, *moments)


@dataclass(frozen=True, slots=True)
class Words:
    """What the report calls things."""

    title: str
    labels: Mapping[str, str]
    """Of the results, by field."""
    names: Mapping[str, str]
    """Of regions and TPS, by code."""


def report(taken: Snapshot, election: ElectionDefinition, words: Words, now: int) -> Iterator[str]:
    """The file, in pieces of some 64 kB."""
    made = _Report(taken, election, words, now)
    return _gathered(made.pieces())


class _Report:
    def __init__(self, taken: Snapshot, election: ElectionDefinition, words: Words, now: int) -> None:
        self._taken = taken
        self._election = election
        self._words = words
        self._now = now
        self._selections = [field for field in words.labels if candidate_number(field)]
        self._sums: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._counted: defaultdict[str, int] = defaultdict(int)
        self._total: defaultdict[str, int] = defaultdict(int)
        self._below: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for tps, standing, values in taken.stations:
            self._add(tps, standing, values)

    def _add(self, tps: str, standing: Standing, values: Values) -> None:
        inner = tps
        for digits in reversed(_ABOVE):
            region = tps[:digits]
            self._below[region][inner] = None
            self._total[region] += 1
            self._counted[region] += standing is Standing.COUNTED
            for field, value in values.items():
                self._sums[region][field] += value or 0
            inner = region

    def pieces(self) -> Iterator[str]:
        yield from _object(self._head(), GpUnit=self._units(), Party=self._parties(), Election=[self._elections()])

    def _head(self) -> Json:
        mode = str(self._election.election.mode)
        whole = self._counted[""] == len(self._taken.stations)
        return {
            "@type": "ElectionResults.ElectionReport",
            "Format": "precinct-level",
            "GeneratedDate": datetime.fromtimestamp(self._now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Issuer": ISSUER,
            "IssuerAbbreviation": VENDOR,
            "IsTest": mode != "real",
            **({} if mode == "real" else {"TestType": mode}),
            "Notes": NOTES,
            "SequenceStart": 1,
            "SequenceEnd": 1,
            "Status": "unofficial-complete" if whole else "unofficial-partial",
            "VendorApplicationId": VENDOR,
        }

    def _units(self) -> Iterator[Json]:
        for code in sorted(self._below, key=lambda code: (len(code), code)):
            yield self._region(code)
        for tps, standing, _values in self._taken.stations:
            yield {
                **self._unit(tps, "precinct"),
                "CountStatus": [_status(_PROGRESS[standing])],
                "VotersRegistered": self._election.polling_station(tps).voters,
            }

    def _region(self, code: str) -> Json:
        made = self._unit(code, _UNIT_TYPES.get(len(code), "country"))
        if len(code) == _DISTRICT:
            made["OtherType"] = "kecamatan"
        made["ComposingGpUnitIds"] = [_unit_id(inner) for inner in self._below[code]]
        made["SubUnitsReported"], made["TotalSubUnits"] = self._counted[code], self._total[code]
        return made

    def _unit(self, code: str, kind: str) -> Json:
        made: Json = {"@id": _unit_id(code), "@type": "ElectionResults.ReportingUnit", "Type": kind}
        made["Name"] = _text(self._words.names.get(code, code) if code else "Indonesia")
        if code:
            made["ExternalIdentifier"] = [
                {"@type": "ElectionResults.ExternalIdentifier", "Type": "national-level", "Label": "KPU", "Value": code}
            ]
        return made

    @property
    def _of_parties(self) -> bool:
        return any(field.startswith("partai_") for field in self._selections)

    def _parties(self) -> Iterator[Json]:
        for field in self._selections if self._of_parties else ():
            yield {"@id": _id("party", field), "@type": "ElectionResults.Party", "Name": self._label(field)}

    def _candidates(self) -> Iterator[Json]:
        for field in () if self._of_parties else self._selections:
            yield {
                "@id": _id("candidate", field),
                "@type": "ElectionResults.Candidate",
                "BallotName": self._label(field),
            }

    def _elections(self) -> Iterator[str]:
        head = {
            "@type": "ElectionResults.Election",
            "ElectionScopeId": _unit_id(""),
            "Name": _text(self._election.election.name),
            "StartDate": self._day(self._taken.first_at),
            "EndDate": self._day(self._taken.last_at),
            "Type": "general",
            "ExternalIdentifier": [
                {
                    "@type": "ElectionResults.ExternalIdentifier",
                    "Type": "other",
                    "OtherType": "SHA-256 of the election definition",
                    "Value": self._election.sha256,
                }
            ],
        }
        return _object(head, BallotCounts=self._ballots(), Candidate=self._candidates(), Contest=[self._contest()])

    def _contest(self) -> Iterator[str]:
        head: Json = {
            "@id": f"contest-{self._taken.contest}",
            "@type": f"ElectionResults.{'Party' if self._of_parties else 'Candidate'}Contest",
            "Name": self._words.title,
            "ElectionDistrictId": _unit_id(""),
            "SubUnitsReported": self._counted[""],
            "TotalSubUnits": len(self._taken.stations),
            "VoteVariation": "proportional" if self._of_parties else "majority",
            "CountStatus": [_status("completed" if self._counted[""] == len(self._taken.stations) else "in-process")],
        }
        if not self._of_parties:
            head["VotesAllowed"] = 1
        return _object(head, ContestSelection=[self._selection(field) for field in self._selections])

    def _selection(self, field: str) -> Iterator[str]:
        kind, of = ("Party", "party") if self._of_parties else ("Candidate", "candidate")
        head: Json = {
            "@id": _id("selection", field),
            "@type": f"ElectionResults.{kind}Selection",
            f"{kind}Ids": [_id(of, field)],
            "SequenceOrder": int(candidate_number(field)),
        }
        return _object(head, VoteCounts=self._votes(field))

    def _votes(self, field: str) -> Iterator[Json]:
        for code, values in self._places():
            count = values.get(field)
            if count is not None:
                yield {
                    "@type": "ElectionResults.VoteCounts",
                    "GpUnitId": _unit_id(code),
                    "Type": "total",
                    "Count": count,
                }

    def _ballots(self) -> Iterator[Json]:
        for code, values in self._places():
            cast, rejected = values.get(_CAST), values.get(_REJECTED)
            if cast is not None or rejected is not None:
                yield {
                    "@type": "ElectionResults.BallotCounts",
                    "GpUnitId": _unit_id(code),
                    "Type": "total",
                    **({} if cast is None else {"BallotsCast": cast}),
                    **({} if rejected is None else {"BallotsRejected": rejected}),
                }

    def _places(self) -> Iterator[tuple[str, Values]]:
        """Regions with their sums, then the TPS."""
        for code in sorted(self._sums, key=lambda code: (len(code), code)):
            yield code, self._sums[code]
        for tps, _standing, values in self._taken.stations:
            yield tps, values

    def _label(self, field: str) -> Json:
        return _text(self._words.labels[field])

    def _day(self, unix: int) -> str:
        return datetime.fromtimestamp(unix or self._now, UTC).astimezone(WIB).strftime("%Y-%m-%d")


def _object(head: Json, **parts: Iterable[Json | Iterator[str]]) -> Iterator[str]:
    """A JSON object: `head`, and arrays that are written as they come."""
    yield json.dumps(head, ensure_ascii=False)[:-1]
    for name, entries in parts.items():
        yield f', "{name}": ['
        for number, entry in enumerate(entries):
            yield ", " if number else ""
            if isinstance(entry, dict):
                yield json.dumps(entry, ensure_ascii=False)
            else:
                yield from entry
        yield "]"
    yield "}"


def _gathered(pieces: Iterable[str]) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting) + "\n"


def _text(content: str) -> Json:
    said = {"@type": "ElectionResults.LanguageString", "Content": content, "Language": "id"}
    return {"@type": "ElectionResults.InternationalizedText", "Text": [said]}


def _status(status: str) -> Json:
    return {"@type": "ElectionResults.CountStatus", "Type": "total", "Status": status}


def _unit_id(code: str) -> str:
    """Ids are XML names in the other form of the format: they do not begin with a digit."""
    return f"gpunit-{code}" if code else "gpunit"


def _id(kind: str, field: str) -> str:
    return f"{kind}-{candidate_number(field)}"
