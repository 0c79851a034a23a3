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
SELECT s.tps, s.contest, s.province, substr(s.tps, 1, 4) AS regency, substr(s.tps, 1, 6) AS district,
       substr(s.tps, 1, 10) AS village,
       CASE WHEN s.disputed THEN 'disputed' WHEN s.whole = 0 THEN 'waiting' ELSE 'counted' END AS standing,
       CASE WHEN s.counts THEN {hex_of_s} END AS record,
       CASE WHEN s.counts THEN s.position END AS position,
       CASE WHEN s.counts THEN CASE WHEN s.supersedes IS NULL THEN 0 ELSE 1 END END AS corrected,
       CASE WHEN s.counts THEN CASE WHEN s.failed > 0
           OR EXISTS (SELECT 1 FROM {each}(s.results) AS v WHERE v.value IS NULL) THEN 1 ELSE 0 END END AS alarmed,
       CASE WHEN s.counts THEN s.latest_whole ELSE s.latest END AS latest
FROM (
    SELECT c.*, NOT c.disputed AND c.whole = 1 AS counts FROM (
        SELECT w.*, min(w.said) OVER place <> max(w.said) OVER place AS disputed,
               max(w.received_at) OVER place AS latest,
               max(CASE WHEN w.whole = 1 THEN w.received_at END) OVER place AS latest_whole,
               row_number() OVER (
                   PARTITION BY w.province, w.tps, w.contest ORDER BY w.whole DESC, w.position DESC
               ) AS turn
        FROM (
            SELECT r.province, r.position, e.sha256, e.supersedes, r.tps, r.contest, r.failed, r.received_at, r.results,
                   {said} AS said,
                   CASE WHEN EXISTS (
                       SELECT 1 FROM pages p WHERE p.position = r.position AND p.province = r.province
                       AND NOT EXISTS (SELECT 1 FROM pictures k WHERE k.sha256 = p.picture)
                   ) THEN 0 ELSE 1 END AS whole
            FROM records r JOIN entries e ON e.position = r.position AND e.province = r.province
            WHERE NOT EXISTS (SELECT 1 FROM entries later WHERE later.supersedes = e.sha256)
        ) w WINDOW place AS (PARTITION BY w.province, w.tps, w.contest)
    ) c WHERE c.turn = 1
) s
"""

_RESULTS = """
SELECT s.province, s.tps, s.contest, v.key AS field, CAST(v.value AS INTEGER) AS value
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
    said: str
    """What a record says, the same for the same fields in another order."""


_WORDS = {
    "postgresql": _Words(
        prefix=f"{VERSION}.",
        hexadecimal="encode({}, 'hex')",
        each="json_each_text",
        said='CAST(CAST(r.results AS jsonb) AS text) COLLATE "C"',
    ),
    "sqlite": _Words(
        prefix=f"{VERSION}_",
        hexadecimal="lower(hex({}))",
        each="json_each",
        said="(SELECT group_concat(o.key || '=' || ifnull(o.value, '-')) "
        "FROM (SELECT key, value FROM json_each(r.results) ORDER BY key) o)",
    ),
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
        "said": words.said,
        "hex_supersedes": _or_null(words, "e.supersedes"),
        "hex_picture": words.hexadecimal.format("p.picture"),
        "hex_of_s": words.hexadecimal.format("s.sha256"),
    }
    made = [f"CREATE VIEW {words.prefix}{name} AS {text.format(**values).strip()}" for name, text in VIEWS.items()]
    return [f"CREATE SCHEMA {VERSION}", *made] if dialect == "postgresql" else made


def _or_null(words: _Words, column: str) -> str:
    """SQLite's hex() makes an empty text of null."""
    return f"CASE WHEN {column} IS NOT NULL THEN {words.hexadecimal.format(column)} END"
