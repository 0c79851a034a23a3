"""From tables to election definitions: one for each kabupaten/kota, and for each of its dapil where candidates differ.

Rules of the tables, each broken one a Problem (sheets.py):

    Sidalih   code and number make 13 digits, each once; regular TPS have voters, none more than the law allows; men
              and women make the sum; a code has one name everywhere; every TPS is in a dapil where a contest has them
    Silon     contest and area exist; numbers are 1, 2, 3, ... without a gap, each once; a party stands in Sipol; a
              dapil has no more candidates of a party than seats; somebody stands wherever a contest is held
    forms     the program knows the form, as one of the contest, with as many numbers as stand
    Sipol     numbers and names once
    Sidapil   a region is in one dapil of a contest
    totals    TPS and voters of a regency are those that were declared

TPS numbers with gaps, and special TPS (lokasi khusus), are told in the summary: both are usual.
Places are named "TPS 001, village, district, regency".
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware.forms.layout import FormLayout
from provisioning.tables import cells
from provisioning.tables.mapping import Area, ContestEntry, Standing, Table, columns_of, files_of
from provisioning.tables.mapping import Mapping as Plan
from provisioning.tables.sheets import Problem, Problems, Row, rows

MAX_NUMBER = 999
"""Of a candidate, party or TPS."""
MAX_SEATS = 100
NATION = ""
"""Code of the area that everything is in."""
_VOTES, _PARTY_TOTAL = re.compile(r"suara_([0-9]+)"), re.compile(r"partai_([0-9]+)_total")
"""Field ids of forms."""
_PARTS = ((2, "province"), (4, "regency"), (6, "district"), (10, "village"))
"""Length of a code, and the column that names it."""


@dataclass(slots=True)
class Station:
    """A TPS as read, in little memory: the country has 823,236."""

    voters: int
    file: str
    row: int
    """Where it was met first."""


@dataclass(slots=True)
class Tables:
    """All tables, read and checked; `problems` says what is wrong in them."""

    plan: Plan
    problems: Problems = field(default_factory=Problems)
    stations: dict[str, dict[int, Station]] = field(default_factory=lambda: defaultdict(dict))
    """By regency: by TPS code as a number."""
    names: dict[str, str] = field(default_factory=dict)
    """Of provinces, regencies, districts, villages, by code."""
    dapil: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By contest: the dapil of a region."""
    seats: dict[tuple[str, str], int] = field(default_factory=dict)
    """By contest and dapil."""
    parties: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Name and area, by number."""
    standing: dict[tuple[str, str, int], dict[int, tuple[str, Row]]] = field(default_factory=lambda: defaultdict(dict))
    """By contest, area and party (0: none): name by number."""

    @property
    def contests(self) -> dict[str, ContestEntry]:
        """By id."""
        return {entry.id: entry for entry in self.plan.contests}


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition, as it will lie on disk."""

    name: str
    """Of its file, without suffix."""
    regency: str
    data: bytes
    tps: int
    voters: int


def read(plan: Plan, folder: Path, layouts: Mapping[str, FormLayout]) -> Tables:
    """Reads all tables of a mapping; `layouts` are the forms that the program knows.

    Raises ProvisioningRefused when a file is missing; all else is a problem.
    """
    tables = Tables(plan)
    for table, take in (
        (plan.sidapil, _sidapil),
        (plan.sipol, _sipol),
        (plan.silon, _silon),
        (plan.sidalih, _sidalih),
    ):
        for row in _rows(table, folder, tables.problems):
            take(row, tables)
    if not tables.stations:
        tables.problems.add(Problem("Sidalih", "", 0, "", "no TPS could be read"))
        return tables
    _check_dapil(tables)
    _check_standing(tables)
    _check_forms(tables, layouts)
    for row in _rows(plan.totals, folder, tables.problems):
        _totals(row, tables)
    return tables


def _rows(table: Table | None, folder: Path, problems: Problems) -> Iterator[Row]:
    if table is None:
        return
    for path in files_of(table, folder):
        yield from rows(path, table.sheet, columns_of(table), table.skip, problems)


# --- Sidalih ----------------------------------------------------------------------------------------------------------


def _sidalih(row: Row, tables: Tables) -> None:
    plan = tables.plan.election
    code = _station_code(row)
    special = int(code[10:]) >= plan.special_from if code else False
    voters = row.get("voters", lambda cell: cells.number(cell, 0, plan.max_voters), -1)
    _check_sexes(row, voters)
    if not code:
        return
    _names(row, code, tables)
    stations = tables.stations[code[:4]]
    if (first := stations.get(int(code))) is not None:
        row.wrong("code", f"TPS {code} stands in {first.file} row {first.row} already")
        return
    if voters == 0 and not special:
        row.wrong("voters", f"TPS {code} has no voters")
    stations[int(code)] = Station(max(voters, 0), row.file, row.number)


def _station_code(row: Row) -> str:
    """13 digits, or empty after a problem."""
    if "tps" not in row.columns:
        return row.get("code", lambda cell: cells.code(cell, 13), "")
    village = row.get("code", lambda cell: cells.code(cell, 10), "")
    number = row.get("tps", _tps_number, 0)
    return f"{village}{number:03d}" if village and number else ""


def _tps_number(cell: cells.Cell) -> int:
    """7, "007", "TPS 7", "TPS 007"."""
    if isinstance(cell, str):
        cell = cell.strip().casefold().removeprefix("tps").strip().lstrip("0")
    return cells.number(cell, 1, MAX_NUMBER)


def _check_sexes(row: Row, voters: int) -> None:
    if "men" in row.columns and "women" in row.columns:
        men = row.get("men", cells.number, -1)
        women = row.get("women", cells.number, -1)
        if min(men, women, voters) >= 0 and men + women != voters:
            row.wrong("voters", f"{men} and {women} are {men + women}, not {voters}")


def _names(row: Row, code: str, tables: Tables) -> None:
    for length, column in _PARTS:
        found = row.get(column, cells.name, "")
        if found and tables.names.setdefault(code[:length], found) != found:
            row.wrong(column, f"{code[:length]} is {tables.names[code[:length]]!r} above, {found!r} here")


# --- Sidapil, Sipol, Silon --------------------------------------------------------------------------------------------


def _contest(row: Row, tables: Tables) -> ContestEntry | None:
    found = row.get("contest", cells.name, "").casefold()
    if found and found not in tables.contests:
        row.wrong("contest", f"{found!r} is no contest of the mapping")
    return tables.contests.get(found)


def _sidapil(row: Row, tables: Tables) -> None:
    contest = _contest(row, tables)
    area, region = row.get("area", cells.name, ""), row.get("region", lambda cell: cells.code(cell, 2, 4, 6), "")
    seats = row.get("seats", lambda cell: cells.number(cell, 1, MAX_SEATS), 0)
    row.get("name", cells.name, "")
    if contest is None or not area or not region:
        return
    regions = tables.dapil[contest.id]
    if regions.setdefault(region, area) != area:
        row.wrong("region", f"{region} is in dapil {regions[region]} already")
    if seats and tables.seats.setdefault((contest.id, area), seats) != seats:
        row.wrong("seats", f"dapil {area} has {tables.seats[contest.id, area]} seats above, {seats} here")


def _sipol(row: Row, tables: Tables) -> None:
    number = row.get("number", lambda cell: cells.number(cell, 1, MAX_NUMBER), 0)
    found = row.get("name", cells.name, "")
    area = row.get("area", cells.text, "") if "area" in row.columns else ""
    if number in tables.parties:
        row.wrong("number", f"party {number} is {tables.parties[number][0]!r} already")
    elif found in (name for name, _area in tables.parties.values()):
        row.wrong("name", f"{found!r} stands twice")
    elif number and found:
        tables.parties[number] = (found, area)


def _silon(row: Row, tables: Tables) -> None:
    contest = _contest(row, tables)
    number = row.get("number", lambda cell: cells.number(cell, 1, MAX_NUMBER), 0)
    found = row.get("name", cells.name, "")
    area = row.get("area", cells.text, "") if "area" in row.columns else ""
    party = row.get("party", lambda cell: cells.number(cell, 1, MAX_NUMBER), 0) if _of_parties(contest, row) else 0
    if contest is None or not number or not found:
        return
    if party and party not in tables.parties:
        row.wrong("party", f"party {party} is not in Sipol")
    if contest.area is Area.DAPIL and area not in tables.dapil[contest.id].values():
        row.wrong("area", f"dapil {area!r} of {contest.id} is not in Sidapil")
    if contest.area is Area.NATION:
        area = NATION
    there = tables.standing[contest.id, area, party]
    if number in there:
        row.wrong("number", f"number {number} is {there[number][0]!r} already, row {there[number][1].number}")
    else:
        there[number] = (found, row)


def _of_parties(contest: ContestEntry | None, row: Row) -> bool:
    return "party" in row.columns and contest is not None and contest.candidates is Standing.SIPOL


def _check_standing(tables: Tables) -> None:
    """Numbers without a gap, areas that have TPS, no more of a party than seats."""
    for (contest, area, party), there in sorted(tables.standing.items()):
        last = there[max(there)][1]
        missing = [number for number in range(1, max(there)) if number not in there]
        if missing:
            last.wrong("number", f"{_who(contest, area, party)}: number {', '.join(map(str, missing))} is missing")
        seats = tables.seats.get((contest, area))
        if party and seats and len(there) > seats:
            last.wrong("number", f"{_who(contest, area, party)}: {len(there)} candidates for {seats} seats")
        if tables.contests[contest].area in (Area.PROVINCE, Area.REGENCY) and area not in tables.names:
            last.wrong("area", f"no TPS is in {area!r}")


def _who(contest: str, area: str, party: int) -> str:
    return " ".join(part for part in (contest, area, f"party {party}" if party else "") if part)


def _check_dapil(tables: Tables) -> None:
    """Every district is in a dapil of each contest that has them: one problem for each that is not."""
    for contest in tables.plan.contests:
        if contest.area is not Area.DAPIL:
            continue
        for code in sorted(code for code in tables.names if len(code) == 6):
            if not dapil_of(tables, contest.id, code):
                reason = f"district {code} ({tables.names[code]}) is in no dapil of {contest.id}"
                tables.problems.add(Problem("Sidapil", "", 0, "region", reason))


def dapil_of(tables: Tables, contest: str, district: str) -> str:
    """The dapil of a district: by itself, its regency or its province; empty when there is none."""
    regions = tables.dapil[contest]
    return next((regions[district[:length]] for length in (6, 4, 2) if district[:length] in regions), "")


def _check_forms(tables: Tables, layouts: Mapping[str, FormLayout]) -> None:
    """Wherever a contest is held somebody stands, on a form that has room for exactly them."""
    districts = sorted(code for code in tables.names if len(code) == 6)
    held = {
        (entry.id, _area(tables, entry, code), code[:2]): entry for code in districts for entry in tables.plan.contests
    }
    for (_id, area, province), entry in held.items():
        form, numbers = entry.form.replace("{area}", area), set(_standing(tables, entry, area, province))
        where = _who(entry.id, area, 0)
        if not numbers:
            tables.problems.add(Problem("Silon", "", 0, "", f"{where}: nobody stands"))
        elif form not in layouts or layouts[form].contest != entry.id:
            tables.problems.add(Problem("mapping", "", 0, "form", f"{where}: {form!r} is no form of this contest"))
        elif numbers != _numbers(layouts[form], entry.candidates):
            printed = ", ".join(map(str, sorted(_numbers(layouts[form], entry.candidates))))
            stand = ", ".join(map(str, sorted(numbers)))
            tables.problems.add(Problem("mapping", "", 0, "form", f"{where}: on {form} {printed}; {stand} stand"))


def _numbers(layout: FormLayout, standing: Standing) -> set[int]:
    """The numbers on a form: of parties with their totals, or of those who stand themselves."""
    pattern = _PARTY_TOTAL if standing is Standing.SIPOL else _VOTES
    return {int(found[1]) for found in map(pattern.fullmatch, layout.fields) if found}


def _totals(row: Row, tables: Tables) -> None:
    code = row.get("code", lambda cell: cells.code(cell, 4), "")
    stations = tables.stations.get(code, {})
    if code and not stations:
        row.wrong("code", f"{code} has no TPS")
        return
    for key, have in (("tps", len(stations)), ("voters", sum(entry.voters for entry in stations.values()))):
        said = row.get(key, cells.number, -1)
        if code and said not in (-1, have):
            row.wrong(key, f"{said} declared for {code}, {have} in the tables ({have - said:+d})")


# --- definitions ------------------------------------------------------------------------------------------------------


def definitions(tables: Tables) -> Iterator[Definition]:
    """The definitions, in the order of their names; the same tables give the same bytes."""
    for regency in sorted(tables.stations):
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for code in sorted(tables.stations[regency]):
            groups[tuple(_area(tables, contest, str(code)) for contest in tables.plan.contests)].append(code)
        for areas, codes in sorted(groups.items()):
            name = regency if len(groups) == 1 else f"{regency}-{'-'.join(dict.fromkeys(filter(None, areas)))}"
            yield _definition(tables, name, regency, areas, codes)


def _area(tables: Tables, contest: ContestEntry, code: str) -> str:
    match contest.area:
        case Area.NATION:
            return NATION
        case Area.PROVINCE:
            return code[:2]
        case Area.REGENCY:
            return code[:4]
        case Area.DAPIL:
            return dapil_of(tables, contest.id, code[:6])


def _definition(tables: Tables, name: str, regency: str, areas: Sequence[str], codes: Sequence[int]) -> Definition:
    stations = tables.stations[regency]
    election = tables.plan.election
    document = {
        "version": 1,
        "name": f"{election.name}, {tables.names[regency]}",
        "mode": str(election.mode),
        "contests": [
            _contest_entry(tables, contest, area, regency[:2])
            for contest, area in zip(tables.plan.contests, areas, strict=True)
        ],
        "polling_stations": [
            {"code": str(code), "place": _place(tables.names, str(code)), "voters": stations[code].voters}
            for code in codes
        ],
        "collectors": [
            {"id": _of_regency(entry.id, regency), "url": _of_regency(entry.url, regency)}
            for entry in tables.plan.collectors
        ],
    }
    data = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    return Definition(name, regency, data, len(codes), sum(stations[code].voters for code in codes))


def _of_regency(text: str, regency: str) -> str:
    return text.replace("{regency}", regency).replace("{province}", regency[:2])


def _contest_entry(tables: Tables, contest: ContestEntry, area: str, province: str) -> dict[str, Any]:
    there = _standing(tables, contest, area, province)
    candidates = [{"number": number, "name": there[number]} for number in sorted(there)]
    entry: dict[str, Any] = {"id": contest.id, "form": contest.form.replace("{area}", area), "candidates": candidates}
    return entry | ({"limits": dict(sorted(contest.limits.items()))} if contest.limits else {})


def _standing(tables: Tables, contest: ContestEntry, area: str, province: str) -> dict[int, str]:
    """Name by number: of the parties, local ones where they stand, or of the candidates."""
    if contest.candidates is Standing.SIPOL:
        return {number: name for number, (name, local) in tables.parties.items() if local in ("", province)}
    return {number: name for number, (name, _row) in tables.standing.get((contest.id, area, 0), {}).items()}


def _place(names: Mapping[str, str], code: str) -> str:
    return f"TPS {code[10:]}, {names[code[:10]]}, {names[code[:6]]}, {names[code[:4]]}"
