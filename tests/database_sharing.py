"""The contract of the shared views as it is written down, and a night on which every rule of counting has its turn."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from collector.live import Live
from collector.night import REGION_DIGITS, Night, Standing
from collector.receiving import Arrival
from collector.store import RecordStore
from collector.submission import Submission, submission_of
from collector.tables import pictures
from collector.views import VIEWS, name_of
from tests.sealing import LAYOUT, World

DOCUMENT = Path(__file__).parent.parent / "collector" / "VIEWS.md"
CONTEST = LAYOUT.contest
_ROW = re.compile(r"\| `(\w+)` \| (\w+) \| (never|[^|]+) \| [^|]+ \|")


@dataclass(frozen=True)
class Column:
    """One row of a table in the document."""

    name: str
    type: str
    nullable: bool


def documented() -> dict[str, list[Column]]:
    """The columns of each view, in order."""
    sections = DOCUMENT.read_text(encoding="utf-8").split("\n### ")[1:]
    found = {}
    for section in sections:
        rows = [_ROW.fullmatch(line) for line in section.splitlines()]
        found[section.split("`")[1]] = [Column(row[1], row[2], row[3] != "never") for row in rows if row]
    return found


def rows_of(engine: sa.Engine, view: str) -> list[dict[str, Any]]:
    """Everything that a view shows."""
    with engine.connect() as connection:
        query = sa.text(f"SELECT * FROM {name_of(view, engine.dialect.name)}")
        return [dict(row) for row in connection.execute(query).mappings()]


def check_a_column_is_not_as_documented(store: RecordStore, world: World) -> None:
    """On a night where everything occurs: names in their order, and no null where the document says never."""
    a_night(store, world)
    contract = documented()
    assert list(contract) == list(VIEWS)
    for view, columns in contract.items():
        rows = rows_of(store.reading, view)
        assert rows, view
        for row in rows:
            assert list(row) == [column.name for column in columns], view
        for column in columns:
            empty = any(row[column.name] is None for row in rows)
            assert empty == column.nullable, f"{view}.{column.name}"


def check_the_views_count_otherwise_than_the_pages(store: RecordStore, world: World) -> None:
    night = a_night(store, world)
    regions = {(row["contest"], row["region"]): row for row in rows_of(store.reading, "regions")}
    sums = {
        (row["contest"], row["region"], row["field"]): row["value"] for row in rows_of(store.reading, "region_results")
    }
    stations = {(row["contest"], row["tps"]): row for row in rows_of(store.reading, "stations")}
    codes = {tps[:digits] for tps in night.stations("") for digits in (0, *REGION_DIGITS[:-1])}
    for code in codes:
        totals, row = night.totals(CONTEST, code), regions[CONTEST, code]
        for name in ("counted", "waiting", "disputed", "corrected", "alarmed", "latest"):
            assert row[name] == getattr(totals, name), (code, name)
        assert {field: value for (_, region, field), value in sums.items() if region == code} == totals.values
    for tps in night.stations(""):
        standing, reports = night.judged(CONTEST, tps)
        if standing is Standing.ABSENT:
            assert (CONTEST, tps) not in stations
            continue
        row = stations[CONTEST, tps]
        assert row["standing"] == standing
        assert row["record"] == (reports[-1].sha256.hex() if standing is Standing.COUNTED else None)
    assert set(Standing) == {night.judged(CONTEST, tps)[0] for tps in night.stations("")}


def a_night(store: RecordStore, world: World) -> Night:
    """Seven TPS reported, each in another way, one of them twice with another order of the same fields."""
    made = [submission_of(sealed.sha256.hex(), sealed.cose, world.trust) for sealed in map(world.seal, range(1, 8))]
    plain, alarmed, unwritten, waiting, _, _, corrected = made
    field = next(iter(plain.results))
    backwards = dict(reversed(plain.results.items()))
    arrived = [
        plain,
        _other(plain, 1, results=backwards),
        replace(alarmed, failed=2),
        replace(unwritten, results={**unwritten.results, field: None}),
        waiting,
        made[4],
        _other(made[4], 2, results={**made[4].results, field: 1}),
        made[5],
        _other(made[5], 3, results={**made[5].results, field: None}),
        corrected,
        _other(corrected, 4, supersedes=corrected.sha256, results={**corrected.results, field: 300}),
    ]
    for number, record in enumerate(arrived):
        store.receive(Arrival(record, b"acknowledged", 1_866_000_600 + number))
    shown = {name for record in arrived if record is not waiting for name in record.pictures.values()}
    with store.engine.begin() as connection:
        whole = [
            {"number": number, "sha256": name, "bytes": 1, "received_at": 1}
            for number, name in enumerate(sorted(shown))
        ]
        connection.execute(pictures.insert(), whole)
    with Live(store.reading, world.trust.election.election, lambda: 0.0).night() as night:
        return night


def _other(like: Submission, number: int, **changes: Any) -> Submission:
    """What a second kiosk says of the same TPS."""
    own = {"sha256": bytes([number]) * 32, "kid": bytes([number]) * 8, "device": f"OTHER-{number}", "sequence": 1}
    return replace(like, **{**own, **changes})


CONTRACT = (check_a_column_is_not_as_documented, check_the_views_count_otherwise_than_the_pages)
"""What the views on any database have to pass."""
