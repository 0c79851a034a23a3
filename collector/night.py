"""The recapitulation: what every polling station reported, and the sums over villages, districts and above.

Pure: records and pictures go in in the order in which they were stored, figures come out. A TPS code holds its region:
2 digits province, 4 regency or city, 6 district, 10 village, 13 the TPS.

A number is shown and summed only with its pictures. Of each TPS and contest the records that no other one supersedes
stand. It is

    absent      nothing was received
    waiting     a record stands, and not all of its pictures are here: "foto belum datang", no number is shown
    disputed    several records stand and do not say the same (two devices reported): a person has to look
    counted     otherwise; apart are counted those that were corrected, and those with an alarm: a rule fails, or a
                result is missing on the form
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

REGION_DIGITS = (2, 4, 6, 10, 13)
"""Province, regency or city, district, village, TPS."""
_ABOVE = (0, *REGION_DIGITS[:-1])
"""Digits of the regions in which a TPS lies; none: everything."""


class Standing(StrEnum):
    """How far a TPS has come in one contest; sentences under `recap.standing-<value>` in messages/."""

    ABSENT = "absent"
    WAITING = "waiting"
    DISPUTED = "disputed"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Report:
    """A stored record, as far as it is summed."""

    sha256: bytes
    device: str
    tps: str
    contest: str
    supersedes: bytes | None
    results: Mapping[str, int | None]
    failed: int
    pictures: Mapping[int, bytes]
    """By page number."""
    received_at: int

    @property
    def alarmed(self) -> bool:
        """Worth a look by a person."""
        return self.failed > 0 or any(value is None for value in self.results.values())


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the TPS of a region, and how many of them are in these sums."""

    stations: int
    """In the election definition."""
    counted: int
    waiting: int
    disputed: int
    corrected: int
    """Of those counted."""
    alarmed: int
    """Of those counted."""
    values: Mapping[str, int]
    latest: int
    """When the last record came, Unix seconds; 0: none came."""

    @property
    def received(self) -> int:
        """TPS of which anything is here."""
        return self.counted + self.waiting + self.disputed

    @classmethod
    def over(cls, parts: Iterable[Totals]) -> Totals:
        """Of a region, from those of its parts."""
        count = dict.fromkeys(_COUNTS, 0)
        values: defaultdict[str, int] = defaultdict(int)
        latest = 0
        for part in parts:
            for name in _COUNTS:
                count[name] += getattr(part, name)
            for field_id, value in part.values.items():
                values[field_id] += value
            latest = max(latest, part.latest)
        return cls(**count, values=dict(values), latest=latest)


_COUNTS = ("stations", "counted", "waiting", "disputed", "corrected", "alarmed")


@dataclass(slots=True)
class _Place:
    """One TPS in one contest."""

    reports: list[Report] = field(default_factory=list)

    def standing_reports(self) -> list[Report]:
        superseded = {report.supersedes for report in self.reports}
        return [report for report in self.reports if report.sha256 not in superseded]


class Night:
    """Everything that was reported. One thread at a time.

    The sums of a region are made from those of its parts and kept until one of its TPS changes, so a page of a province
    or of the country costs as much as it has rows, not as many TPS as lie in it.
    """

    def __init__(self, stations: Iterable[str], contests: Sequence[str]) -> None:
        self._stations = sorted(stations)
        self._contests = frozenset(contests)
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)
        self._pictures: set[bytes] = set()
        self._wait_for: defaultdict[bytes, list[tuple[str, str]]] = defaultdict(list)
        """Contest and TPS of the records that name a picture which is not here."""
        self._below = _regions(self._stations)
        self._totals: dict[tuple[str, str], Totals] = {}
        """By contest and region; what changed since is not in it."""

    def take(self, reports: Iterable[Report], pictures: Iterable[bytes]) -> None:
        """What was stored since the last time."""
        for report in reports:
            self._places[report.contest, report.tps].reports.append(report)
            self._forget(report.contest, report.tps)
            for picture in report.pictures.values():
                if picture not in self._pictures:
                    self._wait_for[picture].append((report.contest, report.tps))
        for picture in pictures:
            self._pictures.add(picture)
            for contest, tps in self._wait_for.pop(picture, ()):
                self._forget(contest, tps)

    def knows(self, code: str) -> bool:
        """Whether there is a TPS in this region; the empty code is everything."""
        first = bisect_left(self._stations, code)
        return first < len(self._stations) and self._stations[first].startswith(code)

    def has_picture(self, sha256: bytes) -> bool:
        """Whether the picture is here."""
        return sha256 in self._pictures

    def versions(self, contest: str, tps: str) -> Sequence[Report]:
        """Every record of a TPS, in the order of arrival."""
        place = self._places.get((contest, tps))
        return tuple(place.reports) if place else ()

    def judged(self, contest: str, tps: str) -> tuple[Standing, Sequence[Report]]:
        """How far a TPS has come, and the records that stand."""
        place = self._places.get((contest, tps))
        reports = place.standing_reports() if place else []
        if not reports:
            return Standing.ABSENT, ()
        if any(dict(report.results) != dict(reports[0].results) for report in reports[1:]):
            return Standing.DISPUTED, tuple(reports)
        shown = [report for report in reports if self._pictures.issuperset(report.pictures.values())]
        return (Standing.COUNTED, tuple(shown)) if shown else (Standing.WAITING, tuple(reports))

    def totals(self, contest: str, code: str) -> Totals:
        """The sums over a region, or of a TPS."""
        if len(code) == REGION_DIGITS[-1]:
            return self._of_station(contest, code)
        found = self._totals.get((contest, code))
        if found is None:
            found = Totals.over(self.totals(contest, part) for part in self._below.get(code, ()))
            self._totals[contest, code] = found
        return found

    def parts(self, contest: str, code: str) -> dict[str, Totals]:
        """The sums over each region directly below, by its code; the code of a TPS has none below."""
        return {part: self.totals(contest, part) for part in self._below.get(code, ())}

    def stations(self, code: str) -> Sequence[str]:
        """The TPS of a region, by code."""
        return self._within(code)

    def silent(self) -> list[str]:
        """TPS of which no contest was received."""
        return [tps for tps in self._stations if not any((contest, tps) in self._places for contest in self._contests)]

    def backlog(self) -> list[tuple[Report, int]]:
        """Records that stand and wait for pictures, and for how many; oldest first."""
        found = []
        for place in self._places.values():
            for report in place.standing_reports():
                missing = sum(picture not in self._pictures for picture in report.pictures.values())
                if missing:
                    found.append((report, missing))
        return sorted(found, key=lambda entry: (entry[0].received_at, entry[0].sha256))

    def _within(self, code: str) -> list[str]:
        """Codes are digits, so what begins with `code` lies between it and its successor."""
        return self._stations[bisect_left(self._stations, code) : bisect_left(self._stations, code + ":")]

    def _forget(self, contest: str, tps: str) -> None:
        for digits in _ABOVE:
            self._totals.pop((contest, tps[:digits]), None)

    def _of_station(self, contest: str, tps: str) -> Totals:
        standing, reports = self.judged(contest, tps)
        last = reports[-1] if standing is Standing.COUNTED else None
        return Totals(
            stations=1,
            counted=int(standing is Standing.COUNTED),
            waiting=int(standing is Standing.WAITING),
            disputed=int(standing is Standing.DISPUTED),
            corrected=int(last is not None and last.supersedes is not None),
            alarmed=int(last is not None and last.alarmed),
            # what is not written counts as nothing, and the TPS as alarmed
            values={name: value or 0 for name, value in last.results.items()} if last else {},
            latest=max((report.received_at for report in reports), default=0),
        )


def _regions(stations: Sequence[str]) -> dict[str, list[str]]:
    """The regions and TPS directly below each region, by code; `stations` are sorted."""
    below: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for tps in stations:
        for outer, inner in pairwise((*_ABOVE, len(tps))):
            below[tps[:outer]][tps[:inner]] = None
    return {code: list(parts) for code, parts in below.items()}
