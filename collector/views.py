"""Read-only views for other programs: version 1 of the contract in VIEWS.md, in SQL that both databases understand.

On PostgreSQL they are in the schema `c1_v1`, on SQLite their names begin with `c1_v1_`. What they count and sum is what
night.py counts and sums; a test compares the two. A version that is given out is not changed: a new one gets a schema
and a module of its own, and stands beside the old one.
"""

from __future__ import annotations

from dataclasses import dataclass

VERSION = "c1_v1"

_RECORDS = """
SELECT {hex_sha256} AS record, e.position, r.province, r.tps, r.contest, r.form, r.mode, r.device, e.sequence,
       {hex_supersedes} AS supersedes, r.failed AS rules_failed, r.received_at, r.cose
FROM entries e JOIN records r ON r.position = e.position AND r.province = e.province
"""

_PAGES = """
SELECT {hex_sha256} AS record, p.page, {hex_picture} AS picture, CASE WHEN k.sha256 IS NULL THEN 0 ELSE 1 END AS arrived
FROM entries e JOIN pages p ON p.position = e.position AND p.province = e.province
LEFT JOIN pictures k ON k.sha256 = p.picture
"""

_STATIONS = """
WITH stands AS (
    SELECT e.position, e.sha256, e.supersedes, r.tps, r.contest, r.failed, r.received_at, r.results,
           count(*) OVER (PARTITION BY r.tps, r.contest) AS beside,
           CASE WHEN EXISTS (
               SELECT 1 FROM pages p WHERE p.position = e.position AND p.province = e.province
               AND NOT EXISTS (SELECT 1 FROM pictures k WHERE k.sha256 = p.picture)
           ) THEN 0 ELSE 1 END AS whole
    FROM entries e JOIN records r ON r.position = e.position AND r.province = e.province
    WHERE NOT EXISTS (SELECT 1 FROM entries later WHERE later.supersedes = e.sha256)
), told AS (
    SELECT s.tps, s.contest, v.key AS field, count(*) AS said, count(v.value) AS written, max(s.beside) AS beside,
           min(CAST(v.value AS INTEGER)) AS least, max(CAST(v.value AS INTEGER)) AS most
    FROM stands s CROSS JOIN {each}(s.results) AS v WHERE s.beside > 1 GROUP BY s.tps, s.contest, v.key
), disputed AS (
    SELECT DISTINCT tps, contest FROM told WHERE said <> beside OR written NOT IN (0, said) OR least <> most
), places AS (
    SELECT s.tps, s.contest, d.tps IS NOT NULL AS disputed, max(CASE WHEN s.whole = 1 THEN s.position END) AS position,
           max(s.received_at) AS latest, max(CASE WHEN s.whole = 1 THEN s.received_at END) AS latest_whole
    FROM stands s LEFT JOIN disputed d ON d.tps = s.tps AND d.contest = s.contest
    GROUP BY s.tps, s.contest, d.tps
), counted AS (
    SELECT s.position, {hex_of_s} AS record, CASE WHEN s.supersedes IS NULL THEN 0 ELSE 1 END AS corrected,
           CASE WHEN s.failed > 0 OR EXISTS (SELECT 1 FROM {each}(s.results) AS v WHERE v.value IS NULL)
           THEN 1 ELSE 0 END AS alarmed
    FROM stands s
)
SELECT p.tps, p.contest, substr(p.tps, 1, 2) AS province, substr(p.tps, 1, 4) AS regency,
       substr(p.tps, 1, 6) AS district, substr(p.tps, 1, 10) AS village,
       CASE WHEN p.disputed THEN 'disputed' WHEN p.position IS NULL THEN 'waiting' ELSE 'counted' END AS standing,
       c.record, c.position, c.corrected, c.alarmed,
       CASE WHEN c.position IS NULL THEN p.latest ELSE p.latest_whole END AS latest
FROM places p LEFT JOIN counted c ON c.position = p.position AND NOT p.disputed
"""

_RESULTS = """
SELECT s.tps, s.contest, v.key AS field, CAST(v.value AS INTEGER) AS value
FROM {version}stations s JOIN records r ON r.position = s.position AND r.province = s.province
CROSS JOIN {each}(r.results) AS v
"""

_REGIONS = """
SELECT s.contest, substr(s.tps, 1, d.digits) AS region, d.digits,
       sum(CASE WHEN s.standing = 'counted' THEN 1 ELSE 0 END) AS counted,
       sum(CASE WHEN s.standing = 'waiting' THEN 1 ELSE 0 END) AS waiting,
       sum(CASE WHEN s.standing = 'disputed' THEN 1 ELSE 0 END) AS disputed,
       sum(COALESCE(s.corrected, 0)) AS corrected, sum(COALESCE(s.alarmed, 0)) AS alarmed, max(s.latest) AS latest
FROM {version}stations s CROSS JOIN ({digits}) d GROUP BY s.contest, substr(s.tps, 1, d.digits), d.digits
"""

_REGION_RESULTS = """
SELECT v.contest, substr(v.tps, 1, d.digits) AS region, d.digits, v.field,
       CAST(sum(COALESCE(v.value, 0)) AS BIGINT) AS value
FROM {version}results v CROSS JOIN ({digits}) d GROUP BY v.contest, substr(v.tps, 1, d.digits), d.digits, v.field
"""

VIEWS = {
    "records": _RECORDS,
    "pages": _PAGES,
    "stations": _STATIONS,
    "results": _RESULTS,
    "regions": _REGIONS,
    "region_results": _REGION_RESULTS,
}
"""By name, each after those it is made from."""
_DIGITS = " UNION ALL ".join(f"SELECT {digits} AS digits" for digits in (0, 2, 4, 6, 10))
"""Everything, province, regency or city, district, village."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What the two databases call by different names."""

    prefix: str
    hexadecimal: str
    each: str


_WORDS = {
    "postgresql": _Words(f"{VERSION}.", "encode({}, 'hex')", "json_each_text"),
    "sqlite": _Words(f"{VERSION}_", "lower(hex({}))", "json_each"),
}


def name_of(view: str, dialect: str) -> str:
    """How a query names a view."""
    return _WORDS[dialect].prefix + view


def statements(dialect: str) -> list[str]:
    """What makes the views."""
    words = _WORDS[dialect]
    values = {
        "version": words.prefix,
        "digits": _DIGITS,
        "each": words.each,
        "hex_sha256": words.hexadecimal.format("e.sha256"),
        "hex_supersedes": _or_null(words, "e.supersedes"),
        "hex_picture": words.hexadecimal.format("p.picture"),
        "hex_of_s": words.hexadecimal.format("s.sha256"),
    }
    made = [f"CREATE VIEW {words.prefix}{name} AS {text.format(**values).strip()}" for name, text in VIEWS.items()]
    return [f"CREATE SCHEMA {VERSION}", *made] if dialect == "postgresql" else made


def _or_null(words: _Words, column: str) -> str:
    """SQLite's hex() makes an empty text of null."""
    return f"CASE WHEN {column} IS NOT NULL THEN {words.hexadecimal.format(column)} END"
